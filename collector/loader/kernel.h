/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ROOTWALK_KERNEL_H
#define ROOTWALK_KERNEL_H

#include <linux/types.h>
#include <stdbool.h>

#include "output.h"

/* What has to be known of the running kernel before the probes are loaded. */
struct kernel {
	__u32 kfree_skb_args; /* 0: no BTF */
	bool has_tcp_drop;
	__u32 hz; /* 0: not known */
};

int read_kernel(struct kernel *kernel);
/* Appends one RW_FRAME_NAME per drop reason. */
int add_drop_reasons(struct buffer *out);

#endif
