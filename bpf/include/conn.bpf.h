/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Connections: find, create, name their owner, tell about them. */
#ifndef ROOTWALK_CONN_BPF_H
#define ROOTWALK_CONN_BPF_H

#include "sock.bpf.h"
#include "unix.bpf.h"

#define TCP_CHRONO_RWND_LIMITED 2

#define ENETDOWN 100
#define ENETUNREACH 101
#define ECONNABORTED 103
#define ECONNRESET 104
#define ETIMEDOUT 110
#define ECONNREFUSED 111
#define EHOSTDOWN 112
#define EHOSTUNREACH 113
#define EADDRNOTAVAIL 99
#define EPIPE 32
#define ENOENT 2

static const struct conn empty_conn = {};

static __always_inline struct conn *find_conn(const struct sock *sk)
{
	__u64 key = (__u64)sk;

	return bpf_map_lookup_elem(&conns, &key);
}

static __always_inline void forget_conn(const struct sock *sk)
{
	__u64 key = (__u64)sk;

	bpf_map_delete_elem(&conns, &key);
}

/* From now on the losses of a listener are told; what it lost before is not. */
static __always_inline void follow_listener(const struct sock *sk, __u32 netns, __u32 tgid)
{
	__u64 key = (__u64)sk;
	struct followed_listener listener = {};

	read_tuple(&listener.tuple, sk);
	listener.netns = netns;
	listener.tgid = tgid;
	listener.drops = (__u32)BPF_CORE_READ(sk, sk_drops.counter);
	bpf_map_update_elem(&listeners, &key, &listener, BPF_ANY);
}

static __always_inline void forget_listener(const struct sock *sk)
{
	__u64 key = (__u64)sk;

	bpf_map_delete_elem(&listeners, &key);
}

static __always_inline __u64 next_conn_id(void)
{
	struct counters *c = counters_of_cpu();

	if (!c)
		return 0;
	c->next_conn++;
	return c->next_conn << 12 | (bpf_get_smp_processor_id() & 0xfff);
}

static __always_inline __u8 port_verdict(__u16 port)
{
	__u8 *verdict = bpf_map_lookup_elem(&port_filter, &port);

	return verdict ? *verdict : 0;
}

static __always_inline bool ports_wanted(const struct rw_tuple *tuple)
{
	if (!filter_ports_include && !filter_ports_exclude)
		return true;
	__u8 local = port_verdict(tuple->local_port), remote = port_verdict(tuple->remote_port);

	if (local == 2 || remote == 2)
		return false;
	return !filter_ports_include || local == 1 || remote == 1;
}

/* A new entry for a socket of a wanted namespace, NULL otherwise or when the map is full. */
static __noinline struct conn *create_conn(const struct sock *sk, __u8 role, __u32 flags)
{
	__u64 key = (__u64)sk;
	__u32 netns = netns_of_sock(sk);
	struct conn *conn;

	if (!netns_wanted(netns))
		return NULL;
	bpf_map_update_elem(&conns, &key, &empty_conn, BPF_ANY);
	conn = bpf_map_lookup_elem(&conns, &key);
	if (!conn) {
		COUNT(lost_conns, 1);
		return NULL;
	}
	conn->id = next_conn_id();
	conn->start_ns = bpf_ktime_get_ns();
	conn->netns = netns;
	conn->flags = flags;
	conn->tuple.role = role;
	if (flags & CONN_UNIX) {
		conn->peer = (__u64)unix_peer(sk);
		read_unix_tuple(&conn->tuple, sk, (const struct sock *)conn->peer, netns);
	} else {
		read_tuple(&conn->tuple, sk);
	}
	if (!ports_wanted(&conn->tuple))
		conn->tuple.protocol = RW_PROTO_EXCLUDED;
	return conn;
}

/* The current process becomes the connection's owner. */
static __always_inline void own_conn(struct conn *conn)
{
	__u64 pid_tgid = bpf_get_current_pid_tgid();

	conn->tgid = pid_tgid >> 32;
	conn->tid = (__u32)pid_tgid;
	conn->cgroup_id = bpf_get_current_cgroup_id();
	bpf_get_current_comm(conn->comm, sizeof(conn->comm));
	if (tgid_excluded(conn->tgid)) {
		conn->tuple.protocol = RW_PROTO_EXCLUDED;
		conn->flags |= CONN_SILENT;
	}
}

static __always_inline void read_totals(struct rw_tcp_totals *totals, const struct sock *sk, struct conn *conn)
{
	const struct tcp_sock *tp = (const struct tcp_sock *)sk;
	__u64 sent, again;
	__u32 last_rtt_us;

	if (is_unix(&conn->tuple)) {
		__builtin_memset(totals, 0, sizeof(*totals));
		totals->bytes_sent = conn->moved[0];
		totals->bytes_received = conn->moved[1];
		totals->last_rtt_us = RW_UNKNOWN_U32;
		totals->rwnd_limited_ms = RW_UNKNOWN_U32;
		return;
	}
	sent = BPF_CORE_READ(tp, bytes_sent);
	again = BPF_CORE_READ(tp, bytes_retrans);
	totals->bytes_sent = sent > again ? sent - again : 0;
	totals->bytes_received = BPF_CORE_READ(tp, bytes_received);
	totals->segs_out = BPF_CORE_READ(tp, segs_out);
	totals->segs_in = BPF_CORE_READ(tp, segs_in);
	totals->retransmits = conn->retransmits;
	totals->total_retransmits = BPF_CORE_READ(tp, total_retrans);
	totals->srtt_us = BPF_CORE_READ(tp, srtt_us) >> 3;
	/* Not tp->rtt_min: that is the smallest of five minutes, so a path that got longer would not show. */
	last_rtt_us = BPF_CORE_READ(tp, rack.rtt_us);
	totals->last_rtt_us = last_rtt_us > 0 ? last_rtt_us : RW_UNKNOWN_U32;
	totals->resets_sent = conn->resets_sent;
	totals->resets_received = conn->resets_received;
	totals->rwnd_limited_ms = RW_UNKNOWN_U32;
	if (targ_hz > 0) {
		__u64 jiffies = BPF_CORE_READ(tp, chrono_stat[TCP_CHRONO_RWND_LIMITED - 1]);

		if (BPF_CORE_READ_BITFIELD_PROBED(tp, chrono_type) == TCP_CHRONO_RWND_LIMITED)
			jiffies += (__u32)bpf_jiffies64() - BPF_CORE_READ(tp, chrono_start);
		totals->rwnd_limited_ms = jiffies * 1000 / targ_hz;
	}
	totals->snd_wnd = BPF_CORE_READ(tp, snd_wnd);
	totals->rcv_wnd = BPF_CORE_READ(tp, rcv_wnd);
	totals->unread_bytes = BPF_CORE_READ(tp, rcv_nxt) - BPF_CORE_READ(tp, copied_seq);
	totals->unsent_bytes = BPF_CORE_READ(tp, write_seq) - BPF_CORE_READ(tp, snd_nxt);
	/* The kernel counts the FIN as a byte received and, until end of file is read, as one in the queue. */
	if (BPF_CORE_READ(sk, __sk_common.skc_flags) & (1ul << bpf_core_enum_value(enum sock_flags, SOCK_DONE))) {
		if (totals->bytes_received > 0)
			totals->bytes_received--;
		if (totals->unread_bytes > 0)
			totals->unread_bytes--;
	}
	totals->unknown_bytes = 0;
	if (conn->tuple.protocol >= RW_PROTO_OTHER && conn->tuple.protocol != RW_PROTO_EXCLUDED) {
		__u64 unknown = totals->bytes_sent + totals->bytes_received;

		totals->unknown_bytes = unknown;
		if (unknown > conn->unknown_seen)
			COUNT(unknown_bytes, unknown - conn->unknown_seen);
		conn->unknown_seen = unknown;
	}
}

static __always_inline __u8 reason_of_error(__s32 error, __u8 without_error)
{
	switch (error) {
	case 0:
		return without_error;
	case ECONNREFUSED:
		return RW_REASON_REFUSED;
	case ETIMEDOUT:
		return RW_REASON_TIMED_OUT;
	case ENETDOWN:
	case ENETUNREACH:
	case EHOSTDOWN:
	case EHOSTUNREACH:
		return RW_REASON_UNREACHABLE;
	case ECONNRESET:
	case EPIPE:
		return RW_REASON_RESET;
	case EADDRNOTAVAIL:
		return RW_REASON_NO_PORT;
	case ENOENT: /* Unix: the socket was removed */
		return RW_REASON_REFUSED;
	default:
		return RW_REASON_OTHER;
	}
}

static __always_inline void fill_conn_event(struct rw_conn_event *event, const struct sock *sk, struct conn *conn,
					    __u8 kind, __u8 reason, __s32 error)
{
	frame_header(&event->frame, sizeof(*event), RW_FRAME_CONN);
	event->ts_ns = bpf_ktime_get_ns();
	event->conn_id = conn->id;
	event->start_ns = conn->start_ns;
	event->connect_ns = conn->connect_ns;
	event->cgroup_id = conn->cgroup_id;
	event->tuple = conn->tuple;
	event->netns = conn->netns;
	event->tgid = conn->tgid;
	event->tid = conn->tid;
	event->error = error;
	event->syn_retransmits = conn->syn_retransmits;
	event->kind = kind;
	event->reason = reason;
	event->reserved[0] = 0;
	event->reserved[1] = 0;
	__builtin_memcpy(event->comm, conn->comm, sizeof(event->comm));
	read_totals(&event->totals, sk, conn);
	event->left_ns = conn->left_ns;
}

static __noinline int send_conn(const struct sock *sk, struct conn *conn, __u8 kind, __u8 reason, __s32 error)
{
	struct rw_conn_event *event;

	if (!conn || (conn->flags & CONN_SILENT))
		return 0;
	event = bpf_ringbuf_reserve(&control_ring, sizeof(*event), 0);
	if (!event) {
		COUNT(lost_control, 1);
		return 0;
	}
	fill_conn_event(event, sk, conn, kind, reason, error);
	bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);
	COUNT(control_events, 1);
	return 0;
}

/* A socket met in the middle of its life, in the context of a process that uses it when `owned`. */
static __always_inline struct conn *discover_conn(const struct sock *sk, bool owned)
{
	__u8 state = BPF_CORE_READ(sk, __sk_common.skc_state);
	struct conn *conn;

	/* Not yet or no more a connection: SYN_SENT, listeners and closed sockets have their own hooks. */
	if (state == TCP_CLOSE || state == TCP_LISTEN || state == TCP_SYN_SENT || state == TCP_NEW_SYN_RECV)
		return NULL;
	conn = create_conn(sk, RW_ROLE_UNKNOWN, CONN_ESTABLISHED | CONN_OPENED_SENT);
	if (!conn)
		return NULL;
	if (owned)
		own_conn(conn);
	send_conn(sk, conn, RW_CONN_DISCOVERED, RW_REASON_NONE, 0);
	return conn;
}

/* Its socket is gone, or another's. When the other end still lives, this one left first. */
static __always_inline void note_unix_end(struct conn *conn)
{
	struct sock *peer = (struct sock *)conn->peer;
	struct conn *other = find_conn(peer);

	if (other && unix_lives(peer, other))
		conn->left_ns = bpf_ktime_get_ns();
}

#endif
