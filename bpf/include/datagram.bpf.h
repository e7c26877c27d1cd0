/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Datagrams of DNS: every message to or from port 53 over UDP, and what the kernel says when no answer will come.
 *
 * Sent messages are told when the call begins, so that they come before their answers (a socket's first one, if it has no
 * port yet, when it ends); received ones when it ends. Not seen: what is read without its sender's address from a socket
 * that is not connected, and of a message in several pieces all but the first.
 */
#ifndef ROOTWALK_DATAGRAM_BPF_H
#define ROOTWALK_DATAGRAM_BPF_H

#include "conn.bpf.h"
#include "datagram_address.bpf.h"
#include "syscall.bpf.h"

/* Of one call: a resolver sends the questions for both kinds of addresses at once. */
#define MAX_DATAGRAMS 4
#define EPERM 1
#define EACCES 13

struct datagram_record {
	struct rw_datagram_event event;
	__u8 payload[RW_DATAGRAM_MAX];
};

enum dns_ports {
	DNS_NEITHER = 0,
	DNS_UNCONNECTED = 1, /* the message's address tells */
	DNS_EITHER = 2,
};

static __always_inline enum dns_ports dns_ports(const struct sock *sk)
{
	__u16 remote = BPF_CORE_READ(sk, __sk_common.skc_dport);

	if (remote == bpf_htons(DNS_PORT) || BPF_CORE_READ(sk, __sk_common.skc_num) == DNS_PORT)
		return DNS_EITHER;
	return remote == 0 ? DNS_UNCONNECTED : DNS_NEITHER;
}

/* False: not of wanted ports. */
static __always_inline bool fill_tuple(struct rw_tuple *tuple, const struct datagram *datagram)
{
	__builtin_memset(tuple, 0, sizeof(*tuple));
	read_tuple(tuple, (struct sock *)datagram->sk);
	if (tuple->remote_port == 0)
		read_remote(tuple, datagram->name);
	if (datagram->direction == RW_SEND)
		read_source(tuple, datagram);
	if (tuple->remote_port == 0 || (tuple->remote_port != DNS_PORT && tuple->local_port != DNS_PORT))
		return false;
	tuple->protocol = RW_PROTO_DNS;
	if (tuple->remote_port != tuple->local_port)
		tuple->role = tuple->remote_port == DNS_PORT ? RW_ROLE_CLIENT : RW_ROLE_SERVER;
	return ports_wanted(tuple);
}

static __always_inline void fill_event(struct rw_datagram_event *event, const struct datagram *datagram, __u32 netns)
{
	__u64 pid_tgid = bpf_get_current_pid_tgid();

	event->ts_ns = datagram->ts_ns;
	event->cgroup_id = bpf_get_current_cgroup_id();
	event->netns = netns;
	event->tgid = pid_tgid >> 32;
	event->tid = (__u32)pid_tgid;
	event->full_length = datagram->full_length;
	event->error = datagram->error;
	event->direction = datagram->direction;
	__builtin_memset(event->reserved, 0, sizeof(event->reserved));
	bpf_get_current_comm(event->comm, sizeof(event->comm));
}

/*
 * Not static, as those below: verified once, not per call. The stacks of all functions on the way here count together
 * (512 bytes): what is filled in stands in the ring, not on the stack.
 */
__noinline int tell_datagram(struct datagram *datagram)
{
	struct datagram_record *record;
	__u64 captured;
	__u32 netns;

	if (!datagram)
		return 0;
	netns = netns_of_sock((struct sock *)datagram->sk);
	if (!netns_wanted(netns) || tgid_excluded(bpf_get_current_pid_tgid() >> 32))
		return 0;
	if (capture_paused) {
		COUNT(shed_calls, 1);
		return 0;
	}
	record = bpf_ringbuf_reserve(&data_ring, sizeof(*record), 0);
	if (!record) {
		COUNT(lost_data, 1);
		return 0;
	}
	if (!fill_tuple(&record->event.tuple, datagram))
		goto discard;
	fill_event(&record->event, datagram, netns);
	captured = datagram->captured;
	if (captured > RW_DATAGRAM_MAX)
		captured = RW_DATAGRAM_MAX;
	if (captured > 0 && bpf_probe_read_user(record->payload, captured, (void *)datagram->payload)) {
		COUNT(faults, 1);
		goto discard;
	}
	frame_header(&record->event.frame, sizeof(record->event) + captured, RW_FRAME_DATAGRAM);
	bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
	COUNT(data_events, 1);
	return 0;
discard:
	bpf_ringbuf_discard(record, BPF_RB_NO_WAKEUP);
	return 0;
}

/* Payload in an iovec array: its first piece. */
static __always_inline bool read_iovec(struct datagram *datagram, __u64 iov, __u64 iov_count)
{
	struct user_iovec part = {};

	if (iov_count == 0 || bpf_probe_read_user(&part, sizeof(part), (void *)iov)) {
		COUNT(faults, 1);
		return false;
	}
	if (datagram->direction == RW_SEND)
		datagram->full_length = part.length;
	datagram->payload = part.base;
	datagram->captured = part.length < datagram->full_length ? part.length : datagram->full_length;
	return true;
}

/* One struct msghdr or struct mmsghdr. Returns whether it could be read. */
__noinline int read_message(struct datagram *datagram, __u64 at)
{
	struct user_message message = {};

	if (!datagram)
		return 0;
	if (bpf_probe_read_user(&message, offsetof(struct user_message, message_length), (void *)at)) {
		COUNT(faults, 1);
		return 0;
	}
	datagram->name = message.name;
	datagram->control = message.control;
	datagram->control_length = message.control_length;
	return read_iovec(datagram, message.iov, message.iov_count);
}

static __always_inline void tell_messages(struct datagram *datagram, __u64 messages, __u64 count)
{
	for (int i = 0; i < MAX_DATAGRAMS; i++) {
		__u64 at = messages + i * sizeof(struct user_message);
		__u32 length = 0;

		if (i >= count)
			return;
		if (datagram->direction == RW_RECV)
			bpf_probe_read_user(&length, sizeof(length),
					    (void *)(at + offsetof(struct user_message, message_length)));
		datagram->full_length = length;
		if (read_message(datagram, at))
			tell_datagram(datagram);
	}
	if (count > MAX_DATAGRAMS)
		COUNT(lost_data, count - MAX_DATAGRAMS);
}

/* The messages of a call that is about to send, or has received. */
__noinline int tell_call(struct stash *stash, __u64 op, __u64 moved)
{
	struct datagram datagram = {};

	if (!stash)
		return 0;
	datagram.sk = stash->sk;
	datagram.direction = is_send(op) ? RW_SEND : RW_RECV;
	datagram.ts_ns = datagram.direction == RW_SEND ? stash->enter_ns : bpf_ktime_get_ns();
	datagram.full_length = moved;
	switch (op) {
	case RW_OP_READ:
	case RW_OP_WRITE:
	case RW_OP_RECVFROM:
	case RW_OP_SENDTO:
		datagram.name = stash->name;
		datagram.payload = stash->buffer;
		datagram.captured = moved < stash->count ? moved : stash->count;
		tell_datagram(&datagram);
		break;
	case RW_OP_READV:
	case RW_OP_WRITEV:
		if (read_iovec(&datagram, stash->buffer, stash->count))
			tell_datagram(&datagram);
		break;
	case RW_OP_RECVMSG:
	case RW_OP_SENDMSG:
		if (read_message(&datagram, stash->buffer))
			tell_datagram(&datagram);
		break;
	case RW_OP_RECVMMSG:
	case RW_OP_SENDMMSG:
		tell_messages(&datagram, stash->buffer, moved);
		break;
	}
	return 0;
}

static __always_inline bool has_messages(__u8 op)
{
	return op == RW_OP_SENDMSG || op == RW_OP_SENDMMSG || op == RW_OP_RECVMSG || op == RW_OP_RECVMMSG;
}

/* Where a call says whom it sends to, or has received from. `name` is the argument of sendto and recvfrom. */
static __always_inline __u64 name_of(__u8 op, __u64 buffer, __u64 name)
{
	if (has_messages(op) && bpf_probe_read_user(&name, sizeof(name), (void *)buffer))
		return 0;
	return name;
}

/* Whether a socket without another end is about to ask a server, or may be about to read an answer. */
static __always_inline bool may_name_dns(struct pt_regs *regs, __u8 op)
{
	switch (op) {
	case RW_OP_SENDTO:
	case RW_OP_SENDMSG:
	case RW_OP_SENDMMSG:
		return names_dns(name_of(op, syscall_arg(regs, 1), syscall_arg(regs, 4)));
	case RW_OP_RECVFROM:
		return syscall_arg(regs, 4) != 0;
	case RW_OP_RECVMSG:
	case RW_OP_RECVMMSG:
		return true;
	default:
		return false;
	}
}

/* Apart from the way of all other calls, which stays as short as it is. */
static __noinline int enter_datagram(struct task_struct *task, const struct sock *sk, struct pt_regs *regs, __u8 op)
{
	enum dns_ports ports = dns_ports(sk);
	struct stash *stash;

	if (op == RW_OP_CONNECT || op == RW_OP_SENDFILE || op == RW_OP_SPLICE || ports == DNS_NEITHER)
		return 0;
	if (ports == DNS_UNCONNECTED && !may_name_dns(regs, op))
		return 0;
	stash = bpf_task_storage_get(&stashes, task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!stash) {
		COUNT(lost_stash, 1);
		return 0;
	}
	stash->enter_ns = bpf_ktime_get_ns();
	stash->sk = (__u64)sk;
	stash->buffer = syscall_arg(regs, 1);
	stash->count = syscall_arg(regs, 2);
	stash->name = op == RW_OP_SENDTO || op == RW_OP_RECVFROM ? syscall_arg(regs, 4) : 0;
	stash->datagram = ports;
	stash->is_late = is_send(op) && BPF_CORE_READ(sk, __sk_common.skc_num) == 0;
	stash->op = op;
	if (is_send(op) && !stash->is_late)
		tell_call(stash, op, stash->count);
	return 0;
}

/* There will be no answer: nobody is there, there is no way, or it is forbidden. */
static __always_inline bool is_final(long error)
{
	switch (error) {
	case EPERM:
	case EACCES:
	case ENETDOWN:
	case ENETUNREACH:
	case ECONNREFUSED:
	case EHOSTDOWN:
	case EHOSTUNREACH:
		return true;
	default:
		return false;
	}
}

__noinline int tell_error(struct stash *stash, __u64 op, __u64 error)
{
	struct datagram datagram = {};

	if (!stash)
		return 0;
	datagram.sk = stash->sk;
	datagram.ts_ns = bpf_ktime_get_ns();
	datagram.direction = is_send(op) ? RW_SEND : RW_RECV;
	datagram.error = error;
	/* What a message names is not filled in when nothing was received. */
	if (is_send(op))
		datagram.name = name_of(op, stash->buffer, stash->name);
	tell_datagram(&datagram);
	return 0;
}

static __noinline int exit_datagram(struct stash *stash, __u8 op, long result)
{
	bool is_sent = is_send(op);

	if (stash->is_late)
		tell_call(stash, op, stash->count);
	if (result > 0) {
		if (!is_sent && (stash->datagram == DNS_EITHER || names_dns(name_of(op, stash->buffer, stash->name))))
			tell_call(stash, op, result);
		return 0;
	}
	/* Only a connected socket reads errors. */
	if (is_final(-result) && (is_sent || stash->datagram == DNS_EITHER))
		tell_error(stash, op, -result);
	return 0;
}

#endif
