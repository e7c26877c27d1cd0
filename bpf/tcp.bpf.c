/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Retransmits and resets.
 *
 * Measured: segments retransmitted per connection (tcp:tcp_retransmit_skb; SYNs apart), SYN-ACKs retransmitted per
 * listener and client (tcp:tcp_retransmit_synack), RSTs sent and received per connection (tcp:tcp_send_reset,
 * tcp:tcp_receive_reset), RSTs sent for segments of no socket, per flow.
 * Unit: segments, as TcpRetransSegs. Older kernels do not reach the hook when the transmission itself failed (it has no
 * `err` argument there); the kernel's own count, total_retransmits, has those too.
 */
#include "conn.bpf.h"
#include "flow.bpf.h"

static __always_inline void count_retransmit(const struct sock *sk, const struct sk_buff *skb)
{
	struct conn *conn = find_conn(sk);
	__u32 segments;

	if (!conn)
		conn = discover_conn(sk, false);
	if (!conn)
		return;
	segments = BPF_CORE_READ((const struct tcp_skb_cb *)&skb->cb[0], tcp_gso_segs);
	if (segments == 0)
		segments = 1;
	__sync_fetch_and_add(&conn->retransmits, segments);
	if (!(conn->flags & CONN_ESTABLISHED))
		__sync_fetch_and_add(&conn->syn_retransmits, 1);
}

SEC("tp_btf/tcp_retransmit_skb")
int BPF_PROG(tcp_retransmit_skb, const struct sock *sk, const struct sk_buff *skb)
{
	count_retransmit(sk, skb);
	return 0;
}

/* Fallback: loaded only where tcp:tcp_retransmit_skb cannot be. Counts attempts. */
SEC("kprobe/tcp_retransmit_skb")
int BPF_KPROBE(kprobe_tcp_retransmit_skb, struct sock *sk, struct sk_buff *skb)
{
	count_retransmit(sk, skb);
	return 0;
}

SEC("tp_btf/tcp_retransmit_synack")
int BPF_PROG(tcp_retransmit_synack, const struct sock *sk, const struct request_sock *request)
{
	struct flow_key key = {};

	/* A request has the addresses of the connection to be, in the same struct sock_common. */
	read_tuple(&key.tuple, (const struct sock *)request);
	key.tuple.role = RW_ROLE_SERVER;
	key.netns = netns_of_sock(sk);
	key.kind = RW_FLOW_SYNACK_RETRANSMIT;
	count_flow(&key, 1);
	return 0;
}

SEC("tp_btf/tcp_send_reset")
int BPF_PROG(tcp_send_reset, const struct sock *sk, const struct sk_buff *skb)
{
	struct conn *conn = sk ? find_conn(sk) : NULL;
	struct flow_key key = {}, answer = {};

	if (conn) {
		__sync_fetch_and_add(&conn->resets_sent, 1);
		return 0;
	}
	if (!skb || !read_packet_tuple(&key.tuple, skb))
		return 0;
	__builtin_memcpy(answer.tuple.local_addr, key.tuple.remote_addr, 16);
	__builtin_memcpy(answer.tuple.remote_addr, key.tuple.local_addr, 16);
	answer.tuple.local_port = key.tuple.remote_port;
	answer.tuple.remote_port = key.tuple.local_port;
	answer.tuple.family = key.tuple.family;
	answer.netns = netns_of_skb(skb, sk);
	answer.kind = RW_FLOW_RESET_SENT;
	count_flow(&answer, 1);
	return 0;
}

SEC("tp_btf/tcp_receive_reset")
int BPF_PROG(tcp_receive_reset, struct sock *sk)
{
	struct conn *conn = find_conn(sk);

	if (!conn)
		conn = discover_conn(sk, false);
	if (conn)
		__sync_fetch_and_add(&conn->resets_received, 1);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
