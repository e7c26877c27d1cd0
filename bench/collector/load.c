// SPDX-License-Identifier: Apache-2.0
// Constant-rate HTTP/1.1 load over keep-alive connections, open loop: request i is due at start + i/rate, whatever the
// answers do, and its latency counts from when it was due (no coordinated omission). Prints one JSON line.
//   load ADDRESS PORT PATH RATE_PER_S CONNECTIONS SECONDS
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX_CONNECTIONS 1024
#define QUEUE 4096

struct connection {
	int fd;
	int busy;
	double due;
	int left; /* body bytes still to come; -1 while the head is incomplete */
	int head_length;
	char head[4096];
};

static struct connection connections[MAX_CONNECTIONS];
static double backlog[QUEUE];

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static int open_connection(const struct sockaddr_in *address)
{
	int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || connect(fd, (const struct sockaddr *)address, sizeof(*address)) != 0) {
		fprintf(stderr, "load: cannot connect: %s\n", strerror(errno));
		exit(1);
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

/* Feeds received bytes; returns 1 when the response is complete, -1 on a broken one. */
static int feed(struct connection *c, const char *data, int length)
{
	if (c->left < 0) {
		char *end, *field;
		int room = (int)sizeof(c->head) - 1 - c->head_length;

		if (length > room)
			return -1;
		memcpy(c->head + c->head_length, data, length);
		c->head_length += length;
		c->head[c->head_length] = 0;
		end = strstr(c->head, "\r\n\r\n");
		if (!end)
			return 0;
		field = strcasestr(c->head, "\r\ncontent-length:");
		if (!field)
			return -1;
		c->left = atoi(field + 17) - (c->head_length - (int)(end + 4 - c->head));
	} else {
		c->left -= length;
	}
	return c->left < 0 ? -1 : c->left == 0;
}

int main(int argc, char **argv)
{
	char request[512], buffer[65536];
	struct sockaddr_in address = { .sin_family = AF_INET };
	struct epoll_event events[256];
	long total, sent = 0, done = 0, failed = 0, late = 0;
	int count, poll_fd, request_length, head = 0, queued = 0;
	double rate, seconds, start, *latencies;

	if (argc != 7) {
		fprintf(stderr, "usage: load ADDRESS PORT PATH RATE_PER_S CONNECTIONS SECONDS\n");
		return 2;
	}
	inet_pton(AF_INET, argv[1], &address.sin_addr);
	address.sin_port = htons((unsigned short)atoi(argv[2]));
	rate = atof(argv[4]);
	count = atoi(argv[5]);
	seconds = atof(argv[6]);
	if (rate <= 0 || seconds <= 0 || count < 1 || count > MAX_CONNECTIONS) {
		fprintf(stderr, "load: rate and seconds must be positive, connections 1..%d\n", MAX_CONNECTIONS);
		return 2;
	}
	request_length = snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: bench\r\n\r\n", argv[3]);
	total = (long)(rate * seconds);
	latencies = malloc(sizeof(double) * total);
	poll_fd = epoll_create1(0);
	for (int i = 0; i < count; i++) {
		struct epoll_event event = { .events = EPOLLIN, .data.u32 = i };

		connections[i].fd = open_connection(&address);
		epoll_ctl(poll_fd, EPOLL_CTL_ADD, connections[i].fd, &event);
	}
	start = now();
	while (done + failed + late < total && now() < start + seconds + 5) {
		double t = now();
		int next = 0, ready, timeout;

		while (sent + queued + late < total && start + (sent + queued + late) / rate <= t) {
			if (queued == QUEUE)
				late++;
			else
				backlog[(head + queued) % QUEUE] = start + (sent + queued + late) / rate, queued++;
		}
		for (next = 0; queued > 0 && next < count; next++) {
			struct connection *c = &connections[next];

			if (c->busy)
				continue;
			c->due = backlog[head];
			head = (head + 1) % QUEUE;
			queued--;
			sent++;
			c->busy = 1;
			c->left = -1;
			c->head_length = 0;
			if (write(c->fd, request, request_length) != request_length)
				failed++, c->busy = 0;
		}
		t = now();
		timeout = queued > 0 ? 1 : (int)((start + (sent + late) / rate - t) * 1000);
		ready = epoll_wait(poll_fd, events, 256, timeout < 0 ? 0 : timeout > 100 ? 100 : timeout);
		for (int i = 0; i < ready; i++) {
			struct connection *c = &connections[events[i].data.u32];
			int length = read(c->fd, buffer, sizeof(buffer));
			int state = length <= 0 ? -1 : feed(c, buffer, length);

			if (state == 0)
				continue;
			if (state > 0) {
				latencies[done++] = now() - c->due;
			} else {
				failed++;
				epoll_ctl(poll_fd, EPOLL_CTL_DEL, c->fd, NULL);
				close(c->fd);
				c->fd = open_connection(&address);
				epoll_ctl(poll_fd, EPOLL_CTL_ADD, c->fd,
					  &(struct epoll_event){ .events = EPOLLIN, .data.u32 = events[i].data.u32 });
			}
			c->busy = 0;
		}
	}
	qsort(latencies, done, sizeof(double), compare);
	printf("{\"sent\":%ld,\"done\":%ld,\"failed\":%ld,\"notSent\":%ld,\"elapsedS\":%.3f,\"p50Us\":%.1f,\"p90Us\":%.1f,\"p99Us\":%.1f,\"maxUs\":%.1f}\n",
	       sent, done, failed, late + queued, now() - start, done ? latencies[done / 2] * 1e6 : -1,
	       done ? latencies[done * 9 / 10] * 1e6 : -1, done ? latencies[done * 99 / 100] * 1e6 : -1,
	       done ? latencies[done - 1] * 1e6 : -1);
	return done == total ? 0 : 1;
}
