/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Parameters, maps and counters that the probe families share. Every family defines them weak; `bpftool gen object`
 * links the families into one object, so each exists once.
 */
#ifndef ROOTWALK_COMMON_BPF_H
#define ROOTWALK_COMMON_BPF_H

#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "wire.h"

#define AF_UNIX 1
#define AF_INET 2
#define AF_INET6 10
#define ETH_P_IP 0x0800
#define ETH_P_IPV6 0x86dd

/* struct conn.flags */
#define CONN_OPENED_SENT 1 /* RW_CONN_OPENED or RW_CONN_DISCOVERED went out */
#define CONN_CLOSED_SENT 2
#define CONN_FRESH 4 /* seen from its first byte */
#define CONN_ESTABLISHED 8
#define CONN_SILENT 16 /* of an excluded process: nothing is told */
#define CONN_UNIX 32

/* Set by the loader before load. */
const volatile __u32 targ_capture_bytes __weak = 512;
const volatile bool filter_netns __weak = false;
const volatile bool filter_ports_include __weak = false;
const volatile bool filter_ports_exclude __weak = false;
/* Parameters of btf_trace_kfree_skb on this kernel: 2 before 5.17, 3, 4 since 6.11 (rx_sk); of tcp_retransmit_skb. */
const volatile __u32 targ_kfree_skb_args __weak = 3;
/* Timer ticks per second; 0: not known. */
const volatile __u32 targ_hz __weak = 0;
/* System call number -> enum rw_op: the numbers differ between architectures, the loader's compiler knows them. */
#define TARG_SYSCALLS 512
const volatile __u8 targ_ops[TARG_SYSCALLS] __weak = {};

/* 1: calls are not followed, the collector sheds load. Written by the loader. */
volatile __u32 capture_paused __weak = 0;

/* What we know of a connection: TCP, or a Unix stream. */
struct conn {
	__u64 id;
	__u64 start_ns;
	__u64 connect_ns;
	__u64 cgroup_id;
	__u64 left_ns; /* its process let go of it while the other end was open; 0: not so */
	__u64 unknown_seen; /* payload already added to the unknown counter */
	struct rw_tuple tuple;
	__u32 netns;
	__u32 tgid;
	__u32 tid;
	__u32 flags;
	__u32 retransmits;
	__u32 syn_retransmits;
	__u32 resets_sent;
	__u32 resets_received;
	__u32 segs_reported; /* segs_in + segs_out of the last statistics */
	__u32 quiet; /* intervals without a change */
	__s32 error; /* reported while connecting; the application may have taken it from the socket since */
	__u32 reserved0;
	__u8 prefix[2][16]; /* first bytes per direction while the protocol is undetermined */
	__u8 prefix_length[2];
	__u8 attempts; /* calls whose bytes fitted no protocol */
	__u8 calls; /* payload calls told, up to 255 */
	__u8 reserved[4];
	char comm[16];
	__u64 peer; /* Unix: struct sock of the other end */
	__u64 moved[2]; /* Unix: payload sent and received */
};

/* key: address of struct sock. value: struct conn. bound: --max-conns; entries leave with the socket. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, __u64);
	__type(value, struct conn);
} conns __weak SEC(".maps");

/* What we know of a listener. */
struct followed_listener {
	struct rw_tuple tuple;
	__u32 netns;
	__u32 tgid;
	__u64 drops; /* of its socket, as told so far */
};

/* key: address of struct sock. value: struct followed_listener. bound: 8192, more are not followed; entries leave with LISTEN. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, __u64);
	__type(value, struct followed_listener);
} listeners __weak SEC(".maps");

/* Frames RW_FRAME_CONN, _PROCESS, _LISTENER. bound: --control-ring bytes. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} control_ring __weak SEC(".maps");

/* Frames RW_FRAME_DATA: a burst of these cannot cost a control event. bound: --data-ring bytes. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 8 << 20);
} data_ring __weak SEC(".maps");

struct counters {
	__u64 control_events;
	__u64 data_events;
	__u64 lost_control;
	__u64 lost_data;
	__u64 lost_conns;
	__u64 lost_flows;
	__u64 lost_stash;
	__u64 faults;
	__u64 unknown_calls;
	__u64 unknown_bytes;
	__u64 shed_calls;
	__u64 next_conn; /* numbers connections of this CPU */
};

/* key: 0. value: totals of one CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct counters);
} counters __weak SEC(".maps");

/* key: inode of a network namespace to watch. value: 1. Used when filter_netns. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, __u8);
} netns_filter __weak SEC(".maps");

/* key: port. value: 1 = capture payload, 2 = do not. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u16);
	__type(value, __u8);
} port_filter __weak SEC(".maps");

/* key: process whose connections are not followed (the collector itself). value: 1. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, __u8);
} excluded_tgids __weak SEC(".maps");

/* What sys_enter leaves for sys_exit of the same thread. */
struct stash {
	__u64 enter_ns;
	__u64 sk;
	__u64 buffer; /* payload, struct iovec *, struct msghdr *, struct mmsghdr * or struct sockaddr *, by op */
	__u64 count; /* bytes, iovecs or messages */
	__u64 name; /* struct sockaddr * of sendto and recvfrom on datagram sockets */
	__u32 stream_seq;
	__u8 op;
	__u8 failed; /* connect: the socket went back to CLOSE inside this call without an error of its own */
	__u8 datagram; /* enum dns_ports; 0: not a datagram socket's */
	__u8 is_late; /* datagrams are told when the call has ended: it gives the socket its port */
};

/* key: thread. value: struct stash. bound: one per thread; leaves with the thread. */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct stash);
} stashes __weak SEC(".maps");

static __always_inline struct counters *counters_of_cpu(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&counters, &zero);
}

#define COUNT(field, n)                                  \
	({                                               \
		struct counters *__c = counters_of_cpu(); \
		if (__c)                                 \
			__c->field += (n);               \
	})

static __always_inline bool netns_wanted(__u32 netns)
{
	return !filter_netns || bpf_map_lookup_elem(&netns_filter, &netns) != NULL;
}

static __always_inline bool tgid_excluded(__u32 tgid)
{
	return bpf_map_lookup_elem(&excluded_tgids, &tgid) != NULL;
}

static __always_inline void frame_header(struct rw_frame *frame, __u32 length, __u16 type)
{
	frame->length = length;
	frame->type = type;
	frame->reserved = 0;
}

#endif
