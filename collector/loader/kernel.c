// SPDX-License-Identifier: Apache-2.0
/* Questions to the kernel's BTF and configuration. */
#include "kernel.h"

#include <bpf/btf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <zlib.h>

#include "wire.h"

/* The reason that bpf/drop.bpf.c gives to tcp_drop() of kernels without reasons. */
#define REASON_TCP_DROP 0xffff

/* Arguments of a tracepoint, without the context that comes first. */
static __u32 tracepoint_args(const struct btf *btf, const char *name)
{
	__s32 id = btf__find_by_name_kind(btf, name, BTF_KIND_TYPEDEF);
	const struct btf_type *type;

	if (id < 0)
		return 0;
	type = btf__type_by_id(btf, id);
	type = btf__type_by_id(btf, type->type);
	if (!type || !btf_is_ptr(type))
		return 0;
	type = btf__type_by_id(btf, type->type);
	if (!type || !btf_is_func_proto(type) || btf_vlen(type) == 0)
		return 0;
	return btf_vlen(type) - 1;
}

/* CONFIG_HZ from the running kernel's configuration, 0 when it cannot be read. */
static __u32 read_hz(void)
{
	char path[256], line[512];
	struct utsname name;
	__u32 hz = 0;
	gzFile file;

	file = gzopen("/proc/config.gz", "r");
	if (!file && uname(&name) == 0) {
		snprintf(path, sizeof(path), "/boot/config-%s", name.release);
		file = gzopen(path, "r");
	}
	if (!file)
		return 0;
	while (gzgets(file, line, sizeof(line))) {
		if (sscanf(line, "CONFIG_HZ=%u", &hz) == 1)
			break;
	}
	gzclose(file);
	return hz;
}

int read_kernel(struct kernel *kernel)
{
	struct btf *btf = btf__load_vmlinux_btf();

	*kernel = (struct kernel){ .hz = read_hz() };
	if (!btf)
		return -errno;
	kernel->kfree_skb_args = tracepoint_args(btf, "btf_trace_kfree_skb");
	kernel->has_tcp_drop = btf__find_by_name_kind(btf, "tcp_drop", BTF_KIND_FUNC) > 0;
	btf__free(btf);
	return 0;
}

static int add_name(struct buffer *out, __u32 id, const char *text)
{
	struct rw_name name = {
		.frame = { .length = sizeof(name), .type = RW_FRAME_NAME },
		.name_space = RW_NAME_DROP_REASON,
		.id = id,
	};

	snprintf(name.name, sizeof(name.name), "%s", text);
	return buffer_add(out, &name, sizeof(name));
}

int add_drop_reasons(struct buffer *out)
{
	static const char prefix[] = "SKB_DROP_REASON_", other_prefix[] = "SKB_";
	struct btf *btf = btf__load_vmlinux_btf();
	const struct btf_enum *value;
	const struct btf_type *type;
	__s32 id;
	int err = 0;

	if (!btf)
		return -errno;
	id = btf__find_by_name_kind(btf, "skb_drop_reason", BTF_KIND_ENUM);
	if (id > 0) {
		type = btf__type_by_id(btf, id);
		value = btf_enum(type);
		for (__u32 i = 0; i < btf_vlen(type) && !err; i++, value++) {
			const char *text = btf__name_by_offset(btf, value->name_off);

			if (strncmp(text, prefix, sizeof(prefix) - 1) == 0)
				text += sizeof(prefix) - 1;
			else if (strncmp(text, other_prefix, sizeof(other_prefix) - 1) == 0)
				text += sizeof(other_prefix) - 1;
			err = add_name(out, value->val, text);
		}
	}
	if (!err)
		err = add_name(out, REASON_TCP_DROP, "TCP_DROP");
	btf__free(btf);
	return err;
}
