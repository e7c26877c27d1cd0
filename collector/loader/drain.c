// SPDX-License-Identifier: Apache-2.0
/*
 * From the kernel's ring buffers and maps to standard output.
 *
 * Order: data (and statistics) are drained first but written after the control events, so that whatever speaks of a
 * connection comes after the event that opened it.
 */
#include "drain.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/membarrier.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "rootwalk.skel.h"
#include "wire.h"

#define STAGED_MAX (4u << 20)
#define READ_BYTES (1u << 16)
#define BATCH 512

/* As in bpf/include/flow.bpf.h and common.bpf.h. */
struct flow_key {
	struct rw_tuple tuple;
	__u32 netns;
	__u32 kind;
	__u32 reason;
	__u32 reserved;
};

struct counters {
	__u64 control_events;
	__u64 data_events;
	__u64 lost_control;
	__u64 lost_data;
	__u64 lost_conns;
	__u64 lost_flows;
	__u64 lost_stash;
	__u64 faults;
	__u64 unknown_calls;
	__u64 unknown_bytes;
	__u64 shed_calls;
	__u64 next_conn;
};

__u64 boot_offset_ns(void)
{
	struct timespec real, monotonic;

	clock_gettime(CLOCK_REALTIME, &real);
	clock_gettime(CLOCK_MONOTONIC, &monotonic);
	return (real.tv_sec - monotonic.tv_sec) * 1000000000ll + real.tv_nsec - monotonic.tv_nsec;
}

static int on_control(void *context, void *frame, size_t size)
{
	struct drain *drain = context;

	(void)size;
	return buffer_add(&drain->out, frame, ((struct rw_frame *)frame)->length);
}

/* A negative result ends this round; the record itself has been taken. */
static int on_data(void *context, void *frame, size_t size)
{
	struct drain *drain = context;
	int err = buffer_add(&drain->staged, frame, ((struct rw_frame *)frame)->length);

	(void)size;
	if (err)
		return err;
	return drain->staged.length >= STAGED_MAX ? -EAGAIN : 0;
}

int drain_init(struct drain *drain, struct probes *probes)
{
	struct rootwalk *skeleton = probes->skeleton;

	*drain = (struct drain){ .probes = probes };
	drain->control_ring = ring_buffer__new(bpf_map__fd(skeleton->maps.control_ring), on_control, drain, NULL);
	drain->data_ring = ring_buffer__new(bpf_map__fd(skeleton->maps.data_ring), on_data, drain, NULL);
	if (!drain->control_ring || !drain->data_ring)
		return -errno;
	return 0;
}

static int write_staged(struct drain *drain)
{
	int n = ring_buffer__consume(drain->control_ring), err;

	if (n < 0)
		return n;
	err = output_flush(&drain->out);
	return err ? err : output_flush(&drain->staged);
}

long drain_rings(struct drain *drain)
{
	size_t staged;
	int n, err;

	n = ring_buffer__consume(drain->data_ring);
	if (n < 0 && n != -EAGAIN)
		return n;
	staged = drain->staged.length;
	n = ring_buffer__consume(drain->control_ring);
	if (n < 0)
		return n;
	staged += drain->out.length;
	err = write_staged(drain);
	return err ? err : (long)staged;
}

/* Reads an iterator to its end; what it says is whole frames. */
static int read_iterator(struct bpf_link *link, struct buffer *into)
{
	__u8 *chunk;
	int fd, err = 0;
	ssize_t n;

	if (!link)
		return 0;
	fd = bpf_iter_create(bpf_link__fd(link));
	if (fd < 0)
		return -errno;
	chunk = malloc(READ_BYTES);
	if (!chunk)
		err = -ENOMEM;
	while (!err) {
		n = read(fd, chunk, READ_BYTES);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (n <= 0) {
			err = n < 0 ? -errno : 0;
			break;
		}
		err = buffer_add(into, chunk, n);
	}
	free(chunk);
	close(fd);
	return err;
}

static struct bpf_link *link_of(struct probes *probes, const char *name)
{
	for (size_t i = 0; i < probes->count; i++)
		if (strcmp(probes->list[i].name, name) == 0)
			return probes->list[i].link;
	return NULL;
}

int drain_sockets(struct drain *drain)
{
	int err = read_iterator(link_of(drain->probes, "list_sockets"), &drain->staged);

	return err ? err : write_staged(drain);
}

/*
 * Takes the counts of the ended interval: the programs go on in the other map; once every program that may still hold
 * the old one has ended (an RCU grace period, which is what MEMBARRIER_CMD_GLOBAL waits for) nothing changes it.
 */
static int drain_flows(struct drain *drain, __u64 ts_ns)
{
	static struct flow_key keys[BATCH];
	static __u64 counts[BATCH];
	struct rootwalk *skeleton = drain->probes->skeleton;
	__u32 side = skeleton->bss->flow_side, batch = 0, next = 0, n;
	int fd = bpf_map__fd(side == 0 ? skeleton->maps.flows_even : skeleton->maps.flows_odd);
	bool first = true;
	int err, result;

	skeleton->bss->flow_side = !side;
	if (syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) < 0)
		usleep(20000);
	do {
		n = BATCH;
		result = bpf_map_lookup_and_delete_batch(fd, first ? NULL : &batch, &next, keys, counts, &n, NULL);
		if (result < 0 && errno != ENOENT)
			return -errno;
		for (__u32 i = 0; i < n; i++) {
			struct rw_flow_event event = {
				.frame = { .length = sizeof(event), .type = RW_FRAME_FLOW },
				.ts_ns = ts_ns,
				.count = counts[i],
				.tuple = keys[i].tuple,
				.netns = keys[i].netns,
				.kind = keys[i].kind,
				.reason = keys[i].reason,
			};

			err = buffer_add(&drain->out, &event, sizeof(event));
			if (err)
				return err;
		}
		first = false;
		batch = next;
	} while (result == 0);
	return 0;
}

static void read_counters(struct drain *drain, struct rw_tick *tick)
{
	int cpus = libbpf_num_possible_cpus();
	struct counters *each;
	__u32 zero = 0;

	each = cpus > 0 ? calloc(cpus, sizeof(*each)) : NULL;
	if (!each)
		return;
	if (bpf_map_lookup_elem(bpf_map__fd(drain->probes->skeleton->maps.counters), &zero, each) == 0) {
		for (int i = 0; i < cpus; i++) {
			tick->control_events += each[i].control_events;
			tick->data_events += each[i].data_events;
			tick->lost_control += each[i].lost_control;
			tick->lost_data += each[i].lost_data;
			tick->lost_conns += each[i].lost_conns;
			tick->lost_flows += each[i].lost_flows;
			tick->lost_stash += each[i].lost_stash;
			tick->faults += each[i].faults;
			tick->unknown_calls += each[i].unknown_calls;
			tick->unknown_bytes += each[i].unknown_bytes;
			tick->shed_calls += each[i].shed_calls;
		}
	}
	free(each);
}

static void read_run_time(struct drain *drain, struct rw_tick *tick)
{
	struct bpf_program *program;

	bpf_object__for_each_program(program, drain->probes->skeleton->obj) {
		struct bpf_prog_info info = {};
		__u32 length = sizeof(info);
		int fd = bpf_program__fd(program);

		if (fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &length) == 0) {
			tick->bpf_run_ns += info.run_time_ns;
			tick->bpf_run_count += info.run_cnt;
			tick->missed_runs += info.recursion_misses;
		}
	}
}

static __u64 cpu_us(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000ull + usage.ru_utime.tv_usec +
	       usage.ru_stime.tv_usec;
}

int drain_interval(struct drain *drain, bool final)
{
	struct rootwalk *skeleton = drain->probes->skeleton;
	struct rw_tick tick = {
		.frame = { .length = sizeof(tick), .type = RW_FRAME_TICK },
		.ktime_ns = now_ns(),
		.boot_offset_ns = boot_offset_ns(),
		.interval = drain->interval++,
		.final = final,
	};
	long moved = drain_rings(drain);
	int err;

	if (moved < 0)
		return moved;
	skeleton->bss->conns_listed = 0;
	err = read_iterator(link_of(drain->probes, "list_conns"), &drain->staged);
	if (!err)
		err = read_iterator(link_of(drain->probes, "list_listeners"), &drain->staged);
	if (!err)
		err = write_staged(drain);
	if (!err)
		err = drain_flows(drain, tick.ktime_ns);
	if (err)
		return err;
	read_counters(drain, &tick);
	read_run_time(drain, &tick);
	tick.stdout_blocked_ns = stdout_blocked_ns;
	tick.loader_cpu_us = cpu_us();
	tick.conns = skeleton->bss->conns_listed;
	err = buffer_add(&drain->out, &tick, sizeof(tick));
	return err ? err : output_flush(&drain->out);
}

void drain_free(struct drain *drain)
{
	ring_buffer__free(drain->control_ring);
	ring_buffer__free(drain->data_ring);
	buffer_free(&drain->out);
	buffer_free(&drain->staged);
}
