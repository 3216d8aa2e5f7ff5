/* limits.c - getrlimit(2), setrlimit(2), prlimit64(2).
 *
 * The limits start as Linux gives them to a service. Kept here, enforced by those whom they concern through
 * process_limit(): the number of descriptors by vfs/, the size of memory by the machine.
 */
#include <linux/resource.h>
#include "memory.h"
#include "process.h"

#define UNLIMITED        RLIM64_INFINITY
#define DESCRIPTORS_MOST 1048576UL

static struct rlimit64 limits[RLIM_NLIMITS] = {
    [RLIMIT_CPU] = {UNLIMITED, UNLIMITED},
    [RLIMIT_FSIZE] = {UNLIMITED, UNLIMITED},
    [RLIMIT_DATA] = {UNLIMITED, UNLIMITED},
    [RLIMIT_STACK] = {8UL << 20, UNLIMITED},
    [RLIMIT_CORE] = {0, UNLIMITED},
    [RLIMIT_RSS] = {UNLIMITED, UNLIMITED},
    [RLIMIT_NPROC] = {32768, 32768},
    [RLIMIT_NOFILE] = {65536, DESCRIPTORS_MOST},
    [RLIMIT_MEMLOCK] = {UNLIMITED, UNLIMITED},
    [RLIMIT_AS] = {UNLIMITED, UNLIMITED},
    [RLIMIT_LOCKS] = {UNLIMITED, UNLIMITED},
    [RLIMIT_SIGPENDING] = {1024, 1024},
    [RLIMIT_MSGQUEUE] = {819200, 819200},
    [RLIMIT_NICE] = {0, 0},
    [RLIMIT_RTPRIO] = {0, 0},
    [RLIMIT_RTTIME] = {UNLIMITED, UNLIMITED},
};

uint64_t process_limit(int resource)
{
    return limits[resource].rlim_cur;
}

static long set(unsigned resource, const struct rlimit64 *wanted)
{
    if (wanted->rlim_cur > wanted->rlim_max)
        return -EINVAL;
    if (resource == RLIMIT_NOFILE && wanted->rlim_max > DESCRIPTORS_MOST)
        return -EPERM;
    limits[resource] = *wanted;
    return 0;
}

/* RLIM_INFINITY is all ones in both shapes, which are the same on x86-64. */
SYSCALL(getrlimit, unsigned resource, struct rlimit64 __user *to)
{
    return resource < RLIM_NLIMITS ? put_user(to, limits[resource]) : -EINVAL;
}

SYSCALL(setrlimit, unsigned resource, const struct rlimit64 __user *from)
{
    struct rlimit64 wanted;
    if (resource >= RLIM_NLIMITS)
        return -EINVAL;
    return copy_in(&wanted, from, sizeof(wanted)) ? -EFAULT : set(resource, &wanted);
}

SYSCALL(prlimit64, int pid, unsigned resource, const struct rlimit64 __user *new, struct rlimit64 __user *old)
{
    struct rlimit64 wanted, was;
    if (resource >= RLIM_NLIMITS)
        return -EINVAL;
    if (pid != 0 && pid != process_id)
        return -ESRCH;
    if (new &&copy_in(&wanted, new, sizeof(wanted)))
        return -EFAULT;
    was = limits[resource];
    long error = new ? set(resource, &wanted) : 0;
    return error ? error : old && put_user(old, was) ? -EFAULT : 0;
}
