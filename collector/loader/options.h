/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ROOTWALK_OPTIONS_H
#define ROOTWALK_OPTIONS_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#define MAX_LIST 256

struct options {
	__u32 interval_ms;
	__u32 poll_ms;
	__u32 capture_bytes;
	__u32 control_ring_bytes;
	__u32 data_ring_bytes;
	__u32 max_conns;
	__u32 netns[MAX_LIST];
	size_t netns_count;
	__u16 include_ports[MAX_LIST];
	size_t include_port_count;
	__u16 exclude_ports[MAX_LIST];
	size_t exclude_port_count;
	__u32 exclude_pids[MAX_LIST];
	size_t exclude_pid_count;
	const char *disabled[MAX_LIST];
	size_t disabled_count;
	bool bpf_stats;
	bool verify;
	bool capabilities;
	bool verbose;
};

/* Returns 0, or 2 after a message on standard error; exits on --help. */
int parse_options(struct options *options, int argc, char **argv);

#endif
