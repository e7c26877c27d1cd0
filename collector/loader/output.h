/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ROOTWALK_OUTPUT_H
#define ROOTWALK_OUTPUT_H

#include <linux/types.h>
#include <stddef.h>

/* Bytes that wait to be written. */
struct buffer {
	__u8 *bytes;
	size_t length;
	size_t capacity;
};

/* Returns 0 or -ENOMEM. */
int buffer_add(struct buffer *buffer, const void *bytes, size_t length);
void buffer_free(struct buffer *buffer);

/* Time spent waiting for the reader of standard output. */
extern __u64 stdout_blocked_ns;

/* Called with each byte that standard input brings. */
extern void (*on_command)(char command);

int output_init(void);
/*
 * Writes all of the buffer to standard output and empties it. Waits while the reader does not read; the kernel's ring
 * buffers fill meanwhile and count what they lose. Returns 0, or -EPIPE when the reader or standard input is gone.
 */
int output_flush(struct buffer *buffer);
/* Waits up to timeout_ms. Returns 1 when standard input was closed, else 0. */
int wait_for_end(int timeout_ms);
__u64 now_ns(void);

#endif
