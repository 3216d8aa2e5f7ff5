/* wait.c - waiting for signals: pause(2), rt_sigsuspend(2), rt_sigtimedwait(2). */
#include <linux/time_types.h>
#include "signals.h"
#include "memory.h"

static long until_signal(void)
{
    while (wait_on(NULL, 0, NEVER) == 0)
        ;
    return -ERESTARTNOHAND;
}

SYSCALL(pause, void)
{
    return until_signal();
}

SYSCALL(rt_sigsuspend, const uint64_t __user *set, size_t size)
{
    struct thread_signals *s = &current->signals;
    uint64_t mask;
    if (size != sizeof(mask))
        return -EINVAL;
    if (get_user(mask, set))
        return -EFAULT;
    s->saved_mask = s->blocked;
    s->restore_mask = true;
    signals_set_blocked(mask);
    return until_signal();
}

SYSCALL(rt_sigtimedwait, const uint64_t __user *set, siginfo_t __user *info,
        const struct __kernel_timespec __user *timeout, size_t size)
{
    uint64_t wanted, deadline = NEVER;
    if (size != sizeof(wanted))
        return -EINVAL;
    if (get_user(wanted, set))
        return -EFAULT;
    wanted &= ~UNSTOPPABLE;
    if (timeout) {
        struct __kernel_timespec t;
        if (copy_in(&t, timeout, sizeof(t)))
            return -EFAULT;
        if (t.tv_sec < 0 || t.tv_nsec < 0 || t.tv_nsec >= 1000000000)
            return -EINVAL;
        if (t.tv_sec < INT64_MAX / 2000000000)
            deadline = clock_now() + (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
    }
    struct signal_info got;
    int number;
    while (!(number = signal_take(wanted, &got))) {
        int error = wait_on(&signal_arrivals, 0, deadline);
        if (error == -ETIMEDOUT)
            return -EAGAIN;
        if (error) {
            /* Another signal; unless the wanted one came with it. */
            if (signals_pending_for(current) & wanted)
                continue;
            return -EINTR;
        }
    }
    if (info) {
        siginfo_t out;
        siginfo_fill(&out, &got);
        if (copy_out(info, &out, sizeof(out)))
            return -EFAULT;
    }
    return number;
}
