/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Packets of TCP flows that this kernel dropped, by its own reason.
 *
 * From skb:kfree_skb with a reason above SKB_CONSUMED (5.17 and later), from tcp_drop() before. Unit: packets as the
 * stack handles them (a GSO packet counts once, as in iptables' counters).
 * NOT_SPECIFIED is no evidence and is left out: even in 6.18 tcp_rcv_state_process() frees ordinary ACKs with it.
 * Not seen: drops to which the kernel gives no reason, drops below the stack (device, hypervisor, the network),
 * IPv6 packets with extension headers.
 */
#include "flow.bpf.h"

/* The reason of tcp_drop() before kernels had reasons; the loader names it TCP_DROP. */
#define REASON_TCP_DROP 0xffff


static __always_inline void count_drop(const struct sk_buff *skb, const struct sock *receiver, __u32 reason)
{
	struct flow_key key = {};

	if (!read_packet_tuple(&key.tuple, skb))
		return;
	key.netns = netns_of_skb(skb, receiver);
	key.kind = RW_FLOW_DROP;
	key.reason = reason;
	count_flow(&key, 1);
}

SEC("tp_btf/kfree_skb")
int kfree_skb(__u64 *ctx)
{
	const struct sk_buff *skb = (const struct sk_buff *)ctx[0];
	const struct sock *receiver = NULL;
	__u32 reason;

	/* The third argument came with kernel commit c504e5c2f964 ("net: skb: introduce kfree_skb_reason()"), 5.17. */
	if (targ_kfree_skb_args < 3)
		return 0;
	reason = ctx[2];
	if (reason == 0)
		return 0;
	/* Where SKB_CONSUMED does not exist, 1 is a reason like others. */
	if (bpf_core_enum_value_exists(enum skb_drop_reason, SKB_CONSUMED) &&
	    reason == bpf_core_enum_value(enum skb_drop_reason, SKB_CONSUMED))
		return 0;
	if (reason == bpf_core_enum_value(enum skb_drop_reason, SKB_DROP_REASON_NOT_SPECIFIED))
		return 0;
	/* What was still queued when its socket was closed: the application's doing, nobody's loss. */
	if (bpf_core_enum_value_exists(enum skb_drop_reason, SKB_DROP_REASON_QUEUE_PURGE) &&
	    reason == bpf_core_enum_value(enum skb_drop_reason, SKB_DROP_REASON_QUEUE_PURGE))
		return 0;
	/* The receiving socket came with kernel commit c53795d48ee8 ("net: add rx_sk to trace_kfree_skb"), 6.11. */
	if (targ_kfree_skb_args >= 4)
		receiver = (const struct sock *)ctx[3];
	count_drop(skb, receiver, reason);
	return 0;
}

/* Fallback: loaded only where kfree_skb has no reason. */
SEC("kprobe/tcp_drop")
int BPF_KPROBE(kprobe_tcp_drop, struct sock *sk, struct sk_buff *skb)
{
	count_drop(skb, sk, REASON_TCP_DROP);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
