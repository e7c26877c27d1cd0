/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The wire format between the kernel, the loader and collector/frames/wire.ts: written once, here.
 *
 * The loader's standard output is a sequence of frames. Every frame begins with struct rw_frame and is `length` bytes
 * long, header included; frames follow one another without alignment. All integers are little-endian (the host's own
 * order; big-endian hosts are not supported), times are ns of CLOCK_MONOTONIC (bpf_ktime_get_ns), ports are in host
 * order, addresses in network order (IPv4 in the first 4 bytes; IPv4-mapped IPv6 is sent as IPv4).
 * Includes nothing: vmlinux.h or linux/types.h must come first. Append only; a changed layout raises RW_WIRE_VERSION.
 * test/collector/frames/layout.test.ts holds clang -target bpf, the host compiler and wire.ts together.
 */
#ifndef ROOTWALK_WIRE_H
#define ROOTWALK_WIRE_H

#define RW_WIRE_VERSION 3

/* Longest payload head of one data event; --capture may ask for less. */
#define RW_CAPTURE_MAX 4096
/* Longest payload of one datagram event. */
#define RW_DATAGRAM_MAX 512
/* A u32 that is not known on this kernel. */
#define RW_UNKNOWN_U32 0xffffffffu

enum rw_frame_type {
	RW_FRAME_HELLO = 1,
	RW_FRAME_PROBE = 2,
	RW_FRAME_NAME = 3,
	RW_FRAME_READY = 4,
	RW_FRAME_TICK = 5,
	RW_FRAME_CONN = 10,
	RW_FRAME_PROCESS = 11,
	RW_FRAME_LISTENER = 12,
	RW_FRAME_DATA = 20,
	RW_FRAME_DATAGRAM = 21,
	RW_FRAME_CONN_STATS = 30,
	RW_FRAME_FLOW = 31,
	RW_FRAME_LISTENER_STATS = 32,
};

enum rw_role {
	RW_ROLE_UNKNOWN = 0,
	RW_ROLE_CLIENT = 1,
	RW_ROLE_SERVER = 2,
};

/* Inferred in the kernel from the first bytes. Connections of RW_PROTO_OTHER and above send no data events. */
enum rw_protocol {
	RW_PROTO_UNDETERMINED = 0, /* too few bytes so far */
	RW_PROTO_HTTP1 = 1,
	RW_PROTO_POSTGRESQL = 2,
	RW_PROTO_MYSQL = 3,
	RW_PROTO_REDIS = 4,
	RW_PROTO_FASTCGI = 5,
	RW_PROTO_H2 = 6, /* HTTP/2 in clear */
	RW_PROTO_DNS = 7, /* over UDP, by its port */
	RW_PROTO_OTHER = 32, /* none that we know */
	RW_PROTO_TLS = 33,
	RW_PROTO_HTTP2 = 34, /* not told any more: HTTP/2 that was left alone */
	RW_PROTO_EXCLUDED = 35, /* by port or process filter */
};

enum rw_conn_kind {
	RW_CONN_OPENED = 1, /* client: handshake done; server: accepted, or first used by a process */
	RW_CONN_FAILED = 2, /* an active open that never was established */
	RW_CONN_CLOSED = 3, /* totals are final; data events may still follow for a moment */
	RW_CONN_DISCOVERED = 4, /* existed before the collector looked */
};

/* Why a connect failed or a connection ended. */
enum rw_conn_reason {
	RW_REASON_NONE = 0, /* orderly close */
	RW_REASON_REFUSED = 1, /* RST to SYN */
	RW_REASON_TIMED_OUT = 2, /* ETIMEDOUT, from SYN or from data */
	RW_REASON_UNREACHABLE = 3, /* ICMP or no route */
	RW_REASON_RESET = 4, /* RST on an established connection, either way */
	RW_REASON_NO_PORT = 5, /* EADDRNOTAVAIL: no ephemeral port left */
	RW_REASON_ABORTED = 6, /* the application gave up before an answer came */
	RW_REASON_OTHER = 7, /* see error */
};

enum rw_process_kind {
	RW_PROCESS_EXEC = 1,
	RW_PROCESS_EXIT = 2,
	RW_PROCESS_OOM_KILL = 3, /* chosen by the OOM killer; the exit follows */
};

enum rw_listener_kind {
	RW_LISTENER_OPENED = 1,
	RW_LISTENER_CLOSED = 2,
	RW_LISTENER_DISCOVERED = 3,
};

enum rw_direction {
	RW_SEND = 1,
	RW_RECV = 2,
};

enum rw_op {
	RW_OP_NONE = 0,
	RW_OP_READ = 1,
	RW_OP_WRITE = 2,
	RW_OP_READV = 3,
	RW_OP_WRITEV = 4,
	RW_OP_RECVFROM = 5,
	RW_OP_SENDTO = 6,
	RW_OP_RECVMSG = 7,
	RW_OP_SENDMSG = 8,
	RW_OP_SENDMMSG = 9,
	RW_OP_SENDFILE = 10,
	RW_OP_CONNECT = 11,
	RW_OP_ACCEPT = 12,
	RW_OP_RECVMMSG = 13,
	RW_OP_SPLICE = 14,
};

/* rw_data_event.flags */
#define RW_DATA_FAULT 1 /* the head could not be read from user memory (all or part of it) */
#define RW_DATA_NO_PAYLOAD 2 /* sendfile, splice: bytes moved that user memory never held */

enum rw_flow_kind {
	RW_FLOW_DROP = 1, /* reason: skb_drop_reason of this kernel, named by RW_FRAME_NAME */
	RW_FLOW_RESET_SENT = 2, /* RST for a segment of no (full) socket, e.g. a closed port; tuple of the RST itself */
	RW_FLOW_SYNACK_RETRANSMIT = 3, /* local = the listener, remote = the client */
};

enum rw_name_space {
	RW_NAME_DROP_REASON = 1,
};

/*
 * Commands, one byte each, on the loader's standard input; everything else there is passed over. Paused, payload is not
 * looked at: connections, counters and owners go on.
 */
#define RW_COMMAND_PAUSE 'P'
#define RW_COMMAND_RESUME 'R'

struct rw_frame {
	__u32 length;
	__u16 type;
	__u16 reserved;
};

/*
 * Family of Unix stream sockets. Their address is what they are bound to (inode u64, device u32, then a kind below) or, of
 * the client's end, a number that is its own while it lives and the process that connected. They have no ports.
 */
#define RW_FAMILY_UNIX 1
enum rw_unix_kind {
	RW_UNIX_PATH = 1,
	RW_UNIX_ABSTRACT = 2, /* a hash of the name, network namespace */
	RW_UNIX_CLIENT = 3, /* number, process id */
};

/* Local and remote as the socket sees them; for RW_FLOW_DROP local is the packet's source, remote its destination. */
struct rw_tuple {
	__u8 local_addr[16];
	__u8 remote_addr[16];
	__u16 local_port;
	__u16 remote_port;
	__u8 family; /* 4, 6 or RW_FAMILY_UNIX; 0: not known */
	__u8 role;
	__u8 protocol;
	__u8 reserved;
};

/* Totals since the connection began, except where it says otherwise. */
struct rw_tcp_totals {
	__u64 bytes_sent; /* payload, retransmissions not counted */
	__u64 bytes_received;
	__u32 segs_out; /* pure ACKs included, as the kernel's tcp_info */
	__u32 segs_in;
	__u32 retransmits; /* segments; by the tcp_retransmit_skb hook, since the connection is known to us */
	__u32 total_retransmits; /* segments; the kernel's own count since the connection began, SYN-ACKs included */
	__u32 srtt_us; /* smoothed; 0: no sample yet */
	__u32 last_rtt_us; /* of the segment acknowledged last; RW_UNKNOWN_U32: no sample yet */
	__u32 resets_sent;
	__u32 resets_received;
	__u32 rwnd_limited_ms; /* time stalled by the peer's window; RW_UNKNOWN_U32: CONFIG_HZ not readable */
	__u32 snd_wnd; /* bytes; 0: the peer's window is closed now */
	__u32 rcv_wnd;
	__u32 unread_bytes; /* in the receive queue, gauge */
	__u32 unsent_bytes; /* in the send queue, gauge */
	__u32 unknown_bytes; /* payload the kernel side dropped for want of a protocol (mod 2^32) */
};

struct rw_hello {
	struct rw_frame frame;
	__u64 ktime_ns;
	__u64 boot_offset_ns; /* CLOCK_REALTIME - CLOCK_MONOTONIC */
	__u32 wire_version;
	__u32 interval_ms;
	__u32 capture_bytes;
	__u32 cpu_count;
	__u32 loader_pid;
	__u32 own_netns;
	char kernel_release[64];
};

struct rw_probe {
	struct rw_frame frame;
	__u32 attached; /* 1 or 0 */
	__u32 error; /* errno, 0 when attached */
	char name[64];
	char reason[256]; /* empty when attached */
};

struct rw_name {
	struct rw_frame frame;
	__u32 name_space;
	__u32 id;
	char name[64];
};

/* All probes are reported, everything that existed before has been sent. */
struct rw_ready {
	struct rw_frame frame;
	__u64 ktime_ns;
	__u32 probes_attached;
	__u32 probes_missing;
};

/* Once per interval, after its statistics. Counters are totals since the loader began. */
struct rw_tick {
	struct rw_frame frame;
	__u64 ktime_ns;
	__u64 boot_offset_ns;
	__u64 interval; /* 0, 1, 2, …; the last one of a run has final = 1 */
	__u64 control_events; /* written to the control ring */
	__u64 data_events;
	__u64 lost_control; /* control ring was full */
	__u64 lost_data; /* data ring was full */
	__u64 lost_conns; /* connection map was full: times a connection could not be followed */
	__u64 lost_flows; /* flow map was full: drops not counted per flow */
	__u64 lost_stash; /* system calls not followed (no task storage, or scratch busy) */
	__u64 faults; /* heads that could not be read from user memory */
	__u64 unknown_calls; /* system calls on connections of unknown protocol: dropped in the kernel */
	__u64 unknown_bytes;
	__u64 stdout_blocked_ns; /* time the loader waited for its reader */
	__u64 bpf_run_ns; /* run time of our programs; 0 unless --bpf-stats */
	__u64 bpf_run_count;
	__u64 loader_cpu_us;
	__u32 conns; /* connections followed now, as of this interval's statistics */
	__u32 final;
	__u64 shed_calls; /* calls with payload while capture was paused (RW_COMMAND_PAUSE) */
	__u64 missed_runs; /* runs of a probe that the kernel left out, because it was running on that CPU already */
};

struct rw_conn_event {
	struct rw_frame frame;
	__u64 ts_ns;
	__u64 conn_id; /* < 2^53, unique in one run of the loader */
	__u64 start_ns; /* client: SYN; server: handshake done; discovered: when seen */
	__u64 connect_ns; /* client: SYN to established (or to failure); server: time in the accept queue */
	__u64 cgroup_id;
	struct rw_tuple tuple;
	__u32 netns;
	__u32 tgid; /* 0: not known (yet) */
	__u32 tid;
	__s32 error; /* errno behind the reason */
	__u32 syn_retransmits;
	__u8 kind;
	__u8 reason;
	__u8 reserved[2];
	char comm[16];
	struct rw_tcp_totals totals;
	__u64 left_ns; /* closed: when its process let go of it before the other end did; 0: it did not */
};

struct rw_process_event {
	struct rw_frame frame;
	__u64 ts_ns;
	__u64 cgroup_id;
	__u64 start_ns; /* of the process; exit only */
	__u32 netns; /* 0: not known */
	__u32 tgid;
	__u32 parent_tgid;
	__u32 uid;
	__s32 exit_code;
	__u32 signal; /* that killed it, or 0 */
	__u8 kind;
	__u8 reserved[7];
	char comm[16];
	char path[128]; /* exec only: file name as given, cut */
};

struct rw_listener_event {
	struct rw_frame frame;
	__u64 ts_ns;
	__u64 cgroup_id;
	struct rw_tuple tuple; /* remote is zero */
	__u32 netns;
	__u32 tgid;
	__u32 backlog;
	__u8 kind;
	__u8 reserved[3];
	char comm[16];
};

/* One system call that moved payload. The captured head follows the struct: frame.length - sizeof bytes. */
struct rw_data_event {
	struct rw_frame frame;
	__u64 enter_ns;
	__u64 exit_ns;
	__u64 conn_id;
	__u32 netns;
	__u32 tgid;
	__u32 tid;
	__u32 stream_seq; /* TCP sequence of the first byte; next event's is this + full_length, else bytes are missing */
	__u32 full_length; /* bytes the call moved */
	__u32 flags;
	__u8 direction;
	__u8 protocol;
	__u8 op;
	__u8 role;
	__u32 reserved;
};

/*
 * One datagram, or why there was none. Its first RW_DATAGRAM_MAX bytes follow the struct: frame.length - sizeof bytes, fewer
 * where the sender's memory was in pieces.
 */
struct rw_datagram_event {
	struct rw_frame frame;
	__u64 ts_ns; /* sent: when the call began; received: when it ended */
	__u64 cgroup_id;
	struct rw_tuple tuple; /* local address 0: not known, the socket is bound to all */
	__u32 netns;
	__u32 tgid;
	__u32 tid;
	__u32 full_length;
	__s32 error; /* errno with which the kernel sent nothing, or that it was told (ICMP); then there is no payload */
	__u8 direction;
	__u8 reserved[3];
	char comm[16];
};

struct rw_conn_stats {
	struct rw_frame frame;
	__u64 ts_ns;
	__u64 conn_id;
	struct rw_tuple tuple;
	__u32 netns;
	__u32 tgid;
	__u8 state; /* TCP state */
	__u8 reserved[7];
	struct rw_tcp_totals totals;
};

/* Counts of one interval (not totals) for one packet flow and reason. */
struct rw_flow_event {
	struct rw_frame frame;
	__u64 ts_ns; /* end of the interval */
	__u64 count;
	struct rw_tuple tuple;
	__u32 netns;
	__u32 kind;
	__u32 reason;
	__u32 reserved;
};

/* Connections that a listener lost in one interval; told only when there are any. */
struct rw_listener_stats {
	struct rw_frame frame;
	__u64 ts_ns;
	__u64 drops; /* SYNs and handshakes that the listener could not take: its accept queue was full (TcpExtListenDrops) */
	struct rw_tuple tuple; /* remote is zero */
	__u32 netns;
	__u32 tgid;
	__u32 queue; /* connections that wait for accept now */
	__u32 backlog;
};

_Static_assert(sizeof(struct rw_frame) == 8, "rw_frame");
_Static_assert(sizeof(struct rw_tuple) == 40, "rw_tuple");
_Static_assert(sizeof(struct rw_tcp_totals) == 72, "rw_tcp_totals");
_Static_assert(sizeof(struct rw_hello) == 112, "rw_hello");
_Static_assert(sizeof(struct rw_probe) == 336, "rw_probe");
_Static_assert(sizeof(struct rw_name) == 80, "rw_name");
_Static_assert(sizeof(struct rw_ready) == 24, "rw_ready");
_Static_assert(sizeof(struct rw_tick) == 168, "rw_tick");
_Static_assert(sizeof(struct rw_conn_event) == 208, "rw_conn_event");
_Static_assert(sizeof(struct rw_process_event) == 208, "rw_process_event");
_Static_assert(sizeof(struct rw_listener_event) == 96, "rw_listener_event");
_Static_assert(sizeof(struct rw_data_event) == 64, "rw_data_event");
_Static_assert(sizeof(struct rw_datagram_event) == 104, "rw_datagram_event");
_Static_assert(sizeof(struct rw_conn_stats) == 152, "rw_conn_stats");
_Static_assert(sizeof(struct rw_flow_event) == 80, "rw_flow_event");
_Static_assert(sizeof(struct rw_listener_stats) == 80, "rw_listener_stats");

#endif
