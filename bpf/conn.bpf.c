/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Life of TCP connections and listeners.
 *
 * Measured: connect time (SYN to ESTABLISHED), connect failures and their errno, end of connections with totals,
 * listeners opened and closed. From sock:inet_sock_set_state (to SYN_SENT ... to CLOSE) and tcp:tcp_destroy_sock.
 * Not seen: connects refused before a SYN (sys_exit of connect tells those, l7.bpf.c), half-open requests of a listener,
 * MPTCP and other protocols on top of struct sock.
 *
 * A connection that ends with an error is told at once, when it goes to CLOSE; one that ends in order is told when its
 * socket is destroyed, because its process may still read what has arrived. When a process let go of it first is told
 * then, too: the other end's kernel may take its time to say that it knows (40 ms, a delayed acknowledgement).
 */
#include "conn.bpf.h"

#define SHUTDOWN_MASK 3 /* RCV_SHUTDOWN | SEND_SHUTDOWN, include/net/sock.h */

/* True when sys_exit of the connect now running will tell the errno. */
static __always_inline bool connect_will_tell(const struct sock *sk)
{
	struct stash *stash = bpf_task_storage_get(&stashes, bpf_get_current_task_btf(), NULL, 0);

	if (!stash || stash->op != RW_OP_CONNECT || stash->sk != (__u64)sk)
		return false;
	stash->failed = 1;
	return true;
}

static __always_inline void send_listener(const struct sock *sk, __u8 kind)
{
	__u64 pid_tgid = bpf_get_current_pid_tgid();
	struct rw_listener_event *event;
	__u32 netns = netns_of_sock(sk);

	if (!netns_wanted(netns) || tgid_excluded(pid_tgid >> 32))
		return;
	event = bpf_ringbuf_reserve(&control_ring, sizeof(*event), 0);
	if (!event) {
		COUNT(lost_control, 1);
		return;
	}
	__builtin_memset(event, 0, sizeof(*event));
	frame_header(&event->frame, sizeof(*event), RW_FRAME_LISTENER);
	event->ts_ns = bpf_ktime_get_ns();
	event->cgroup_id = bpf_get_current_cgroup_id();
	read_tuple(&event->tuple, sk);
	event->netns = netns;
	event->tgid = pid_tgid >> 32;
	event->backlog = BPF_CORE_READ(sk, sk_max_ack_backlog);
	event->kind = kind;
	bpf_get_current_comm(event->comm, sizeof(event->comm));
	bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);
	COUNT(control_events, 1);
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(inet_sock_set_state, const struct sock *sk, int oldstate, int newstate)
{
	struct conn *conn;
	__s32 error;

	if (!is_tcp(sk))
		return 0;
	if (newstate == TCP_LISTEN) {
		if (netns_wanted(netns_of_sock(sk)))
			follow_listener(sk, netns_of_sock(sk), bpf_get_current_pid_tgid() >> 32);
		send_listener(sk, RW_LISTENER_OPENED);
		return 0;
	}
	if (oldstate == TCP_LISTEN) {
		/* A new connection begins as a copy of its listener: LISTEN to SYN_RECV is not the listener's end. */
		if (newstate == TCP_CLOSE) {
			forget_listener(sk);
			send_listener(sk, RW_LISTENER_CLOSED);
		}
		return 0;
	}
	if (newstate == TCP_SYN_SENT) {
		conn = create_conn(sk, RW_ROLE_CLIENT, CONN_FRESH);
		if (conn)
			own_conn(conn);
		return 0;
	}
	if (newstate == TCP_ESTABLISHED && oldstate == TCP_SYN_RECV) {
		/* No process yet: accept, or the first system call on it, names the owner and tells. */
		create_conn(sk, RW_ROLE_SERVER, CONN_FRESH | CONN_ESTABLISHED);
		return 0;
	}
	if (newstate == TCP_ESTABLISHED && oldstate == TCP_SYN_SENT) {
		conn = find_conn(sk);
		if (!conn)
			return 0;
		read_tuple(&conn->tuple, sk);
		if (!ports_wanted(&conn->tuple))
			conn->tuple.protocol = RW_PROTO_EXCLUDED;
		conn->connect_ns = bpf_ktime_get_ns() - conn->start_ns;
		conn->flags |= CONN_ESTABLISHED | CONN_OPENED_SENT;
		send_conn(sk, conn, RW_CONN_OPENED, RW_REASON_NONE, 0);
		return 0;
	}
	/* Both directions at once: its process reads no more. The socket lives on until the other end says so, too. */
	if (newstate == TCP_FIN_WAIT1 && BPF_CORE_READ(sk, sk_shutdown) == SHUTDOWN_MASK) {
		conn = find_conn(sk);
		if (conn)
			conn->left_ns = bpf_ktime_get_ns();
		return 0;
	}
	if (newstate != TCP_CLOSE)
		return 0;

	conn = find_conn(sk);
	if (!conn)
		return 0;
	error = BPF_CORE_READ(sk, sk_err);
	if (!(conn->flags & CONN_ESTABLISHED)) {
		if (error == 0)
			error = conn->error;
		if (error == 0 && connect_will_tell(sk))
			return 0;
		read_tuple(&conn->tuple, sk);
		conn->connect_ns = bpf_ktime_get_ns() - conn->start_ns;
		conn->flags |= CONN_CLOSED_SENT;
		send_conn(sk, conn, RW_CONN_FAILED, reason_of_error(error, RW_REASON_ABORTED), error);
		return 0;
	}
	if (error != 0) {
		conn->flags |= CONN_CLOSED_SENT;
		send_conn(sk, conn, RW_CONN_CLOSED, reason_of_error(error, RW_REASON_NONE), error);
	}
	return 0;
}

/*
 * An ICMP answer to a SYN that finds the socket locked is only queued (or kept as a soft error), and the application
 * takes it from there: nothing is left when it then closes the socket. So it is written down when it is reported.
 */
SEC("tp_btf/inet_sk_error_report")
int BPF_PROG(inet_sk_error_report, const struct sock *sk)
{
	struct conn *conn = find_conn(sk);
	struct sock_exterr_skb *queued;
	struct sk_buff *last;
	__s32 error;

	if (!conn || (conn->flags & CONN_ESTABLISHED))
		return 0;
	error = BPF_CORE_READ(sk, sk_err);
	if (error == 0)
		error = BPF_CORE_READ(sk, sk_err_soft);
	if (error == 0 && BPF_CORE_READ(sk, sk_error_queue.qlen) > 0) {
		last = BPF_CORE_READ(sk, sk_error_queue.prev);
		queued = (struct sock_exterr_skb *)&last->cb[0];
		error = BPF_CORE_READ(queued, ee.ee_errno);
	}
	if (error != 0)
		conn->error = error;
	return 0;
}

SEC("tp_btf/tcp_destroy_sock")
int BPF_PROG(tcp_destroy_sock, struct sock *sk)
{
	struct conn *conn = find_conn(sk);

	if (!conn)
		return 0;
	if (!(conn->flags & CONN_CLOSED_SENT) && (conn->flags & CONN_ESTABLISHED))
		send_conn(sk, conn, RW_CONN_CLOSED, RW_REASON_NONE, 0);
	forget_conn(sk);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
