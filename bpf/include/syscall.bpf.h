/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* System calls as sys_enter and sys_exit see them: numbers, arguments, and structs in user memory. */
#ifndef ROOTWALK_SYSCALL_BPF_H
#define ROOTWALK_SYSCALL_BPF_H

#include "common.bpf.h"

#define TS_COMPAT 0x0002

struct user_iovec {
	__u64 base;
	__u64 length;
};

struct user_message {
	__u64 name;
	__u64 name_length;
	__u64 iov;
	__u64 iov_count;
	__u64 control;
	__u64 control_length;
	__u64 flags;
	__u64 message_length; /* of struct mmsghdr */
};

static __always_inline bool is_compat(struct task_struct *task)
{
#if defined(__TARGET_ARCH_x86)
	return task->thread_info.status & TS_COMPAT;
#else
	return false;
#endif
}

static __always_inline __u64 syscall_arg(struct pt_regs *regs, int n)
{
#if defined(__TARGET_ARCH_x86)
	return n == 0 ? regs->di : n == 1 ? regs->si : n == 2 ? regs->dx : n == 3 ? regs->r10 : regs->r8;
#else
	return n == 0 ? PT_REGS_PARM1_CORE_SYSCALL(regs) :
	       n == 1 ? PT_REGS_PARM2_CORE_SYSCALL(regs) :
	       n == 2 ? PT_REGS_PARM3_CORE_SYSCALL(regs) :
	       n == 3 ? PT_REGS_PARM4_CORE_SYSCALL(regs) :
			PT_REGS_PARM5_CORE_SYSCALL(regs);
#endif
}

static __always_inline __u64 syscall_number(struct pt_regs *regs)
{
#if defined(__TARGET_ARCH_x86)
	return regs->orig_ax;
#elif defined(__TARGET_ARCH_arm64)
	return regs->syscallno;
#else
#error "not supported: add the register that holds the system call number"
#endif
}

static __always_inline __u8 op_of(__u64 number)
{
	return number < TARG_SYSCALLS ? targ_ops[number] : RW_OP_NONE;
}

static __always_inline bool is_send(__u8 op)
{
	return op == RW_OP_WRITE || op == RW_OP_WRITEV || op == RW_OP_SENDTO || op == RW_OP_SENDMSG ||
	       op == RW_OP_SENDMMSG || op == RW_OP_SENDFILE || op == RW_OP_SPLICE;
}

#endif
