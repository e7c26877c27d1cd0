/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Counts per packet flow and reason, in a pair of maps: one is filled while the loader empties the other. */
#ifndef ROOTWALK_FLOW_BPF_H
#define ROOTWALK_FLOW_BPF_H

#include "sock.bpf.h"

struct flow_key {
	struct rw_tuple tuple;
	__u32 netns;
	__u32 kind;
	__u32 reason;
	__u32 reserved;
};

/* key: struct flow_key. value: packets of this interval. bound: 16384 flows per interval, more are counted as lost. */
struct flow_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, struct flow_key);
	__type(value, __u64);
};
struct flow_map flows_even __weak SEC(".maps");
struct flow_map flows_odd __weak SEC(".maps");

/* 0: flows_even is being filled; 1: flows_odd. Written by the loader, which waits for programs that still run. */
volatile __u32 flow_side __weak = 0;

static __always_inline void add_to_flow(void *map, const struct flow_key *key, __u64 count)
{
	__u64 *value = bpf_map_lookup_elem(map, key), zero = 0;

	if (!value) {
		bpf_map_update_elem(map, key, &zero, BPF_NOEXIST);
		value = bpf_map_lookup_elem(map, key);
	}
	if (value)
		__sync_fetch_and_add(value, count);
	else
		COUNT(lost_flows, 1);
}

static __noinline int count_flow(const struct flow_key *key, __u64 count)
{
	if (!key || !netns_wanted(key->netns))
		return 0;
	if (flow_side == 0)
		add_to_flow(&flows_even, key, count);
	else
		add_to_flow(&flows_odd, key, count);
	return 0;
}

#endif
