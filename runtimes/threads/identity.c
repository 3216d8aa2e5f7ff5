/* identity.c - what a thread says about itself: gettid(2), set_tid_address(2), getcpu(2), rseq(2).
 *
 * rseq answers ENOSYS, which glibc takes as "not there": with one CPU and threads that are preempted only in
 * user code there is nothing that it would make faster.
 */
#include "internal.h"
#include "memory.h"

SYSCALL(gettid, void)
{
    return current->tid;
}

SYSCALL(set_tid_address, uintptr_t address)
{
    current->clear_tid = address;
    return current->tid;
}

SYSCALL(getcpu, unsigned __user *cpu, unsigned __user *node, void __user *unused)
{
    (void)unused;
    if ((cpu && put_user(cpu, 0U)) || (node && put_user(node, 0U)))
        return -EFAULT;
    return 0;
}

SYSCALL(rseq, void __user *area, uint32_t length, int flags, uint32_t signature)
{
    (void)area, (void)length, (void)flags, (void)signature;
    return -ENOSYS;
}
