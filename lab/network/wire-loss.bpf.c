// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Loses packets on the wire between two addresses: attached to a port of the lab's switch, both directions.
 *
 * TC_ACT_STOLEN makes the kernel consume the packet without a drop reason, as a bad cable would: neither end sees a
 * local drop, only what never arrives. Parameters come from the compiler's command line: ADDRESS_A and ADDRESS_B
 * (host order), PORT (0: any) on B's side, PER_MILLION, A_TO_B and B_TO_A (0 or 1).
 * Packets of other flows go on to the next program (TC_ACT_UNSPEC): several losses share a port.
 * Map `counts`: 0 packets seen, 1 packets lost, of the flows in question.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

/* key: 0 seen, 1 lost; value: packets; bound: 2 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u64);
} counts SEC(".maps");

static void count(__u32 key)
{
	__u64 *value = bpf_map_lookup_elem(&counts, &key);

	if (value)
		__sync_fetch_and_add(value, 1);
}

SEC("tc")
int wire_loss(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data;
	void *end = (void *)(long)skb->data_end;
	struct ethhdr *eth = data;
	struct iphdr *ip = data + sizeof(*eth);
	struct tcphdr *tcp;
	__u32 from, to;
	int forward;

	if ((void *)(ip + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP))
		return TC_ACT_UNSPEC;
	from = bpf_ntohl(ip->saddr);
	to = bpf_ntohl(ip->daddr);
	forward = from == ADDRESS_A && to == ADDRESS_B;
	if (!forward && !(from == ADDRESS_B && to == ADDRESS_A))
		return TC_ACT_UNSPEC;
	if (PORT != 0) {
		tcp = (void *)ip + ip->ihl * 4;
		if (ip->protocol != IPPROTO_TCP || (void *)(tcp + 1) > end)
			return TC_ACT_UNSPEC;
		if (bpf_ntohs(forward ? tcp->dest : tcp->source) != PORT)
			return TC_ACT_UNSPEC;
	}
	if (forward ? !A_TO_B : !B_TO_A)
		return TC_ACT_UNSPEC;
	count(0);
	if (bpf_get_prandom_u32() % 1000000 >= PER_MILLION)
		return TC_ACT_OK;
	count(1);
	return TC_ACT_STOLEN;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
