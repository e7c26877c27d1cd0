/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Processes: exec, exit with code and signal, choice by the OOM killer.
 *
 * From sched:sched_process_exec, sched:sched_process_exit (of the last thread) and oom:mark_victim.
 * Not seen: forks without exec (they show when they use a connection).
 */
#include "common.bpf.h"

static __always_inline struct rw_process_event *reserve_process(__u8 kind)
{
	struct rw_process_event *event = bpf_ringbuf_reserve(&control_ring, sizeof(*event), 0);

	if (!event) {
		COUNT(lost_control, 1);
		return NULL;
	}
	__builtin_memset(event, 0, sizeof(*event));
	frame_header(&event->frame, sizeof(*event), RW_FRAME_PROCESS);
	event->ts_ns = bpf_ktime_get_ns();
	event->kind = kind;
	return event;
}

static __always_inline void fill_current(struct rw_process_event *event, struct task_struct *task, __u32 netns)
{
	event->cgroup_id = bpf_get_current_cgroup_id();
	event->netns = netns;
	event->tgid = BPF_CORE_READ(task, tgid);
	event->parent_tgid = BPF_CORE_READ(task, real_parent, tgid);
	event->uid = (__u32)bpf_get_current_uid_gid();
	bpf_get_current_comm(event->comm, sizeof(event->comm));
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(sched_process_exec, struct task_struct *task, pid_t old_pid, struct linux_binprm *bprm)
{
	__u32 netns = BPF_CORE_READ(task, nsproxy, net_ns, ns.inum);
	struct rw_process_event *event;

	if (!netns_wanted(netns))
		return 0;
	event = reserve_process(RW_PROCESS_EXEC);
	if (!event)
		return 0;
	fill_current(event, task, netns);
	bpf_probe_read_kernel_str(event->path, sizeof(event->path), BPF_CORE_READ(bprm, filename));
	bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);
	COUNT(control_events, 1);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(sched_process_exit, struct task_struct *task)
{
	__u32 netns = BPF_CORE_READ(task, nsproxy, net_ns, ns.inum);
	struct rw_process_event *event;
	__s32 code;

	/* do_exit() has already taken this thread off signal->live. */
	if (BPF_CORE_READ(task, signal, live.counter) != 0 || !netns_wanted(netns))
		return 0;
	event = reserve_process(RW_PROCESS_EXIT);
	if (!event)
		return 0;
	fill_current(event, task, netns);
	code = BPF_CORE_READ(task, exit_code);
	event->signal = code & 0x7f;
	event->exit_code = (code >> 8) & 0xff;
	event->start_ns = BPF_CORE_READ(task, group_leader, start_time);
	bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);
	COUNT(control_events, 1);
	return 0;
}

SEC("tp/oom/mark_victim")
int mark_victim(struct trace_event_raw_mark_victim *ctx)
{
	struct rw_process_event *event = reserve_process(RW_PROCESS_OOM_KILL);

	if (!event)
		return 0;
	event->tgid = BPF_CORE_READ(ctx, pid);
	bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);
	COUNT(control_events, 1);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
