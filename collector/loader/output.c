// SPDX-License-Identifier: Apache-2.0
/* Buffered writes to standard output that never lose a frame and never outlive the reader. */
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SEND_BUFFER_BYTES (1 << 20)

__u64 stdout_blocked_ns;
void (*on_command)(char command);

__u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

int buffer_add(struct buffer *buffer, const void *bytes, size_t length)
{
	if (buffer->length + length > buffer->capacity) {
		size_t capacity = buffer->capacity ? buffer->capacity : 1 << 16;
		__u8 *grown;

		while (capacity < buffer->length + length)
			capacity *= 2;
		grown = realloc(buffer->bytes, capacity);
		if (!grown)
			return -ENOMEM;
		buffer->bytes = grown;
		buffer->capacity = capacity;
	}
	memcpy(buffer->bytes + buffer->length, bytes, length);
	buffer->length += length;
	return 0;
}

void buffer_free(struct buffer *buffer)
{
	free(buffer->bytes);
	*buffer = (struct buffer){};
}

int output_init(void)
{
	int flags, size = SEND_BUFFER_BYTES;

	signal(SIGPIPE, SIG_IGN);
	/* Node's pipes are socket pairs, a shell's are pipes: one of these works, neither has to. */
	setsockopt(STDOUT_FILENO, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	fcntl(STDOUT_FILENO, F_SETPIPE_SZ, size);
	flags = fcntl(STDOUT_FILENO, F_GETFL);
	if (flags < 0 || fcntl(STDOUT_FILENO, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	return 0;
}

/* Reads the commands that are there. Returns 1 at the end of the file. */
static int stdin_ended(void)
{
	char rest[256];
	ssize_t n = read(STDIN_FILENO, rest, sizeof(rest));

	for (ssize_t i = 0; i < n && on_command; i++)
		on_command(rest[i]);
	return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

int wait_for_end(int timeout_ms)
{
	struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };

	if (poll(&input, 1, timeout_ms) <= 0)
		return 0;
	return stdin_ended();
}

static int wait_for_reader(void)
{
	struct pollfd fds[2] = {
		{ .fd = STDOUT_FILENO, .events = POLLOUT },
		{ .fd = STDIN_FILENO, .events = POLLIN },
	};
	__u64 start = now_ns();
	int n = poll(fds, 2, 1000);

	stdout_blocked_ns += now_ns() - start;
	if (n > 0 && fds[1].revents && stdin_ended())
		return -EPIPE;
	return 0;
}

int output_flush(struct buffer *buffer)
{
	size_t at = 0;

	while (at < buffer->length) {
		ssize_t n = write(STDOUT_FILENO, buffer->bytes + at, buffer->length - at);

		if (n > 0) {
			at += n;
		} else if (n < 0 && errno == EAGAIN) {
			if (wait_for_reader())
				return -EPIPE;
		} else if (n < 0 && errno != EINTR) {
			return -errno;
		}
	}
	buffer->length = 0;
	return 0;
}
