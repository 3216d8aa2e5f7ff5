/* policy.c - priorities and CPUs as Linux answers for a machine with one of them: sched_setaffinity(2),
 * sched_getaffinity(2), sched_setscheduler(2), sched_setparam(2), sched_setattr(2) and their readers,
 * getpriority(2), setpriority(2), ioprio_get(2), membarrier(2), set_mempolicy(2), mbind(2), get_mempolicy(2).
 *
 * What is set is remembered and told, but the scheduler treats all threads alike: it is fair by what they
 * used.
 */
#include <linux/membarrier.h>
#include <linux/mempolicy.h>
#include <linux/resource.h>
#include <linux/sched.h>
#include <linux/sched/types.h>
#include <linux/time_types.h>
#include "internal.h"
#include "memory.h"
#include "process.h"

#define REALTIME_MOST 99
#define NICE_LEAST    (-20)
#define NICE_MOST     19
#define SLICE_NS      5000000 /* as schedule.c */
#define MASK_BYTES    8       /* what one word of CPUs takes; Linux returns the kernel's mask size */

static int policy = SCHED_NORMAL, priority, nice;

static const struct thread *thread_of(int tid)
{
    return tid == 0 || tid == process_id ? current : tid > 0 ? thread_by_tid(tid) : NULL;
}

SYSCALL(sched_getaffinity, int tid, unsigned size, uint8_t __user *mask)
{
    if (size < MASK_BYTES || size % sizeof(long))
        return -EINVAL;
    if (!thread_of(tid))
        return -ESRCH;
    uint64_t cpus = 1;
    return copy_out(mask, &cpus, sizeof(cpus)) ? -EFAULT : MASK_BYTES;
}

SYSCALL(sched_setaffinity, int tid, unsigned size, const uint8_t __user *mask)
{
    uint64_t cpus = 0;
    if (copy_in(&cpus, mask, min(size, (unsigned)sizeof(cpus))))
        return -EFAULT;
    if (!thread_of(tid))
        return -ESRCH;
    return cpus & 1 ? 0 : -EINVAL;
}

static bool is_realtime(int p)
{
    return p == SCHED_FIFO || p == SCHED_RR;
}

static bool is_fair(int p)
{
    return p == SCHED_NORMAL || p == SCHED_BATCH || p == SCHED_IDLE;
}

static long set_policy(int tid, int p, int wanted)
{
    p &= ~SCHED_RESET_ON_FORK;
    if (!is_realtime(p) && !is_fair(p))
        return -EINVAL;
    if (is_realtime(p) ? wanted < 1 || wanted > REALTIME_MOST : wanted != 0)
        return -EINVAL;
    if (!thread_of(tid))
        return -ESRCH;
    policy = p, priority = wanted;
    return 0;
}

/* struct sched_param is one int, its sched_priority; headers of newer kernels do not have it. */
SYSCALL(sched_setscheduler, int tid, int p, const int __user *user)
{
    int wanted;
    if (tid < 0 || !user)
        return -EINVAL;
    return copy_in(&wanted, user, sizeof(wanted)) ? -EFAULT : set_policy(tid, p, wanted);
}

SYSCALL(sched_setparam, int tid, const int __user *user)
{
    int wanted;
    if (tid < 0 || !user)
        return -EINVAL;
    return copy_in(&wanted, user, sizeof(wanted)) ? -EFAULT : set_policy(tid, policy, wanted);
}

SYSCALL(sched_getscheduler, int tid)
{
    return tid < 0 ? -EINVAL : thread_of(tid) ? policy : -ESRCH;
}

SYSCALL(sched_getparam, int tid, int __user *user)
{
    if (tid < 0 || !user)
        return -EINVAL;
    return thread_of(tid) ? copy_out(user, &priority, sizeof(priority)) : -ESRCH;
}

SYSCALL(sched_get_priority_max, int p)
{
    return is_realtime(p) ? REALTIME_MOST : is_fair(p) || p == SCHED_DEADLINE ? 0 : -EINVAL;
}

SYSCALL(sched_get_priority_min, int p)
{
    return is_realtime(p) ? 1 : is_fair(p) || p == SCHED_DEADLINE ? 0 : -EINVAL;
}

SYSCALL(sched_rr_get_interval, int tid, struct __kernel_timespec __user *to)
{
    struct __kernel_timespec slice = {0, policy == SCHED_FIFO ? 0 : SLICE_NS};
    if (tid < 0)
        return -EINVAL;
    return thread_of(tid) ? put_user(to, slice) : -ESRCH;
}

SYSCALL(sched_getattr, int tid, struct sched_attr __user *user, unsigned size, unsigned flags)
{
    struct sched_attr a = {.size = SCHED_ATTR_SIZE_VER0,
                           .sched_policy = (uint32_t)policy,
                           .sched_nice = nice,
                           .sched_priority = (uint32_t)priority};
    if (tid < 0 || flags || size < SCHED_ATTR_SIZE_VER0 || size > PAGE_SIZE)
        return -EINVAL;
    return thread_of(tid) ? copy_out(user, &a, SCHED_ATTR_SIZE_VER0) : -ESRCH;
}

SYSCALL(sched_setattr, int tid, const struct sched_attr __user *user, unsigned flags)
{
    struct sched_attr a;
    if (tid < 0 || flags || !user)
        return -EINVAL;
    if (copy_in(&a, user, SCHED_ATTR_SIZE_VER0))
        return -EFAULT;
    long error = set_policy(tid, (int)a.sched_policy, (int)a.sched_priority);
    if (!error && is_fair((int)a.sched_policy))
        nice = min(max((int)a.sched_nice, NICE_LEAST), NICE_MOST);
    return error;
}

static bool is_whom(int which, int who)
{
    switch (which) {
    case PRIO_PROCESS:
        return who == 0 || thread_of(who);
    case PRIO_PGRP:
        return who == 0 || who == process_id;
    default:
        return who == 0; /* PRIO_USER: root */
    }
}

/* The raw call answers 20 - nice, 1 to 40, so that errors can be told apart. */
SYSCALL(getpriority, int which, int who)
{
    if (which < PRIO_PROCESS || which > PRIO_USER)
        return -EINVAL;
    return is_whom(which, who) ? 20 - nice : -ESRCH;
}

SYSCALL(setpriority, int which, int who, int wanted)
{
    if (which < PRIO_PROCESS || which > PRIO_USER)
        return -EINVAL;
    if (!is_whom(which, who))
        return -ESRCH;
    nice = min(max(wanted, NICE_LEAST), NICE_MOST);
    return 0;
}

SYSCALL(ioprio_get, int which, int who)
{
    (void)who;
    return which < 1 || which > 3 ? -EINVAL : 4; /* class none, the middle level */
}

SYSCALL(ioprio_set, int which, int who, int wanted)
{
    (void)who, (void)wanted;
    return which < 1 || which > 3 ? -EINVAL : 0;
}

/* With one CPU every switch orders memory; the commands have nothing left to do. */
#define MEMBARRIER_OFFERED                                                                                   \
    (MEMBARRIER_CMD_GLOBAL | MEMBARRIER_CMD_GLOBAL_EXPEDITED | MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED |    \
     MEMBARRIER_CMD_PRIVATE_EXPEDITED | MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED |                          \
     MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE | MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE)

SYSCALL(membarrier, int command, unsigned flags, int cpu)
{
    (void)cpu;
    if (flags)
        return -EINVAL;
    if (command == MEMBARRIER_CMD_QUERY)
        return MEMBARRIER_OFFERED;
    return command > 0 && (command & (command - 1)) == 0 && command & MEMBARRIER_OFFERED ? 0 : -EINVAL;
}

/* One node of memory: any policy that names no other is fulfilled. */
static long check_nodes(int mode, const unsigned long __user *nodes, unsigned long most)
{
    unsigned long first = 0;
    mode &= ~(MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES | MPOL_F_NUMA_BALANCING);
    if (mode < MPOL_DEFAULT || mode >= MPOL_MAX)
        return -EINVAL;
    if (nodes && most > 1 && get_user(first, nodes))
        return -EFAULT;
    return first & ~1UL ? -EINVAL : 0;
}

SYSCALL(set_mempolicy, int mode, const unsigned long __user *nodes, unsigned long most)
{
    return check_nodes(mode, nodes, most);
}

SYSCALL(mbind, uintptr_t start, unsigned long length, int mode, const unsigned long __user *nodes,
        unsigned long most, unsigned flags)
{
    (void)length, (void)flags;
    return start & (PAGE_SIZE - 1) ? -EINVAL : check_nodes(mode, nodes, most);
}

SYSCALL(get_mempolicy, int __user *mode, unsigned long __user *nodes, unsigned long most, uintptr_t address,
        unsigned flags)
{
    (void)address;
    if (mode && put_user(mode, flags & MPOL_F_NODE ? 0 : MPOL_DEFAULT))
        return -EFAULT;
    if (nodes && most) {
        unsigned long mask = flags & MPOL_F_MEMS_ALLOWED ? 1 : 0;
        if (put_user(nodes, mask))
            return -EFAULT;
    }
    return 0;
}
