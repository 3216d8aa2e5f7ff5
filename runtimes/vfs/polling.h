/* polling.h - what poll, select and epoll share: waiting for many files, times and signal masks from user
 * memory. */
#ifndef UNIKIT_POLLING_H
#define UNIKIT_POLLING_H

#include <linux/eventpoll.h>
#include <linux/time_types.h>

#include "file.h"
#include "memory.h"

/* ---- waiting for many files at once (vfs/polling.c). On the caller's stack:
 *
 *   poll_wait_begin(&wait);
 *   for each file: wait.events = what matters; file_poll(file, &wait.poller);
 *   poll_wait_sleep(&wait, deadline) until something is ready;
 *   poll_wait_end(&wait); */
struct poll_wait;
struct poll_link {
    struct waiter waiter;
    struct poll_wait *wait;
};
struct poll_chunk;
struct poll_wait {
    struct poller poller;
    unsigned events; /* those that matter for the file that is asked next */
    bool woken;
    int error;               /* -ENOMEM: a queue could not be joined */
    struct wait_queue sleep; /* the thread's own */
    struct poll_chunk *more;
    unsigned used;
    struct poll_link few[8];
};

void poll_wait_begin(struct poll_wait *);
/* 0 woken (look again), -ETIMEDOUT, -ERESTARTSYS, -ENOMEM. */
int poll_wait_sleep(struct poll_wait *, uint64_t deadline);
void poll_wait_end(struct poll_wait *);

/* ---- time-outs */
/* The end of a time-out that starts now; NEVER if it is too far away. */
static inline uint64_t deadline_after(uint64_t ns)
{
    uint64_t now = clock_now();
    return ns >= NEVER - now ? NEVER : now + ns;
}
static inline int deadline_from_timespec(const struct __kernel_timespec *t, uint64_t *deadline)
{
    if (t->tv_sec < 0 || t->tv_nsec < 0 || t->tv_nsec >= 1000000000)
        return -EINVAL;
    *deadline = t->tv_sec >= (1L << 33)
                    ? NEVER
                    : deadline_after((uint64_t)t->tv_sec * 1000000000 + (uint64_t)t->tv_nsec);
    return 0;
}
/* The end of a caller's time-out: NEVER for none, 0 for one of nothing at all. 0, -EFAULT or -EINVAL. */
int deadline_in(const struct __kernel_timespec __user *timeout, uint64_t *deadline);
/* Writes back what is left of it, as Linux does, so that a restarted call waits no longer in all. */
void deadline_out(struct __kernel_timespec __user *timeout, uint64_t deadline);
static inline uint64_t time_left(uint64_t deadline)
{
    uint64_t now = clock_now();
    return deadline > now ? deadline - now : 0;
}

/* ---- a signal mask for the time of a call (ppoll, pselect6, epoll_pwait) */
/* 0, -EFAULT or -EINVAL. `set` NULL: none. */
static inline int mask_enter(const uint64_t __user *set, size_t size)
{
    uint64_t mask;
    if (!set)
        return 0;
    if (size != sizeof(mask))
        return -EINVAL;
    if (copy_in(&mask, set, sizeof(mask)) < 0)
        return -EFAULT;
    current->signals.saved_mask = current->signals.blocked;
    current->signals.restore_mask = true;
    current->signals.blocked = mask & ~(1UL << 8 | 1UL << 18); /* SIGKILL, SIGSTOP */
    return 0;
}
/* After the call: a signal that interrupted it is delivered under the call's mask, and its frame restores the
 * old one. */
static inline void mask_leave(const uint64_t __user *set, bool interrupted)
{
    if (!set || interrupted)
        return;
    current->signals.restore_mask = false;
    current->signals.blocked = current->signals.saved_mask;
    if (signal_pending()) /* what the call's mask held back */
        return_work = true;
}

#endif
