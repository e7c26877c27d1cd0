// SPDX-License-Identifier: Apache-2.0
/* Command line of the loader. */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "wire.h"

enum {
	OPT_INTERVAL = 256,
	OPT_POLL,
	OPT_CAPTURE,
	OPT_CONTROL_RING,
	OPT_DATA_RING,
	OPT_MAX_CONNS,
	OPT_NETNS,
	OPT_INCLUDE_PORT,
	OPT_EXCLUDE_PORT,
	OPT_EXCLUDE_PID,
	OPT_DISABLE,
	OPT_BPF_STATS,
	OPT_VERIFY,
	OPT_CAPABILITIES,
	OPT_VERBOSE,
	OPT_HELP,
};

static const struct option long_options[] = {
	{ "interval-ms", required_argument, NULL, OPT_INTERVAL },
	{ "poll-ms", required_argument, NULL, OPT_POLL },
	{ "capture", required_argument, NULL, OPT_CAPTURE },
	{ "control-ring", required_argument, NULL, OPT_CONTROL_RING },
	{ "data-ring", required_argument, NULL, OPT_DATA_RING },
	{ "max-conns", required_argument, NULL, OPT_MAX_CONNS },
	{ "netns", required_argument, NULL, OPT_NETNS },
	{ "include-port", required_argument, NULL, OPT_INCLUDE_PORT },
	{ "exclude-port", required_argument, NULL, OPT_EXCLUDE_PORT },
	{ "exclude-pid", required_argument, NULL, OPT_EXCLUDE_PID },
	{ "disable", required_argument, NULL, OPT_DISABLE },
	{ "bpf-stats", no_argument, NULL, OPT_BPF_STATS },
	{ "verify", no_argument, NULL, OPT_VERIFY },
	{ "capabilities", no_argument, NULL, OPT_CAPABILITIES },
	{ "verbose", no_argument, NULL, OPT_VERBOSE },
	{ "help", no_argument, NULL, OPT_HELP },
	{ NULL, 0, NULL, 0 },
};

static const char usage[] =
	"rootwalk-loader: loads the probes and writes frames (bpf/include/wire.h) to standard output.\n"
	"Ends when standard input is closed. Needs root, or CAP_BPF and CAP_PERFMON\n"
	"(before Linux 5.11 CAP_SYS_RESOURCE too).\n"
	"\n"
	"  --interval-ms N    statistics every N ms, aligned to the epoch (1000)\n"
	"  --poll-ms N        empty the ring buffers every N ms (5)\n"
	"  --capture N        bytes of payload per system call, 64 to 4096 (512)\n"
	"  --control-ring N   bytes of the control ring buffer, a power of two (1048576)\n"
	"  --data-ring N      bytes of the data ring buffer, a power of two (8388608)\n"
	"  --max-conns N      connections followed at once (65536)\n"
	"  --netns INODE      watch this network namespace only; may be repeated\n"
	"  --include-port P   payload of these ports only; may be repeated\n"
	"  --exclude-port P   no payload of these ports; may be repeated\n"
	"  --exclude-pid P    follow no connection of this process; may be repeated\n"
	"  --disable PROBE    leave a probe out; may be repeated\n"
	"  --bpf-stats        measure the run time of the probes\n"
	"  --verify           load each program alone, fallbacks too, report and end\n"
	"  --capabilities     write this process's capabilities (CapEff of /proc/PID/status) and end\n"
	"  --verbose          libbpf's messages on standard error\n";

static int number(const char *name, const char *text, unsigned long low, unsigned long high, unsigned long *value)
{
	char *end;

	errno = 0;
	*value = strtoul(text, &end, 10);
	if (errno || end == text || *end || *value < low || *value > high) {
		fprintf(stderr, "rootwalk-loader: --%s: expected a number from %lu to %lu, found \"%s\"\n", name, low, high,
			text);
		return 2;
	}
	return 0;
}

static int ring_size(const char *name, const char *text, __u32 *bytes)
{
	unsigned long value, page = sysconf(_SC_PAGESIZE);

	if (number(name, text, page, 1ul << 30, &value))
		return 2;
	if (value & (value - 1)) {
		fprintf(stderr, "rootwalk-loader: --%s: expected a power of two, found %lu\n", name, value);
		return 2;
	}
	*bytes = value;
	return 0;
}

static int full(const char *name, size_t count)
{
	if (count < MAX_LIST)
		return 0;
	fprintf(stderr, "rootwalk-loader: --%s: at most %d are possible\n", name, MAX_LIST);
	return 1;
}

static int apply(struct options *o, int option, const char *name, const char *text)
{
	unsigned long value = 0;

	switch (option) {
	case OPT_INTERVAL:
		if (number(name, text, 50, 3600000, &value))
			return 2;
		o->interval_ms = value;
		return 0;
	case OPT_POLL:
		if (number(name, text, 1, 1000, &value))
			return 2;
		o->poll_ms = value;
		return 0;
	case OPT_CAPTURE:
		if (number(name, text, 64, RW_CAPTURE_MAX, &value))
			return 2;
		o->capture_bytes = value;
		return 0;
	case OPT_CONTROL_RING:
		return ring_size(name, text, &o->control_ring_bytes);
	case OPT_DATA_RING:
		return ring_size(name, text, &o->data_ring_bytes);
	case OPT_MAX_CONNS:
		if (number(name, text, 16, 4000000, &value))
			return 2;
		o->max_conns = value;
		return 0;
	case OPT_NETNS:
		if (full(name, o->netns_count) || number(name, text, 1, 0xffffffff, &value))
			return 2;
		o->netns[o->netns_count++] = value;
		return 0;
	case OPT_INCLUDE_PORT:
		if (full(name, o->include_port_count) || number(name, text, 1, 65535, &value))
			return 2;
		o->include_ports[o->include_port_count++] = value;
		return 0;
	case OPT_EXCLUDE_PORT:
		if (full(name, o->exclude_port_count) || number(name, text, 1, 65535, &value))
			return 2;
		o->exclude_ports[o->exclude_port_count++] = value;
		return 0;
	case OPT_EXCLUDE_PID:
		/* Two places are the loader's own and its parent's. */
		if (full(name, o->exclude_pid_count + 2) || number(name, text, 1, 0x7fffffff, &value))
			return 2;
		o->exclude_pids[o->exclude_pid_count++] = value;
		return 0;
	case OPT_DISABLE:
		if (full(name, o->disabled_count))
			return 2;
		o->disabled[o->disabled_count++] = text;
		return 0;
	case OPT_BPF_STATS:
		o->bpf_stats = true;
		return 0;
	case OPT_VERIFY:
		o->verify = true;
		return 0;
	case OPT_CAPABILITIES:
		o->capabilities = true;
		return 0;
	case OPT_VERBOSE:
		o->verbose = true;
		return 0;
	case OPT_HELP:
		fputs(usage, stdout);
		exit(0);
	default:
		fputs("rootwalk-loader: see --help\n", stderr);
		return 2;
	}
}

int parse_options(struct options *options, int argc, char **argv)
{
	int option, index = 0;

	*options = (struct options){
		.interval_ms = 1000,
		.poll_ms = 5,
		.capture_bytes = 512,
		.control_ring_bytes = 1 << 20,
		.data_ring_bytes = 8 << 20,
		.max_conns = 65536,
	};
	while ((option = getopt_long(argc, argv, "", long_options, &index)) != -1) {
		if (apply(options, option, option >= OPT_INTERVAL ? long_options[index].name : "", optarg))
			return 2;
	}
	if (optind < argc) {
		fprintf(stderr, "rootwalk-loader: unexpected argument \"%s\"; see --help\n", argv[optind]);
		return 2;
	}
	return 0;
}
