/* calls.h - what the calls about time share: clock ids, timespecs. */
#ifndef UNIKIT_CLOCK_CALLS_H
#define UNIKIT_CLOCK_CALLS_H

#include <linux/time.h>
#include <linux/time_types.h>
#include "clock.h"
#include "memory.h"

#define SECOND 1000000000L

/* What a clock id stands for; the coarse clocks are as fine as the others here, for reading the TSC costs
 * nothing. */
enum clock_kind {
    CLOCK_KIND_NONE,
    CLOCK_KIND_REAL,
    CLOCK_KIND_MONOTONIC,
    CLOCK_KIND_PROCESS,
    CLOCK_KIND_THREAD
};

/* The kind, and for CPU clocks of a thread whose (NULL if it is gone). Negative ids are those of
 * clock_getcpuclockid(3) and pthread_getcpuclockid(3): ~pid << 3, 4 for a thread, the lowest bits the kind of
 * CPU time. (clock/calls.c) */
enum clock_kind clock_kind(int id, struct thread **thread);
/* Now on that clock, ns. */
int64_t clock_read(enum clock_kind kind, const struct thread *thread);
/* CPU time of all threads, ended ones too. */
uint64_t process_cpu_time(void);

static inline struct __kernel_timespec timespec_of(int64_t ns)
{
    int64_t seconds = ns / SECOND, rest = ns % SECOND;
    if (rest < 0)
        seconds--, rest += SECOND;
    return (struct __kernel_timespec){seconds, rest};
}
/* 0, -EFAULT or -EINVAL; times beyond the scale become the scale's end. */
static inline int timespec_in(const struct __kernel_timespec __user *from, int64_t *ns)
{
    struct __kernel_timespec t;
    if (copy_in(&t, from, sizeof(t)))
        return -EFAULT;
    if (t.tv_sec < 0 || t.tv_nsec < 0 || t.tv_nsec >= SECOND)
        return -EINVAL;
    *ns = t.tv_sec >= INT64_MAX / SECOND ? INT64_MAX : t.tv_sec * SECOND + t.tv_nsec;
    return 0;
}
/* From a time span to a deadline on clock_now()'s scale. */
static inline uint64_t deadline_in(int64_t ns)
{
    return ns >= INT64_MAX - (int64_t)clock_now() ? NEVER : clock_now() + (uint64_t)max(ns, 0L);
}

#endif
