/* clone.c - new threads: clone(2), clone3(2), as glibc's and others' thread libraries use them.
 *
 * There is one process and one address space, so only a thread can be made: CLONE_VM, CLONE_SIGHAND and
 * CLONE_THREAD together. What asks for a process (fork, vfork, posix_spawn, execve) gets ENOSYS and is
 * reported by name, so that the user learns that it was a subprocess that failed.
 */
#include <linux/sched.h>
#include "internal.h"
#include "memory.h"
#include "process.h"
#include "report.h"

#define CLONE_NEEDED (CLONE_VM | CLONE_SIGHAND | CLONE_THREAD)
/* What means nothing where all threads share all things. */
#define CLONE_IMPLIED                                                                                        \
    (CLONE_FS | CLONE_FILES | CLONE_SYSVSEM | CLONE_IO | CLONE_DETACHED | CLONE_UNTRACED | CLONE_PTRACE)
#define CLONE_DONE (CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID)

/* freeze/: this fork is where the memory becomes an image. */
WEAK bool freeze_wanted(void)
{
    return false;
}
WEAK int freeze(void)
{
    return -ENOSYS;
}

/* The program goes on as the child of that fork, perhaps on another machine. */
static long become_child(uint64_t flags, uintptr_t child_tid)
{
    int error = freeze();
    if (error)
        return error;
    thread_renew(current);
    process_id = current->tid;
    if (flags & CLONE_CHILD_CLEARTID)
        current->clear_tid = child_tid;
    if (flags & CLONE_CHILD_SETTID)
        (void)put_user((int __user *)child_tid, current->tid);
    return 0;
}

/* signals/: a new thread begins with its maker's mask. */
static long make(uint64_t flags, uintptr_t stack, uintptr_t parent_tid, uintptr_t child_tid, uintptr_t tls)
{
    if ((flags & (CLONE_SIGHAND | CLONE_VM)) == CLONE_SIGHAND ||
        (flags & (CLONE_THREAD | CLONE_SIGHAND)) == CLONE_THREAD)
        return -EINVAL;
    if ((flags & CLONE_NEEDED) != CLONE_NEEDED) {
        if (!(flags & (CLONE_VM | CLONE_THREAD)) && freeze_wanted())
            return become_child(flags, child_tid);
        missing_call(flags & CLONE_VFORK ? __NR_vfork : __NR_fork, current->user->rip);
        return -ENOSYS;
    }
    if (flags & ~(uint64_t)(CLONE_NEEDED | CLONE_IMPLIED | CLONE_DONE | CSIGNAL))
        return -EINVAL;
    if (flags & CLONE_SETTLS && tls >= USER_END)
        return -EPERM;
    struct registers user = *current->user;
    user.rax = 0;
    user.number = (uint64_t)-1;
    if (stack)
        user.rsp = stack;
    struct thread *t = thread_create(&user, flags & CLONE_SETTLS ? tls : fs_base_read());
    if (!t)
        return -EAGAIN;
    fpu_copy_current(t->fpu);
    t->gs_base = gs_base_read();
    t->signals.blocked = current->signals.blocked;
    t->share = current->share;
    if (flags & CLONE_CHILD_CLEARTID)
        t->clear_tid = child_tid;
    int tid = t->tid;
    if (flags & CLONE_PARENT_SETTID)
        (void)put_user((int __user *)parent_tid, tid);
    if (flags & CLONE_CHILD_SETTID)
        (void)put_user((int __user *)child_tid, tid);
    thread_ready(t);
    return tid;
}

SYSCALL(clone, unsigned long flags, uintptr_t stack, uintptr_t parent_tid, uintptr_t child_tid, uintptr_t tls)
{
    return make(flags & 0xffffffffUL, stack, parent_tid, child_tid, tls);
}

SYSCALL(clone3, const struct clone_args __user *user_args, size_t size)
{
    struct clone_args args = {0};
    if (size < CLONE_ARGS_SIZE_VER0)
        return -EINVAL;
    if (size > PAGE_SIZE)
        return -E2BIG;
    if (copy_in(&args, user_args, min(size, sizeof(args))))
        return -EFAULT;
    /* What a newer caller knows must not be asked for. */
    for (size_t at = sizeof(args); at < size; at++) {
        uint8_t byte;
        if (get_user(byte, (const uint8_t __user *)user_args + at))
            return -EFAULT;
        if (byte)
            return -E2BIG;
    }
    if (args.exit_signal & ~(uint64_t)CSIGNAL || args.flags & CSIGNAL || args.flags & CLONE_DETACHED)
        return -EINVAL;
    if (!args.stack != !args.stack_size || args.stack + args.stack_size > USER_END || args.stack > USER_END)
        return -EINVAL;
    if (args.flags & CLONE_THREAD && args.exit_signal)
        return -EINVAL;
    if (args.set_tid_size || args.flags & CLONE_INTO_CGROUP)
        return -EPERM;
    return make(args.flags, args.stack ? args.stack + args.stack_size : 0, args.parent_tid, args.child_tid,
                args.tls);
}
