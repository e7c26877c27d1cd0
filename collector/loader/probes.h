/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ROOTWALK_PROBES_H
#define ROOTWALK_PROBES_H

#include <bpf/libbpf.h>
#include <stdbool.h>

#include "kernel.h"
#include "options.h"
#include "output.h"

struct rootwalk;

#define MAX_PROBES 48

struct probe {
	char name[64];
	bool wanted; /* loaded */
	bool quiet; /* a fallback that is not needed here: not reported */
	bool attached;
	int error;
	char reason[256];
	struct bpf_link *link;
};

struct probes {
	struct probe list[MAX_PROBES];
	size_t count;
	struct rootwalk *skeleton;
};

/*
 * Loads every program that this kernel takes, attaches each alone. A probe that fails is left out with its reason, the
 * others go on. Returns 0, or -errno when not even the maps can be made.
 */
int probes_start(struct probes *probes, const struct options *options, const struct kernel *kernel);
/* Loads each program alone, fallbacks too, attaches nothing; the reasons stand in the list. */
int probes_verify(struct probes *probes, const struct options *options, const struct kernel *kernel);
/* Appends one RW_FRAME_PROBE per probe. */
int probes_report(const struct probes *probes, struct buffer *out);
void probes_stop(struct probes *probes);

#endif
