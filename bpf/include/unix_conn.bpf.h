/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Unix connections: met, told, ended. */
#ifndef ROOTWALK_UNIX_CONN_BPF_H
#define ROOTWALK_UNIX_CONN_BPF_H

#include "conn.bpf.h"

/* The listener of a Unix connection, once. */
static __noinline int tell_unix_listener(const struct sock *sk, struct conn *conn)
{
	struct rw_listener_event *event;
	struct unix_id id = {};
	__u64 pid_tgid = bpf_get_current_pid_tgid();
	__u32 owner;
	__u8 one = 1;
	bool serves;

	if (!conn)
		return 0;
	serves = conn->tuple.role == RW_ROLE_SERVER;
	__builtin_memcpy(&id, serves ? conn->tuple.local_addr : conn->tuple.remote_addr, sizeof(id));
	if (bpf_map_lookup_elem(&unix_told, &id))
		return 0;
	owner = unix_peer_tgid(serves ? (const struct sock *)conn->peer : sk);
	/* Sockets that systemd made belong to who answers there. */
	if (owner <= 1) {
		if (!serves)
			return 0;
		owner = pid_tgid >> 32;
	}
	event = bpf_ringbuf_reserve(&control_ring, sizeof(*event), 0);
	if (!event) {
		COUNT(lost_control, 1);
		return 0;
	}
	__builtin_memset(event, 0, sizeof(*event));
	frame_header(&event->frame, sizeof(*event), RW_FRAME_LISTENER);
	event->ts_ns = bpf_ktime_get_ns();
	event->tuple.family = RW_FAMILY_UNIX;
	event->tuple.role = RW_ROLE_SERVER;
	__builtin_memcpy(event->tuple.local_addr, &id, sizeof(id));
	event->netns = conn->netns;
	event->tgid = owner;
	event->kind = RW_LISTENER_DISCOVERED;
	if (serves) {
		event->cgroup_id = conn->cgroup_id;
		__builtin_memcpy(event->comm, conn->comm, sizeof(event->comm));
	}
	bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);
	COUNT(control_events, 1);
	bpf_map_update_elem(&unix_told, &id, &one, BPF_ANY);
	return 0;
}

/* Its bytes are of a protocol that is parsed: it is told, and its listener before it. */
static __always_inline void tell_unix(const struct sock *sk, struct conn *conn)
{
	if (conn->flags & (CONN_OPENED_SENT | CONN_SILENT))
		return;
	conn->flags |= CONN_OPENED_SENT;
	tell_unix_listener(sk, conn);
	send_conn(sk, conn, conn->flags & CONN_FRESH ? RW_CONN_OPENED : RW_CONN_DISCOVERED, RW_REASON_NONE, 0);
}

static __noinline int end_unix(const struct sock *sk, struct conn *conn)
{
	if (!conn)
		return 0;
	note_unix_end(conn);
	if (conn->flags & CONN_OPENED_SENT)
		send_conn(sk, conn, RW_CONN_CLOSED, RW_REASON_NONE, 0);
	forget_conn(sk);
	return 0;
}

/* A connected Unix socket of a process that has it just now, or uses it (`role` unknown). Pairs without a name are left alone. */
static __noinline struct conn *meet_unix(const struct sock *sk, __u32 role)
{
	struct conn *conn = find_conn(sk);
	const struct sock *peer = unix_peer(sk);
	__u32 flags = CONN_UNIX | CONN_ESTABLISHED;

	if (conn)
		end_unix(sk, conn);
	if (!peer || BPF_CORE_READ(sk, __sk_common.skc_state) != TCP_ESTABLISHED)
		return NULL;
	if (role != RW_ROLE_UNKNOWN)
		flags |= CONN_FRESH;
	else if (is_bound(sk) != is_bound(peer))
		role = is_bound(sk) ? RW_ROLE_SERVER : RW_ROLE_CLIENT;
	conn = create_conn(sk, role, flags);
	if (!conn)
		return NULL;
	if (role == RW_ROLE_UNKNOWN)
		conn->tuple.protocol = RW_PROTO_EXCLUDED;
	own_conn(conn);
	return conn;
}

#endif
