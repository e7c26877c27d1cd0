/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Reads of struct sock, struct sk_buff and file tables that work from any program type (CO-RE, no BTF pointers). */
#ifndef ROOTWALK_SOCK_BPF_H
#define ROOTWALK_SOCK_BPF_H

#include "common.bpf.h"
#include <bpf/bpf_endian.h>

#define S_IFMT 0170000
#define S_IFSOCK 0140000
/* Inodes of namespaces start at PROC_DYNAMIC_FIRST; the first network namespace has a fixed one below it since 6.18. */
#define NETNS_INODE_MIN 0xEFFFFFF9u
#define TCP_PROTOCOL 6
#define UDP_PROTOCOL 17

static __always_inline __u32 netns_of_sock(const struct sock *sk)
{
	return BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
}

static __always_inline bool is_mapped_v4(const __u8 *address)
{
	const __u32 *word = (const __u32 *)address;

	return word[0] == 0 && word[1] == 0 && word[2] == bpf_htonl(0xffff);
}

static __always_inline void set_v4(__u8 *address, __u32 v4)
{
	__u32 *word = (__u32 *)address;

	word[0] = v4;
	word[1] = 0;
	word[2] = 0;
	word[3] = 0;
}

/* Fills addresses, ports and family; role and protocol stay. A port that the kernel has cleared keeps its old value. */
static __always_inline void read_tuple(struct rw_tuple *tuple, const struct sock *sk)
{
	__u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);
	__u16 local = BPF_CORE_READ(sk, __sk_common.skc_num);
	__u16 remote = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));

	if (family == AF_INET6) {
		BPF_CORE_READ_INTO(&tuple->local_addr, sk, __sk_common.skc_v6_rcv_saddr);
		BPF_CORE_READ_INTO(&tuple->remote_addr, sk, __sk_common.skc_v6_daddr);
		tuple->family = 6;
		/* A listener has no other end: a server that speaks both (every JVM) may be bound to an IPv4 address. */
		if (is_mapped_v4(tuple->remote_addr) || is_mapped_v4(tuple->local_addr)) {
			set_v4(tuple->local_addr, ((__u32 *)tuple->local_addr)[3]);
			set_v4(tuple->remote_addr, ((__u32 *)tuple->remote_addr)[3]);
			tuple->family = 4;
		}
	} else {
		set_v4(tuple->local_addr, BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr));
		set_v4(tuple->remote_addr, BPF_CORE_READ(sk, __sk_common.skc_daddr));
		tuple->family = 4;
	}
	if (local == 0)
		local = bpf_ntohs(BPF_CORE_READ((const struct inet_sock *)sk, inet_sport));
	if (local != 0)
		tuple->local_port = local;
	if (remote != 0)
		tuple->remote_port = remote;
}

static __always_inline bool is_inet(const struct sock *sk, __u16 protocol)
{
	__u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);

	if (family != AF_INET && family != AF_INET6)
		return false;
	return BPF_CORE_READ_BITFIELD_PROBED(sk, sk_protocol) == protocol;
}

static __always_inline bool is_tcp(const struct sock *sk)
{
	return is_inet(sk, TCP_PROTOCOL);
}

static __always_inline bool is_udp(const struct sock *sk)
{
	return is_inet(sk, UDP_PROTOCOL);
}

#define MPTCP_PROTOCOL 262

struct mptcp_sock___rw {
	struct sock *first;
} __attribute__((preserve_access_index));

/*
 * The TCP socket inside a Multipath TCP one, or NULL. Servers in Go listen on such sockets; what they accept from clients
 * that speak plain TCP is plain TCP.
 */
static __always_inline struct sock *first_of_mptcp(struct sock *sk)
{
	__u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);

	if (family != AF_INET && family != AF_INET6)
		return NULL;
	if (!bpf_core_type_exists(struct mptcp_sock___rw) ||
	    BPF_CORE_READ_BITFIELD_PROBED(sk, sk_protocol) != MPTCP_PROTOCOL)
		return NULL;
	return BPF_CORE_READ((struct mptcp_sock___rw *)sk, first);
}

/* The file of a descriptor of the current task, or NULL. */
static __always_inline struct file *file_of_fd(struct task_struct *task, __u32 fd)
{
	struct fdtable *fdt = BPF_CORE_READ(task, files, fdt);
	struct file **table;
	struct file *file = NULL;

	if (fd >= BPF_CORE_READ(fdt, max_fds))
		return NULL;
	table = BPF_CORE_READ(fdt, fd);
	bpf_probe_read_kernel(&file, sizeof(file), &table[fd]);
	return file;
}

static __always_inline bool is_socket(const struct file *file)
{
	return (BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) == S_IFSOCK;
}

/* The struct sock behind a file, if the file is a socket: the caller must have checked or must check. */
static __always_inline struct sock *sock_of_file(const struct file *file)
{
	struct socket *socket = BPF_CORE_READ((struct file *)file, private_data);

	return BPF_CORE_READ(socket, sk);
}

static __always_inline __u32 netns_of_device(const struct net_device *device)
{
	__u32 netns;

	if (!device)
		return 0;
	netns = BPF_CORE_READ(device, nd_net.net, ns.inum);
	return netns >= NETNS_INODE_MIN ? netns : 0;
}

/*
 * The namespace a packet was in. skb->dev first: a socket reference survives the crossing of a veth pair until ip_rcv
 * (kernel commit 9c4c325252c5, "skbuff: preserve sock reference when scrubbing the skb"), so skb->sk may be the sender's.
 */
static __always_inline __u32 netns_of_skb(const struct sk_buff *skb, const struct sock *receiver)
{
	const struct sock *sk;
	__u64 dst;
	__u32 netns;

	if (receiver)
		return netns_of_sock(receiver);
	netns = netns_of_device(BPF_CORE_READ(skb, dev));
	if (netns)
		return netns;
	sk = BPF_CORE_READ(skb, sk);
	if (sk)
		return netns_of_sock(sk);
	dst = BPF_CORE_READ(skb, _skb_refdst) & ~1ULL;
	if (dst)
		return netns_of_device(BPF_CORE_READ((struct dst_entry *)dst, dev));
	return 0;
}

/* Source and destination of a TCP packet as local and remote. False when it is not TCP or has no network header. */
static __always_inline bool read_packet_tuple(struct rw_tuple *tuple, const struct sk_buff *skb)
{
	__u8 *head = BPF_CORE_READ(skb, head);
	__u16 offset = BPF_CORE_READ(skb, network_header);
	__u16 protocol = bpf_ntohs(BPF_CORE_READ(skb, protocol));
	__u16 ports[2] = {};
	__u8 *network = head + offset;
	__u8 *transport;

	if (offset == 0 || offset == 0xffff)
		return false;
	if (protocol == ETH_P_IP) {
		struct iphdr ip;

		if (bpf_probe_read_kernel(&ip, sizeof(ip), network) || ip.version != 4 || ip.protocol != TCP_PROTOCOL)
			return false;
		if (ip.frag_off & bpf_htons(0x1fff))
			return false;
		set_v4(tuple->local_addr, ip.saddr);
		set_v4(tuple->remote_addr, ip.daddr);
		tuple->family = 4;
		transport = network + ip.ihl * 4;
	} else if (protocol == ETH_P_IPV6) {
		struct ipv6hdr ip;

		/* Extension headers before TCP are not followed: such packets are not counted. */
		if (bpf_probe_read_kernel(&ip, sizeof(ip), network) || ip.version != 6 || ip.nexthdr != TCP_PROTOCOL)
			return false;
		__builtin_memcpy(tuple->local_addr, &ip.saddr, 16);
		__builtin_memcpy(tuple->remote_addr, &ip.daddr, 16);
		tuple->family = 6;
		transport = network + sizeof(ip);
	} else {
		return false;
	}
	if (bpf_probe_read_kernel(ports, sizeof(ports), transport))
		return false;
	tuple->local_port = bpf_ntohs(ports[0]);
	tuple->remote_port = bpf_ntohs(ports[1]);
	return true;
}

#endif
