// SPDX-License-Identifier: Apache-2.0
/* Loading and attaching, one probe at a time where it matters. */
#include "probes.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "rootwalk.skel.h"
#include "wire.h"

#define LOG_BYTES (1 << 20)

/* A fallback program and the one it stands in for. */
static const struct {
	const char *fallback;
	const char *primary;
} fallbacks[] = {
	{ "kprobe_tcp_retransmit_skb", "tcp_retransmit_skb" },
	{ "kprobe_tcp_drop", "kfree_skb" },
};

static const struct {
	long number;
	__u8 op;
} syscalls[] = {
	{ SYS_read, RW_OP_READ },	  { SYS_write, RW_OP_WRITE },	    { SYS_readv, RW_OP_READV },
	{ SYS_writev, RW_OP_WRITEV },	  { SYS_recvfrom, RW_OP_RECVFROM }, { SYS_sendto, RW_OP_SENDTO },
	{ SYS_recvmsg, RW_OP_RECVMSG },	  { SYS_sendmsg, RW_OP_SENDMSG },   { SYS_sendmmsg, RW_OP_SENDMMSG },
	{ SYS_recvmmsg, RW_OP_RECVMMSG }, { SYS_sendfile, RW_OP_SENDFILE }, { SYS_splice, RW_OP_SPLICE },
	{ SYS_connect, RW_OP_CONNECT },	  { SYS_accept, RW_OP_ACCEPT },	    { SYS_accept4, RW_OP_ACCEPT },
};

static struct probe *find_probe(struct probes *probes, const char *name)
{
	for (size_t i = 0; i < probes->count; i++)
		if (strcmp(probes->list[i].name, name) == 0)
			return &probes->list[i];
	return NULL;
}

static const char *primary_of(const char *name)
{
	for (size_t i = 0; i < sizeof(fallbacks) / sizeof(fallbacks[0]); i++)
		if (strcmp(fallbacks[i].fallback, name) == 0)
			return fallbacks[i].primary;
	return NULL;
}

static void fail(struct probe *probe, int error, const char *format, const char *detail)
{
	probe->wanted = false;
	probe->attached = false;
	probe->error = error;
	snprintf(probe->reason, sizeof(probe->reason), format, detail);
}

static struct rootwalk *open_skeleton(const struct options *options, const struct kernel *kernel)
{
	struct rootwalk *skeleton = rootwalk__open();

	if (!skeleton)
		return NULL;
	skeleton->rodata->targ_capture_bytes = options->capture_bytes;
	skeleton->rodata->filter_netns = options->netns_count > 0;
	skeleton->rodata->filter_ports_include = options->include_port_count > 0;
	skeleton->rodata->filter_ports_exclude = options->exclude_port_count > 0;
	skeleton->rodata->targ_kfree_skb_args = kernel->kfree_skb_args;
	skeleton->rodata->targ_hz = kernel->hz;
	for (size_t i = 0; i < sizeof(syscalls) / sizeof(syscalls[0]); i++)
		if (syscalls[i].number < (long)sizeof(skeleton->rodata->targ_ops))
			skeleton->rodata->targ_ops[syscalls[i].number] = syscalls[i].op;
	bpf_map__set_max_entries(skeleton->maps.conns, options->max_conns);
	bpf_map__set_max_entries(skeleton->maps.control_ring, options->control_ring_bytes);
	bpf_map__set_max_entries(skeleton->maps.data_ring, options->data_ring_bytes);
	return skeleton;
}

/* The last line of a verifier log that says something. */
static const char *last_words(char *log)
{
	char *line, *last = NULL, *rest = log;

	while ((line = strsep(&rest, "\n")))
		if (*line && strncmp(line, "processed ", 10) != 0)
			last = line;
	return last;
}

static void explain_load_error(struct probe *probe, int error, char *log)
{
	const char *words = last_words(log);

	if (words)
		fail(probe, error, "the verifier refused it: %s", words);
	else if (error == EPERM || error == EACCES)
		fail(probe, error, "not permitted: needs root, or CAP_BPF and CAP_PERFMON%s", "");
	else if (error == ESRCH || error == ENOENT)
		fail(probe, error, "this kernel has no such hook%s", "");
	else
		fail(probe, error, "cannot be loaded: %s", strerror(error));
}

/* Loads one program alone, with small maps. Returns 0 or writes down why not. */
static int try_alone(struct probe *probe, const struct options *options, const struct kernel *kernel, char *log)
{
	struct options small = *options;
	struct bpf_program *program;
	struct rootwalk *skeleton;
	int err;

	small.max_conns = 16;
	small.control_ring_bytes = small.data_ring_bytes = sysconf(_SC_PAGESIZE);
	skeleton = open_skeleton(&small, kernel);
	if (!skeleton)
		return -errno;
	log[0] = 0;
	bpf_object__for_each_program(program, skeleton->obj) {
		bool own = strcmp(bpf_program__name(program), probe->name) == 0;

		bpf_program__set_autoload(program, own);
		if (own) {
			bpf_program__set_log_buf(program, log, LOG_BYTES);
			bpf_program__set_log_level(program, 1);
		}
	}
	err = rootwalk__load(skeleton);
	if (options->verbose)
		fprintf(stderr, "%s:\n%s\n", probe->name, log);
	if (err)
		explain_load_error(probe, -err, log);
	rootwalk__destroy(skeleton);
	return err;
}

static int list_probes(struct probes *probes, const struct options *options, const struct kernel *kernel)
{
	struct rootwalk *skeleton = open_skeleton(options, kernel);
	struct bpf_program *program;

	*probes = (struct probes){};
	if (!skeleton)
		return -errno;
	bpf_object__for_each_program(program, skeleton->obj) {
		struct probe *probe;

		if (probes->count == MAX_PROBES)
			break;
		probe = &probes->list[probes->count++];
		snprintf(probe->name, sizeof(probe->name), "%s", bpf_program__name(program));
		probe->wanted = true;
	}
	rootwalk__destroy(skeleton);
	return 0;
}

static void leave_out(struct probes *probes, const struct options *options, const struct kernel *kernel)
{
	struct probe *probe;

	if (kernel->kfree_skb_args < 3 && (probe = find_probe(probes, "kfree_skb")))
		fail(probe, ENOTSUP, "%s", "skb:kfree_skb has no drop reason on this kernel (it came with 5.17)");
	for (size_t i = 0; i < options->disabled_count; i++)
		if ((probe = find_probe(probes, options->disabled[i])))
			fail(probe, ECANCELED, "%s", "left out by --disable");
	/* Fallbacks wait until the one they stand in for has failed. */
	for (size_t i = 0; i < probes->count; i++)
		if (primary_of(probes->list[i].name)) {
			probes->list[i].wanted = false;
			probes->list[i].quiet = true;
		}
}

static void call_fallbacks(struct probes *probes)
{
	for (size_t i = 0; i < probes->count; i++) {
		struct probe *probe = &probes->list[i], *primary;
		const char *name = primary_of(probe->name);

		primary = name ? find_probe(probes, name) : NULL;
		if (!primary || primary->wanted || probe->error)
			continue;
		probe->wanted = true;
		probe->quiet = false;
	}
}

static int load_wanted(struct probes *probes, const struct options *options, const struct kernel *kernel)
{
	struct bpf_program *program;
	int err;

	probes->skeleton = open_skeleton(options, kernel);
	if (!probes->skeleton)
		return -errno;
	bpf_object__for_each_program(program, probes->skeleton->obj) {
		struct probe *probe = find_probe(probes, bpf_program__name(program));

		bpf_program__set_autoload(program, probe && probe->wanted);
	}
	err = rootwalk__load(probes->skeleton);
	if (err) {
		rootwalk__destroy(probes->skeleton);
		probes->skeleton = NULL;
	}
	return err;
}

static void explain_attach_error(struct probe *probe, int error)
{
	if (strncmp(probe->name, "kprobe_", 7) == 0)
		fail(probe, error, "kprobes cannot be attached (CONFIG_KPROBES, function present?): %s", strerror(error));
	else if (error == EPERM || error == EACCES)
		fail(probe, error, "not permitted: needs root, or CAP_BPF and CAP_PERFMON%s", "");
	else if (error == ENOENT)
		fail(probe, error, "%s", "the tracepoint is not there, or tracefs is not mounted (/sys/kernel/tracing)");
	else
		fail(probe, error, "cannot be attached: %s", strerror(error));
}

static struct bpf_link *attach(struct probes *probes, struct bpf_program *program)
{
	DECLARE_LIBBPF_OPTS(bpf_iter_attach_opts, iter);
	union bpf_iter_link_info info = {};

	if (program == probes->skeleton->progs.list_conns || program == probes->skeleton->progs.list_listeners) {
		info.map.map_fd = program == probes->skeleton->progs.list_conns ?
					  bpf_map__fd(probes->skeleton->maps.conns) :
					  bpf_map__fd(probes->skeleton->maps.listeners);
		iter.link_info = &info;
		iter.link_info_len = sizeof(info);
		return bpf_program__attach_iter(program, &iter);
	}
	return bpf_program__attach(program);
}

static void attach_wanted(struct probes *probes)
{
	struct bpf_program *program;

	bpf_object__for_each_program(program, probes->skeleton->obj) {
		struct probe *probe = find_probe(probes, bpf_program__name(program));

		if (!probe || !probe->wanted)
			continue;
		probe->link = attach(probes, program);
		if (probe->link)
			probe->attached = true;
		else
			explain_attach_error(probe, errno);
	}
}

static int fill_filters(struct probes *probes, const struct options *options)
{
	int netns = bpf_map__fd(probes->skeleton->maps.netns_filter);
	int ports = bpf_map__fd(probes->skeleton->maps.port_filter);
	int tgids = bpf_map__fd(probes->skeleton->maps.excluded_tgids);
	__u32 own[2] = { getpid(), getppid() };
	__u8 one = 1, two = 2;
	int err = 0;

	for (size_t i = 0; i < options->netns_count && !err; i++)
		err = bpf_map_update_elem(netns, &options->netns[i], &one, BPF_ANY);
	for (size_t i = 0; i < options->include_port_count && !err; i++)
		err = bpf_map_update_elem(ports, &options->include_ports[i], &one, BPF_ANY);
	for (size_t i = 0; i < options->exclude_port_count && !err; i++)
		err = bpf_map_update_elem(ports, &options->exclude_ports[i], &two, BPF_ANY);
	for (size_t i = 0; i < options->exclude_pid_count && !err; i++)
		err = bpf_map_update_elem(tgids, &options->exclude_pids[i], &one, BPF_ANY);
	for (size_t i = 0; i < 2 && !err; i++)
		err = bpf_map_update_elem(tgids, &own[i], &one, BPF_ANY);
	return err;
}

/* After a failed load: which programs does this kernel not take? */
static int sort_out(struct probes *probes, const struct options *options, const struct kernel *kernel)
{
	char *log = malloc(LOG_BYTES);

	if (!log)
		return -ENOMEM;
	for (size_t i = 0; i < probes->count; i++)
		if (probes->list[i].wanted)
			try_alone(&probes->list[i], options, kernel, log);
	free(log);
	return 0;
}

int probes_start(struct probes *probes, const struct options *options, const struct kernel *kernel)
{
	int err = list_probes(probes, options, kernel);

	if (err)
		return err;
	leave_out(probes, options, kernel);
	call_fallbacks(probes);
	err = load_wanted(probes, options, kernel);
	if (err) {
		err = sort_out(probes, options, kernel);
		if (err)
			return err;
		call_fallbacks(probes);
		err = sort_out(probes, options, kernel);
		if (!err)
			err = load_wanted(probes, options, kernel);
		if (err)
			return err;
	}
	err = fill_filters(probes, options);
	if (err)
		return err;
	attach_wanted(probes);
	return 0;
}

int probes_verify(struct probes *probes, const struct options *options, const struct kernel *kernel)
{
	int err = list_probes(probes, options, kernel);

	if (err)
		return err;
	err = sort_out(probes, options, kernel);
	for (size_t i = 0; i < probes->count; i++)
		probes->list[i].attached = probes->list[i].wanted;
	return err;
}

int probes_report(const struct probes *probes, struct buffer *out)
{
	for (size_t i = 0; i < probes->count; i++) {
		const struct probe *probe = &probes->list[i];
		struct rw_probe frame = {
			.frame = { .length = sizeof(frame), .type = RW_FRAME_PROBE },
			.attached = probe->attached,
			.error = probe->error,
		};
		int err;

		if (probe->quiet)
			continue;
		memcpy(frame.name, probe->name, sizeof(frame.name));
		memcpy(frame.reason, probe->reason, sizeof(frame.reason));
		err = buffer_add(out, &frame, sizeof(frame));
		if (err)
			return err;
	}
	return 0;
}

void probes_stop(struct probes *probes)
{
	for (size_t i = 0; i < probes->count; i++)
		bpf_link__destroy(probes->list[i].link);
	if (probes->skeleton)
		rootwalk__destroy(probes->skeleton);
	*probes = (struct probes){};
}
