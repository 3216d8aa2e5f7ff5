/* processes.c - what would make or change a process: fork(2), vfork(2), execve(2), execveat(2), wait4(2),
 * waitid(2).
 *
 * A unikernel has one program, so these are refused, and told at the end as missing calls with the place that
 * asked. There never are children, so waiting for one is the plain ECHILD.
 */
#include "thread.h"
#include "report.h"

static long refused(void)
{
    missing_call((unsigned long)current->user->number, current->user->rip);
    return -ENOSYS;
}

SYSCALL(fork, void)
{
    return refused();
}

SYSCALL(vfork, void)
{
    return refused();
}

SYSCALL(execve, const char __user *path, char __user *const __user *argv, char __user *const __user *envp)
{
    (void)path, (void)argv, (void)envp;
    return refused();
}

SYSCALL(execveat, int folder, const char __user *path, char __user *const __user *argv,
        char __user *const __user *envp, int flags)
{
    (void)folder, (void)path, (void)argv, (void)envp, (void)flags;
    return refused();
}

#define WAIT4_FLAGS  0xe000000bU /* WNOHANG WUNTRACED WCONTINUED __WNOTHREAD __WALL __WCLONE */
#define WAITID_FLAGS 0xe100000fU /* and WEXITED, WNOWAIT */
#define WAITID_KINDS 0x0000000eU /* WSTOPPED WEXITED WCONTINUED */

SYSCALL(wait4, int pid, int __user *status, int options, void __user *usage)
{
    (void)status, (void)usage;
    if ((unsigned)options & ~WAIT4_FLAGS)
        return -EINVAL;
    return pid == INT32_MIN ? -ESRCH : -ECHILD;
}

SYSCALL(waitid, int kind, int id, void __user *info, int options, void __user *usage)
{
    (void)info, (void)usage;
    if ((unsigned)options & ~WAITID_FLAGS || !((unsigned)options & WAITID_KINDS))
        return -EINVAL;
    switch (kind) {
    case 0: /* P_ALL */
        return -ECHILD;
    case 1: /* P_PID */
    case 2: /* P_PGID */
        return id < 0 || (kind == 1 && id == 0) ? -EINVAL : -ECHILD;
    case 3: /* P_PIDFD */
        return id < 0 ? -EINVAL : -EBADF;
    default:
        return -EINVAL;
    }
}
