/* sleep.c - nanosleep(2), clock_nanosleep(2).
 *
 * A relative sleep that a signal interrupts without a handler goes on through restart_syscall(2) with its old
 * deadline. An absolute one is simply made again. A sleep on the real clock looks again when that is set.
 */
#include "calls.h"

static long relative_again(struct thread *t);

/* As wait_on(). On Linux a sleep lasts as long as the timer slack at least (PR_SET_TIMERSLACK), also one
 * whose end has come; programs that poll with sleep(0) count on it that whoever wants the CPU gets it. */
static int sleep_until(uint64_t deadline)
{
    if (clock_now() >= deadline && !signal_pending())
        thread_step_back();
    return wait_on(NULL, 0, deadline);
}

/* restart_data: the deadline, where to put the rest. */
static long relative(uint64_t deadline, struct __kernel_timespec __user *rest)
{
    int error;
    do {
        error = sleep_until(deadline);
    } while (!error);
    if (error == -ETIMEDOUT)
        return 0;
    if (rest) {
        uint64_t now = clock_now();
        if (put_user(rest, timespec_of(deadline > now ? (int64_t)(deadline - now) : 0)))
            return -EFAULT;
    }
    current->restart = relative_again;
    current->restart_data[0] = deadline;
    current->restart_data[1] = (uintptr_t)rest;
    return -ERESTART_RESTARTBLOCK;
}

static long relative_again(struct thread *t)
{
    return relative(t->restart_data[0], (struct __kernel_timespec __user *)t->restart_data[1]);
}

static long absolute(enum clock_kind kind, const struct thread *thread, int64_t until)
{
    for (;;) {
        int64_t left = until - clock_read(kind, thread);
        if (left <= 0)
            return 0;
        /* CPU time passes no faster than the clock: looking again after that long is never late. */
        int error = wait_on(kind == CLOCK_KIND_REAL ? &clock_real_changes : NULL, 0, deadline_in(left));
        if (error && error != -ETIMEDOUT)
            return -ERESTARTNOHAND;
    }
}

SYSCALL(clock_nanosleep, int id, int flags, const struct __kernel_timespec __user *request,
        struct __kernel_timespec __user *rest)
{
    struct thread *thread;
    enum clock_kind kind = clock_kind(id, &thread);
    int64_t ns;
    if (!kind || (kind == CLOCK_KIND_THREAD && thread == current))
        return -EINVAL;
    int error = timespec_in(request, &ns);
    if (error)
        return error;
    if (flags & TIMER_ABSTIME) {
        if (kind == CLOCK_KIND_MONOTONIC) {
            /* The usual case, without arithmetic that could wait for ever. */
            do {
                error = sleep_until((uint64_t)ns);
            } while (!error);
            return error == -ETIMEDOUT ? 0 : -ERESTARTNOHAND;
        }
        return absolute(kind, thread, ns);
    }
    if (kind == CLOCK_KIND_PROCESS || kind == CLOCK_KIND_THREAD)
        return absolute(kind, thread, clock_read(kind, thread) + ns);
    return relative(deadline_in(ns), rest);
}

SYSCALL(nanosleep, const struct __kernel_timespec __user *request, struct __kernel_timespec __user *rest)
{
    int64_t ns;
    int error = timespec_in(request, &ns);
    return error ? error : relative(deadline_in(ns), rest);
}
