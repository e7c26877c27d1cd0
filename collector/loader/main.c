// SPDX-License-Identifier: Apache-2.0
/*
 * rootwalk-loader: the privileged part of the collector.
 *
 * Loads and attaches the probes, moves their frames to standard output, parses nothing. Pins nothing: when it ends, for
 * whatever reason, the kernel removes every program and map. It ends when standard input is closed, when the reader of
 * standard output is gone, when its parent has died, or on SIGINT or SIGTERM; the last statistics are written first
 * where there is still someone to read them.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "drain.h"
#include "kernel.h"
#include "options.h"
#include "output.h"
#include "probes.h"
#include "rootwalk.skel.h"
#include "wire.h"

/* Without traffic the ring buffers are looked at less often. */
#define IDLE_ROUNDS 50
#define IDLE_POLL_MS 20

static volatile sig_atomic_t stopping;

static void on_signal(int signal)
{
	(void)signal;
	stopping = 1;
}

static bool verbose;
static struct probes probes;

static void take_command(char command)
{
	if (command == RW_COMMAND_PAUSE)
		probes.skeleton->bss->capture_paused = 1;
	else if (command == RW_COMMAND_RESUME)
		probes.skeleton->bss->capture_paused = 0;
}

static int on_libbpf(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level;
	return verbose ? vfprintf(stderr, format, args) : 0;
}

static __u32 own_netns(void)
{
	struct stat status;

	return stat("/proc/self/ns/net", &status) == 0 ? status.st_ino : 0;
}

static int add_hello(struct buffer *out, const struct options *options)
{
	struct rw_hello hello = {
		.frame = { .length = sizeof(hello), .type = RW_FRAME_HELLO },
		.ktime_ns = now_ns(),
		.boot_offset_ns = boot_offset_ns(),
		.wire_version = RW_WIRE_VERSION,
		.interval_ms = options->interval_ms,
		.capture_bytes = options->capture_bytes,
		.cpu_count = libbpf_num_possible_cpus(),
		.loader_pid = getpid(),
		.own_netns = own_netns(),
	};
	struct utsname name;

	if (uname(&name) == 0)
		snprintf(hello.kernel_release, sizeof(hello.kernel_release), "%.63s", name.release);
	return buffer_add(out, &hello, sizeof(hello));
}

static int add_ready(struct buffer *out, const struct probes *probes)
{
	struct rw_ready ready = {
		.frame = { .length = sizeof(ready), .type = RW_FRAME_READY },
		.ktime_ns = now_ns(),
	};

	for (size_t i = 0; i < probes->count; i++) {
		if (probes->list[i].attached)
			ready.probes_attached++;
		else if (!probes->list[i].quiet)
			ready.probes_missing++;
	}
	return buffer_add(out, &ready, sizeof(ready));
}

/* The next multiple of the interval since the epoch, as CLOCK_MONOTONIC. */
static __u64 next_tick_ns(const struct options *options)
{
	__u64 interval_ns = options->interval_ms * 1000000ull, offset = boot_offset_ns();
	__u64 real = now_ns() + offset;

	return (real / interval_ns + 1) * interval_ns - offset;
}

static int run(struct drain *drain, const struct options *options)
{
	__u64 tick_ns = next_tick_ns(options);
	pid_t parent = getppid();
	unsigned int idle = 0;
	long moved;
	int err;

	while (!stopping) {
		__u64 now = now_ns();
		int timeout_ms = idle < IDLE_ROUNDS ? (int)options->poll_ms : IDLE_POLL_MS;

		if (now >= tick_ns) {
			err = drain_interval(drain, false);
			if (err)
				return err;
			tick_ns = next_tick_ns(options);
			if (getppid() != parent)
				return 0;
			continue;
		}
		if ((__u64)timeout_ms * 1000000 > tick_ns - now)
			timeout_ms = (tick_ns - now) / 1000000 + 1;
		if (wait_for_end(timeout_ms))
			break;
		moved = drain_rings(drain);
		if (moved < 0)
			return moved;
		idle = moved > 0 ? 0 : idle + 1;
	}
	return drain_interval(drain, true);
}

static int introduce(struct drain *drain, const struct options *options, const struct probes *probes)
{
	int err = add_hello(&drain->out, options);

	if (!err)
		err = probes_report(probes, &drain->out);
	if (!err)
		err = add_drop_reasons(&drain->out);
	return err ? err : output_flush(&drain->out);
}

static int verify(struct probes *probes, const struct options *options, const struct kernel *kernel)
{
	struct buffer out = {};
	int err = probes_verify(probes, options, kernel);

	if (!err)
		err = add_hello(&out, options);
	if (!err)
		err = probes_report(probes, &out);
	if (!err)
		err = add_ready(&out, probes);
	if (!err)
		err = output_flush(&out);
	buffer_free(&out);
	return err;
}

/* For "rootwalk doctor": what a process has that was started from this file, by this user, here. */
static int write_capabilities(void)
{
	FILE *status = fopen("/proc/self/status", "r");
	char line[256];
	int err = 1;

	if (!status)
		return 1;
	while (err && fgets(line, sizeof(line), status)) {
		if (!strncmp(line, "CapEff:", 7))
			err = fputs(line, stdout) < 0;
	}
	fclose(status);
	return err;
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct rlimit memory = { RLIM_INFINITY, RLIM_INFINITY };
	struct options options;
	struct kernel kernel;
	struct drain drain = {};
	int err, stats_fd = -1;

	if (parse_options(&options, argc, argv))
		return 2;
	if (options.capabilities)
		return write_capabilities();
	verbose = options.verbose;
	libbpf_set_print(on_libbpf);
	libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	/* Before 5.11 maps count against this limit. */
	setrlimit(RLIMIT_MEMLOCK, &memory);

	err = output_init();
	if (err) {
		fprintf(stderr, "rootwalk-loader: standard output is not usable: %s\n", strerror(-err));
		return 1;
	}
	err = read_kernel(&kernel);
	if (err) {
		fprintf(stderr, "rootwalk-loader: no BTF of this kernel (/sys/kernel/btf/vmlinux): %s. "
				"Mend: a kernel with CONFIG_DEBUG_INFO_BTF=y (5.8 or newer).\n", strerror(-err));
		return 1;
	}
	if (options.verify) {
		err = verify(&probes, &options, &kernel);
		return err ? 1 : 0;
	}
	err = probes_start(&probes, &options, &kernel);
	if (err) {
		fprintf(stderr, "rootwalk-loader: cannot create the BPF maps: %s. Mend: run as root, or give CAP_BPF "
				"and CAP_PERFMON (before Linux 5.11 CAP_SYS_RESOURCE too).\n", strerror(-err));
		probes_stop(&probes);
		return 1;
	}
	on_command = take_command;
	if (options.bpf_stats)
		stats_fd = bpf_enable_stats(BPF_STATS_RUN_TIME);
	err = drain_init(&drain, &probes);
	if (!err)
		err = introduce(&drain, &options, &probes);
	if (!err)
		err = drain_sockets(&drain);
	if (!err)
		err = add_ready(&drain.out, &probes);
	if (!err)
		err = output_flush(&drain.out);
	if (!err)
		err = run(&drain, &options);
	on_command = NULL;
	drain_free(&drain);
	probes_stop(&probes);
	if (stats_fd >= 0)
		close(stats_fd);
	if (err && err != -EPIPE) {
		fprintf(stderr, "rootwalk-loader: %s\n", strerror(-err));
		return 1;
	}
	return 0;
}
