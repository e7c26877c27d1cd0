/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Iterators the loader reads; they write whole frames.
 *
 * list_sockets (iter/task_file), once at the start: connections and listeners that existed before, with their owners,
 * in all namespaces. list_conns (iter/bpf_map_elem over conns), every interval: RW_FRAME_CONN_STATS of each connection
 * that changed, and of every one each 12th interval; RW_FRAME_CONN of each Unix connection that is over. list_listeners
 * (iter/bpf_map_elem over listeners), every interval: RW_FRAME_LISTENER_STATS of each listener that lost connections. What it counts is sk_drops of the listening socket, which
 * tcp_listendrop() raises with TcpExtListenDrops: a full accept queue (TcpExtListenOverflows) and, seldom, no memory or a
 * full SYN queue without cookies.
 */
#include "conn.bpf.h"

#define QUIET_INTERVALS 12

/* Connections list_conns came across; the loader sets it to zero before it reads. */
volatile __u32 conns_listed = 0;

static __always_inline void fill_owner(struct conn *conn, struct task_struct *task)
{
	conn->tgid = BPF_CORE_READ(task, tgid);
	conn->tid = BPF_CORE_READ(task, pid);
	conn->cgroup_id = BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, id);
	BPF_CORE_READ_STR_INTO(&conn->comm, task, group_leader, comm);
}

static __always_inline void list_listener(struct seq_file *seq, struct task_struct *task, const struct sock *sk)
{
	struct rw_listener_event event = {};

	event.netns = netns_of_sock(sk);
	if (!netns_wanted(event.netns))
		return;
	frame_header(&event.frame, sizeof(event), RW_FRAME_LISTENER);
	event.ts_ns = bpf_ktime_get_ns();
	event.cgroup_id = BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, id);
	read_tuple(&event.tuple, sk);
	event.tgid = BPF_CORE_READ(task, tgid);
	event.backlog = BPF_CORE_READ(sk, sk_max_ack_backlog);
	event.kind = RW_LISTENER_DISCOVERED;
	follow_listener(sk, event.netns, event.tgid);
	BPF_CORE_READ_STR_INTO(&event.comm, task, group_leader, comm);
	bpf_seq_write(seq, &event, sizeof(event));
}

SEC("iter/task_file")
int list_sockets(struct bpf_iter__task_file *ctx)
{
	struct seq_file *seq = ctx->meta->seq;
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct rw_conn_event event = {};
	struct conn *conn;
	struct sock *sk, *inner;
	__u8 state;

	if (!task || !file || !is_socket(file))
		return 0;
	sk = sock_of_file(file);
	if (!sk)
		return 0;
	inner = first_of_mptcp(sk);
	if (inner)
		sk = inner;
	if (!is_tcp(sk) || tgid_excluded(BPF_CORE_READ(task, tgid)))
		return 0;
	state = BPF_CORE_READ(sk, __sk_common.skc_state);
	if (state == TCP_LISTEN) {
		list_listener(seq, task, sk);
		return 0;
	}
	if (state == TCP_CLOSE || state == TCP_SYN_SENT || state == TCP_NEW_SYN_RECV)
		return 0;
	conn = find_conn(sk);
	if (!conn)
		conn = create_conn(sk, RW_ROLE_UNKNOWN, CONN_ESTABLISHED);
	/* Shared by several processes, or told by another hook meanwhile: once is enough. */
	if (!conn || (conn->flags & CONN_OPENED_SENT))
		return 0;
	conn->flags |= CONN_OPENED_SENT;
	fill_owner(conn, task);
	fill_conn_event(&event, sk, conn, RW_CONN_DISCOVERED, RW_REASON_NONE, 0);
	bpf_seq_write(seq, &event, sizeof(event));
	return 0;
}

SEC("iter/bpf_map_elem")
int list_listeners(struct bpf_iter__bpf_map_elem *ctx)
{
	struct seq_file *seq = ctx->meta->seq;
	struct rw_listener_stats event = {};
	struct followed_listener *listener;
	struct sock *sk;
	const __u64 *key = ctx->key;
	__u64 address, drops;

	if (!key)
		return 0;
	address = *key;
	sk = (struct sock *)address;
	listener = bpf_map_lookup_elem(&listeners, &address);
	if (!listener || BPF_CORE_READ(sk, __sk_common.skc_state) != TCP_LISTEN)
		return 0;
	drops = (__u32)BPF_CORE_READ(sk, sk_drops.counter);
	if (drops == listener->drops)
		return 0;
	event.drops = (__u32)(drops - listener->drops);
	listener->drops = drops;
	frame_header(&event.frame, sizeof(event), RW_FRAME_LISTENER_STATS);
	event.ts_ns = bpf_ktime_get_ns();
	event.tuple = listener->tuple;
	event.netns = listener->netns;
	event.tgid = listener->tgid;
	event.queue = BPF_CORE_READ(sk, sk_ack_backlog);
	event.backlog = BPF_CORE_READ(sk, sk_max_ack_backlog);
	bpf_seq_write(seq, &event, sizeof(event));
	return 0;
}

/* The end of a Unix connection whose socket is gone. */
static __noinline int sweep_unix(struct seq_file *seq, const struct sock *sk, struct conn *conn)
{
	struct rw_conn_event event = {};

	if (!seq || !conn)
		return 0;
	if (conn->flags & CONN_OPENED_SENT) {
		note_unix_end(conn);
		fill_conn_event(&event, sk, conn, RW_CONN_CLOSED, RW_REASON_NONE, 0);
		if (bpf_seq_write(seq, &event, sizeof(event)))
			return 0; /* no room: asked for again */
	}
	forget_conn(sk);
	return 0;
}

SEC("iter/bpf_map_elem")
int list_conns(struct bpf_iter__bpf_map_elem *ctx)
{
	struct seq_file *seq = ctx->meta->seq;
	struct rw_conn_stats event = {};
	struct conn *conn;
	struct sock *sk;
	const __u64 *key = ctx->key;
	__u32 segs;

	if (!key)
		return 0;
	sk = (struct sock *)*key;
	conn = find_conn(sk);
	if (conn && (conn->flags & CONN_UNIX)) {
		if (!unix_lives(sk, conn)) {
			sweep_unix(seq, sk, conn);
			return 0;
		}
		if (!(conn->flags & CONN_OPENED_SENT))
			return 0;
	}
	if (!conn || (conn->flags & (CONN_CLOSED_SENT | CONN_SILENT)))
		return 0;
	conns_listed++;
	frame_header(&event.frame, sizeof(event), RW_FRAME_CONN_STATS);
	event.state = BPF_CORE_READ(sk, __sk_common.skc_state);
	read_totals(&event.totals, sk, conn);
	segs = event.totals.segs_in + event.totals.segs_out + event.totals.total_retransmits;
	if (conn->flags & CONN_UNIX)
		segs = conn->moved[0] + conn->moved[1];
	if (segs == conn->segs_reported && ++conn->quiet < QUIET_INTERVALS)
		return 0;
	conn->segs_reported = segs;
	conn->quiet = 0;
	/* A connect's local port is chosen after its state changed; one that blocks returns only when it has failed. */
	if (conn->tuple.local_port == 0 && !(conn->flags & CONN_UNIX))
		read_tuple(&conn->tuple, sk);
	event.ts_ns = bpf_ktime_get_ns();
	event.conn_id = conn->id;
	event.tuple = conn->tuple;
	event.netns = conn->netns;
	event.tgid = conn->tgid;
	bpf_seq_write(seq, &event, sizeof(event));
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
