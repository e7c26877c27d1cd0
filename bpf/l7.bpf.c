/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Payload heads of system calls on TCP and Unix stream sockets; datagrams of DNS (datagram.bpf.h).
 *
 * From raw_syscalls:sys_enter to sys_exit of read, write, readv, writev, recvfrom, sendto, recvmsg, sendmsg, recvmmsg,
 * sendmmsg, sendfile, splice, connect, accept, accept4. (The raw pair costs less than two programs per call under
 * syscalls:*, and a table set by the loader says which numbers matter.) Measured: when the call began and ended, how
 * many bytes it moved, where they stand in the TCP stream, and their first targ_capture_bytes (of HTTP/2 H2_CAPTURE times
 * as many: one call carries several streams, and a header block that is lost makes later ones of the connection unreadable).
 * Connections whose first bytes fit no known protocol send nothing; their bytes are counted.
 * Not seen: io_uring, kernel users of sockets (NFS, kTLS offload keeps the calls), 32-bit processes; such bytes show as
 * gaps in stream_seq. sendfile and splice move bytes that user memory never held: length only.
 */
#include "conn.bpf.h"
#include "datagram.bpf.h"
#include "infer.bpf.h"
#include "unix_conn.bpf.h"

#define MAX_IOVECS 32
#define MAX_MESSAGES 8
#define H2_CAPTURE 8
#define MSG_OOB 0x1
#define MSG_PEEK 0x2
#define MSG_ERRQUEUE 0x2000
#define EINPROGRESS 115
#define EALREADY 114
#define EISCONN 106
#define EINTR 4
#define ERESTARTSYS 512
/* After so many calls without a match a connection is left alone. In mid-life a call may begin anywhere in a message. */
#define ATTEMPTS_FRESH 4
#define ATTEMPTS_MIDLIFE 16
/* A change to TLS comes in the first calls. */
#define CALLS_BEFORE_TLS 8

/* The event and room for the head; twice, because offset + length is not provable to the verifier. */
struct scratch {
	struct rw_data_event event;
	__u8 head[2 * RW_CAPTURE_MAX];
};

/* key: 0. value: where an event is put together; used with preemption off (tracepoint programs). */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct scratch);
} scratches __weak SEC(".maps");

static __always_inline bool is_stream(const struct sock *sk)
{
	return is_tcp(sk) || is_unix_stream(sk);
}

/* The socket of a descriptor. One already followed needs no further look. */
static __always_inline struct sock *sock_of_fd(struct task_struct *task, __u32 fd, struct conn **conn)
{
	struct file *file = file_of_fd(task, fd);
	struct sock *sk;

	if (!file)
		return NULL;
	sk = sock_of_file(file);
	if (!sk)
		return NULL;
	*conn = find_conn(sk);
	if (*conn)
		return sk;
	return is_socket(file) ? sk : NULL;
}

/* First use by a process: the server's side learns its owner, and the connection is told. */
static __always_inline void open_if_new(const struct sock *sk, struct conn *conn)
{
	if ((conn->flags & (CONN_OPENED_SENT | CONN_UNIX)) || !(conn->flags & CONN_ESTABLISHED))
		return;
	conn->flags |= CONN_OPENED_SENT;
	conn->connect_ns = bpf_ktime_get_ns() - conn->start_ns;
	own_conn(conn);
	send_conn(sk, conn, RW_CONN_OPENED, RW_REASON_NONE, 0);
}

/* The call goes by unseen: what comes later is no beginning any more. */
static __always_inline void shed_call(struct conn *conn)
{
	COUNT(shed_calls, 1);
	if (conn->tuple.protocol != RW_PROTO_UNDETERMINED)
		return;
	conn->flags &= ~CONN_FRESH;
	conn->prefix_length[0] = 0;
	conn->prefix_length[1] = 0;
}

SEC("tp_btf/sys_enter")
int BPF_PROG(sys_enter, struct pt_regs *regs, long number)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct conn *conn = NULL;
	struct stash *stash;
	struct sock *sk;
	__u64 flags = 0;
	__u8 op = op_of(number);

	if (op == RW_OP_NONE || op == RW_OP_ACCEPT || is_compat(task))
		return 0;
	if (op == RW_OP_RECVFROM)
		flags = syscall_arg(regs, 3);
	else if (op == RW_OP_RECVMSG)
		flags = syscall_arg(regs, 2);
	if (flags & (MSG_PEEK | MSG_OOB | MSG_ERRQUEUE))
		return 0;

	sk = sock_of_fd(task, syscall_arg(regs, op == RW_OP_SPLICE ? 2 : 0), &conn);
	if (!sk)
		return 0;
	if (!conn && !is_stream(sk)) {
		if (is_udp(sk))
			enter_datagram(task, sk, regs, op);
		return 0;
	}
	if (op != RW_OP_CONNECT) {
		if (conn && (conn->flags & CONN_UNIX) && (__u64)unix_peer(sk) != conn->peer)
			conn = meet_unix(sk, RW_ROLE_UNKNOWN); /* another socket in the place of one that is gone */
		else if (!conn)
			conn = is_tcp(sk) ? discover_conn(sk, true) : meet_unix(sk, RW_ROLE_UNKNOWN);
		if (!conn)
			return 0;
		open_if_new(sk, conn);
		if (conn->tuple.protocol >= RW_PROTO_OTHER) {
			COUNT(unknown_calls, 1);
			return 0;
		}
		if (capture_paused) {
			shed_call(conn);
			return 0;
		}
	}
	stash = bpf_task_storage_get(&stashes, task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!stash) {
		COUNT(lost_stash, 1);
		return 0;
	}
	stash->enter_ns = bpf_ktime_get_ns();
	stash->sk = (__u64)sk;
	stash->buffer = syscall_arg(regs, 1);
	stash->count = syscall_arg(regs, 2);
	stash->stream_seq = conn && (conn->flags & CONN_UNIX) ? 0 :
			    is_send(op)			      ? BPF_CORE_READ((struct tcp_sock *)sk, write_seq) :
								BPF_CORE_READ((struct tcp_sock *)sk, copied_seq);
	stash->failed = 0;
	stash->datagram = 0;
	stash->op = op;
	return 0;
}

/* Copies the first bytes of an iovec array into the scratch. Returns how many. Not static: verified once, not per call. */
__noinline int gather(struct scratch *scratch, __u64 iov, __u64 iov_count, __u64 limit)
{
	__u64 at = 0;

	if (!scratch)
		return 0;

	for (int i = 0; i < MAX_IOVECS; i++) {
		struct user_iovec part = {};
		__u64 n;

		if (i >= iov_count || at >= limit || at >= RW_CAPTURE_MAX)
			break;
		if (bpf_probe_read_user(&part, sizeof(part), (void *)(iov + i * sizeof(part))))
			goto fault;
		n = part.length;
		if (n > limit - at)
			n = limit - at;
		if (n > RW_CAPTURE_MAX)
			n = RW_CAPTURE_MAX;
		if (n == 0)
			continue;
		if (bpf_probe_read_user(&scratch->head[at], n, (void *)part.base))
			goto fault;
		at += n;
	}
	return at;
fault:
	scratch->event.flags |= RW_DATA_FAULT;
	return at;
}

static __always_inline __u32 copy_flat(struct scratch *scratch, __u64 buffer, __u64 limit)
{
	__u64 n = limit;

	if (n > RW_CAPTURE_MAX)
		n = RW_CAPTURE_MAX;
	if (bpf_probe_read_user(scratch->head, n, (void *)buffer)) {
		scratch->event.flags |= RW_DATA_FAULT;
		return 0;
	}
	return n;
}

/* Payload of sendmmsg and recvmmsg: the result counts messages. */
static __always_inline __u64 message_bytes(__u64 messages, __u64 count)
{
	__u64 total = 0;

	for (int i = 0; i < MAX_MESSAGES; i++) {
		__u32 length = 0;

		if (i >= count)
			break;
		bpf_probe_read_user(&length, sizeof(length),
				    (void *)(messages + i * sizeof(struct user_message) +
					     offsetof(struct user_message, message_length)));
		total += length;
	}
	return total;
}

/* Bytes of a call that are copied. What a new connection speaks is known only afterwards. */
static __always_inline __u64 capture_limit(const struct conn *conn, __u64 moved)
{
	__u64 limit = targ_capture_bytes;
	__u8 protocol = conn->tuple.protocol;

	if (protocol == RW_PROTO_H2 || protocol == RW_PROTO_UNDETERMINED)
		limit *= H2_CAPTURE;
	return moved < limit ? moved : limit;
}

static __always_inline __u32 capture(struct scratch *scratch, const struct stash *stash, __u64 limit)
{
	struct user_message message = {};

	switch (stash->op) {
	case RW_OP_READ:
	case RW_OP_WRITE:
	case RW_OP_RECVFROM:
	case RW_OP_SENDTO:
		return copy_flat(scratch, stash->buffer, limit);
	case RW_OP_READV:
	case RW_OP_WRITEV:
		return gather(scratch, stash->buffer, stash->count, limit);
	case RW_OP_RECVMSG:
	case RW_OP_SENDMSG:
	case RW_OP_RECVMMSG:
	case RW_OP_SENDMMSG:
		if (bpf_probe_read_user(&message, sizeof(message) - sizeof(__u64), (void *)stash->buffer)) {
			scratch->event.flags |= RW_DATA_FAULT;
			return 0;
		}
		return gather(scratch, message.iov, message.iov_count, limit);
	default:
		scratch->event.flags |= RW_DATA_NO_PAYLOAD;
		return 0;
	}
}

/*
 * Bytes after those kept from earlier calls of the same direction: a head may come in pieces. What was kept is all that
 * those calls moved, so that length rules hold over the sum: MySQL servers read a packet's header and body apart.
 */
__noinline int infer_joined(struct conn *conn, struct scratch *scratch, __u32 side, __u32 captured, __u32 moved)
{
	__u32 have, slot, full;
	__u8 *prefix;

	if (!conn || !scratch)
		return INFER_NONE;
	prefix = conn->prefix[side & 1];
	have = conn->prefix_length[side & 1];
	full = have + moved;
	for (__u32 i = 0; i < INFER_BYTES; i++) {
		if (have >= INFER_BYTES || i >= captured)
			break;
		slot = have;
		/* The compiler knows that the mask changes nothing; the verifier does not. */
		asm volatile("" : "+r"(slot));
		prefix[slot & (INFER_BYTES - 1)] = scratch->head[i];
		have++;
	}
	conn->prefix_length[side & 1] = have;
	return infer((struct first_bytes *)prefix, have, full, conn->flags & CONN_FRESH);
}

/*
 * Decides the protocol of a connection that has none yet. Returns whether the call shall be told: known protocols, and
 * beginnings that may still become one.
 */
static __always_inline bool determine(struct conn *conn, struct scratch *scratch, __u32 side, __u32 captured,
				      __u32 moved)
{
	bool fresh = conn->flags & CONN_FRESH;
	const __u8 *first = scratch->head;
	int verdict;

	if (captured == 0)
		return false;
	if (captured < INFER_BYTES)
		__builtin_memset(&scratch->head[captured & (INFER_BYTES - 1)], 0, INFER_BYTES);
	if (conn->prefix_length[side & 1] == 0) {
		verdict = infer((struct first_bytes *)scratch->head, captured, moved, fresh);
		if (verdict == INFER_MORE)
			infer_joined(conn, scratch, side, captured, moved);
	} else {
		verdict = infer_joined(conn, scratch, side, captured, moved);
		first = conn->prefix[side & 1];
	}
	if (verdict > 0) {
		conn->tuple.protocol = verdict;
		if (conn->tuple.role == RW_ROLE_UNKNOWN) {
			__u8 sender = sender_of(first, verdict);

			if (sender != RW_ROLE_UNKNOWN)
				conn->tuple.role = (sender == RW_ROLE_CLIENT) == (side == 0) ? RW_ROLE_CLIENT :
											       RW_ROLE_SERVER;
		}
		return verdict < RW_PROTO_OTHER;
	}
	if (verdict == INFER_MORE)
		return true;
	conn->attempts++;
	if (!fresh)
		conn->prefix_length[side & 1] = 0;
	if (conn->attempts >= (fresh ? ATTEMPTS_FRESH : ATTEMPTS_MIDLIFE))
		conn->tuple.protocol = RW_PROTO_OTHER;
	return false;
}

/* PostgreSQL and MySQL connections may turn to TLS: ClientHello where a message should begin. */
static __always_inline bool turned_to_tls(struct conn *conn, const struct scratch *scratch, __u32 captured)
{
	if (conn->calls >= CALLS_BEFORE_TLS || captured < 6 ||
	    (conn->tuple.protocol != RW_PROTO_POSTGRESQL && conn->tuple.protocol != RW_PROTO_MYSQL))
		return false;
	return scratch->head[0] == 0x16 && scratch->head[1] == 3 && scratch->head[5] == 1;
}

static __always_inline void send_data(struct conn *conn, struct stash *stash, __u64 moved)
{
	__u32 zero = 0, captured, side = is_send(stash->op) ? 0 : 1;
	struct scratch *scratch = bpf_map_lookup_elem(&scratches, &zero);
	__u64 pid_tgid = bpf_get_current_pid_tgid();
	struct rw_data_event *event;

	if (!scratch)
		return;
	event = &scratch->event;
	event->flags = 0;
	if (conn->flags & CONN_UNIX) {
		stash->stream_seq = conn->moved[side];
		conn->moved[side] += moved;
	}
	captured = capture(scratch, stash, capture_limit(conn, moved));
	if (event->flags & RW_DATA_FAULT)
		COUNT(faults, 1);
	if (conn->tuple.protocol == RW_PROTO_UNDETERMINED && !determine(conn, scratch, side, captured, moved)) {
		COUNT(unknown_calls, 1);
		return;
	}
	if (turned_to_tls(conn, scratch, captured)) {
		conn->tuple.protocol = RW_PROTO_TLS;
		return;
	}
	if ((conn->flags & CONN_UNIX) && conn->tuple.protocol != RW_PROTO_UNDETERMINED)
		tell_unix((struct sock *)stash->sk, conn);
	if (conn->calls < 255)
		conn->calls++;
	if (captured > targ_capture_bytes && (conn->tuple.protocol != RW_PROTO_H2 || is_h2_body(scratch->head, captured)))
		captured = targ_capture_bytes;
	if (captured > RW_CAPTURE_MAX)
		captured = RW_CAPTURE_MAX;
	frame_header(&event->frame, sizeof(*event) + captured, RW_FRAME_DATA);
	event->enter_ns = stash->enter_ns;
	event->exit_ns = bpf_ktime_get_ns();
	event->conn_id = conn->id;
	event->netns = conn->netns;
	event->tgid = pid_tgid >> 32;
	event->tid = (__u32)pid_tgid;
	event->stream_seq = stash->stream_seq;
	event->full_length = moved;
	event->direction = side == 0 ? RW_SEND : RW_RECV;
	event->protocol = conn->tuple.protocol;
	event->op = stash->op;
	event->role = conn->tuple.role;
	event->reserved = 0;
	if (bpf_ringbuf_output(&data_ring, scratch, sizeof(*event) + captured, BPF_RB_NO_WAKEUP))
		COUNT(lost_data, 1);
	else
		COUNT(data_events, 1);
}

/* A connect that never sent a SYN, or could not get a port: no state change tells its errno. */
static __always_inline void send_failed_connect(const struct stash *stash, __s32 error)
{
	struct sock *sk = (struct sock *)stash->sk;
	struct conn *conn = find_conn(sk);
	struct sockaddr_in6 address = {};

	if (!conn) {
		if (stash->failed)
			return;
		conn = create_conn(sk, RW_ROLE_CLIENT, CONN_FRESH);
		if (!conn)
			return;
		own_conn(conn);
		conn->start_ns = stash->enter_ns;
	} else if (conn->flags & (CONN_ESTABLISHED | CONN_CLOSED_SENT)) {
		return;
	}
	bpf_probe_read_user(&address, sizeof(struct sockaddr_in), (void *)stash->buffer);
	if (address.sin6_family == AF_INET) {
		set_v4(conn->tuple.remote_addr, ((struct sockaddr_in *)&address)->sin_addr.s_addr);
		conn->tuple.family = 4;
	} else if (address.sin6_family == AF_INET6) {
		bpf_probe_read_user(&address, sizeof(address), (void *)stash->buffer);
		__builtin_memcpy(conn->tuple.remote_addr, &address.sin6_addr, 16);
		conn->tuple.family = 6;
		if (is_mapped_v4(conn->tuple.remote_addr)) {
			set_v4(conn->tuple.remote_addr, ((__u32 *)conn->tuple.remote_addr)[3]);
			conn->tuple.family = 4;
		}
	}
	conn->tuple.remote_port = bpf_ntohs(address.sin6_port);
	conn->connect_ns = bpf_ktime_get_ns() - stash->enter_ns;
	send_conn(sk, conn, RW_CONN_FAILED, reason_of_error(error, RW_REASON_OTHER), error);
	/* The socket may try again. */
	forget_conn(sk);
}

/* Nobody answers at a path where somebody did: no socket file, no listener, or its queue is full. */
static __always_inline void send_failed_unix(const struct stash *stash, const struct unix_name *name, __s32 error)
{
	struct unix_id *known = bpf_map_lookup_elem(&unix_names, name);
	struct sock *sk = (struct sock *)stash->sk;
	struct unix_id caller = {
		.number = stash->sk * SCRAMBLE,
		.device = bpf_get_current_pid_tgid() >> 32,
		.kind = RW_UNIX_CLIENT,
	};
	struct conn *conn;

	if (!known || !is_unix_stream(sk))
		return;
	conn = create_conn(sk, RW_ROLE_CLIENT, CONN_FRESH | CONN_UNIX);
	if (!conn)
		return;
	own_conn(conn);
	__builtin_memcpy(conn->tuple.local_addr, &caller, sizeof(caller));
	__builtin_memcpy(conn->tuple.remote_addr, known, sizeof(*known));
	conn->start_ns = stash->enter_ns;
	conn->connect_ns = bpf_ktime_get_ns() - stash->enter_ns;
	send_conn(sk, conn, RW_CONN_FAILED, reason_of_error(error, RW_REASON_OTHER), error);
	forget_conn(sk);
}

static __always_inline void exit_connect_unix(const struct stash *stash, long result)
{
	struct sock *sk = (struct sock *)stash->sk;
	struct unix_name name = { .netns = netns_of_sock(sk) };
	struct name_buffer path = {};
	struct conn *conn;
	__u32 length;

	bpf_probe_read_user(&path, sizeof(path), (void *)(stash->buffer + sizeof(__u16)));
	/* A path ends with its zero, an abstract name, which begins with one, with the address. */
	length = stash->count - sizeof(__u16);
	name.hash = hash_name(path.path, length < UNIX_NAME_MAX ? length : UNIX_NAME_MAX, path.path[0] != 0);
	if (result < 0) {
		send_failed_unix(stash, &name, -result);
		return;
	}
	conn = meet_unix(sk, RW_ROLE_CLIENT);
	if (!conn)
		return;
	conn->connect_ns = conn->start_ns - stash->enter_ns;
	bpf_map_update_elem(&unix_names, &name, conn->tuple.remote_addr, BPF_ANY);
}

static __always_inline void exit_connect(const struct stash *stash, long result)
{
	struct sock *sk = (struct sock *)stash->sk;
	struct conn *conn;

	if (BPF_CORE_READ(sk, __sk_common.skc_family) == AF_UNIX) {
		exit_connect_unix(stash, result);
		return;
	}
	if (result < 0 && result != -EINPROGRESS && result != -EALREADY && result != -EISCONN && result != -EINTR &&
	    result > -ERESTARTSYS) {
		send_failed_connect(stash, -result);
		return;
	}
	/* The local port is chosen after the state changed to SYN_SENT. */
	conn = find_conn((struct sock *)stash->sk);
	if (conn && conn->tuple.local_port == 0)
		read_tuple(&conn->tuple, (struct sock *)stash->sk);
}

static __always_inline void exit_accept(struct task_struct *task, long result)
{
	struct conn *conn = NULL;
	struct sock *sk;

	if (result < 0)
		return;
	sk = sock_of_fd(task, result, &conn);
	if (!sk || (!conn && !is_stream(sk)))
		return;
	if (BPF_CORE_READ(sk, __sk_common.skc_family) == AF_UNIX)
		meet_unix(sk, RW_ROLE_SERVER);
	else if (!conn)
		discover_conn(sk, true);
	else
		open_if_new(sk, conn);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(sys_exit, struct pt_regs *regs, long result)
{
	__u8 op = op_of(syscall_number(regs));
	struct task_struct *task;
	struct stash *stash;
	struct conn *conn;
	__u64 moved;

	if (op == RW_OP_NONE)
		return 0;
	task = bpf_get_current_task_btf();
	if (op == RW_OP_ACCEPT) {
		if (!is_compat(task))
			exit_accept(task, result);
		return 0;
	}
	stash = bpf_task_storage_get(&stashes, task, NULL, 0);
	if (!stash || stash->op != op)
		return 0;
	stash->op = RW_OP_NONE;
	if (stash->datagram) {
		exit_datagram(stash, op, result);
		return 0;
	}
	if (op == RW_OP_CONNECT) {
		exit_connect(stash, result);
		return 0;
	}
	if (result <= 0)
		return 0;
	conn = find_conn((struct sock *)stash->sk);
	if (!conn)
		return 0;
	moved = result;
	if (op == RW_OP_SENDMMSG || op == RW_OP_RECVMMSG)
		moved = message_bytes(stash->buffer, result);
	if (moved == 0)
		return 0;
	stash->op = op;
	send_data(conn, stash, moved);
	stash->op = RW_OP_NONE;
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
