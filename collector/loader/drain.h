/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ROOTWALK_DRAIN_H
#define ROOTWALK_DRAIN_H

#include "options.h"
#include "output.h"
#include "probes.h"

struct ring_buffer;

struct drain {
	struct probes *probes;
	struct ring_buffer *control_ring;
	struct ring_buffer *data_ring;
	struct buffer out; /* in order, next to be written */
	struct buffer staged; /* drained first, written after the control events that they need */
	__u64 interval;
};

int drain_init(struct drain *drain, struct probes *probes);
/* Empties both ring buffers to standard output. Returns the number of bytes moved, or -errno. */
long drain_rings(struct drain *drain);
/* Frames of everything that existed before the probes. */
int drain_sockets(struct drain *drain);
/* Statistics of the interval that just ended, then RW_FRAME_TICK. */
int drain_interval(struct drain *drain, bool final);
void drain_free(struct drain *drain);
__u64 boot_offset_ns(void);

#endif
