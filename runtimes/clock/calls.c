/* calls.c - reading and setting clocks: clock_gettime(2), clock_getres(2), clock_settime(2), gettimeofday(2),
 * settimeofday(2), time(2), adjtimex(2), clock_adjtime(2). The vDSO answers most of the reading without
 * coming here (vdso/calls.c). */
#include <linux/timex.h>
#include "calls.h"
#include "process.h"
#include "../threads/internal.h"

#define CPUCLOCK_THREAD 4
#define CPUCLOCK_KINDS  3 /* profile, virtual, scheduler; 3 is a file's clock */

uint64_t process_cpu_time(void)
{
    uint64_t sum = threads_ended_time;
    list_for_each (p, &threads_all)
        sum += thread_cpu_time(list_entry(p, struct thread, all));
    return sum;
}

enum clock_kind clock_kind(int id, struct thread **thread)
{
    *thread = current;
    switch (id) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
    case CLOCK_REALTIME_ALARM:
    case CLOCK_TAI: /* no leap seconds are known: as Linux before anybody tells it */
        return CLOCK_KIND_REAL;
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_BOOTTIME:
    case CLOCK_BOOTTIME_ALARM:
        return CLOCK_KIND_MONOTONIC;
    case CLOCK_PROCESS_CPUTIME_ID:
        return CLOCK_KIND_PROCESS;
    case CLOCK_THREAD_CPUTIME_ID:
        return CLOCK_KIND_THREAD;
    default:
        break;
    }
    if (id >= 0 || (id & CPUCLOCK_KINDS) == CPUCLOCK_KINDS)
        return CLOCK_KIND_NONE;
    int pid = ~(id >> 3);
    if (!(id & CPUCLOCK_THREAD))
        return pid == 0 || pid == process_id ? CLOCK_KIND_PROCESS : CLOCK_KIND_NONE;
    *thread = pid ? thread_by_tid(pid) : current;
    return *thread ? CLOCK_KIND_THREAD : CLOCK_KIND_NONE;
}

int64_t clock_read(enum clock_kind kind, const struct thread *thread)
{
    switch (kind) {
    case CLOCK_KIND_REAL:
        return clock_real();
    case CLOCK_KIND_PROCESS:
        return (int64_t)process_cpu_time();
    case CLOCK_KIND_THREAD:
        return (int64_t)thread_cpu_time(thread);
    default:
        return (int64_t)clock_now();
    }
}

SYSCALL(clock_gettime, int id, struct __kernel_timespec __user *to)
{
    struct thread *thread;
    enum clock_kind kind = clock_kind(id, &thread);
    return kind ? put_user(to, timespec_of(clock_read(kind, thread))) : -EINVAL;
}

SYSCALL(clock_getres, int id, struct __kernel_timespec __user *to)
{
    struct thread *thread;
    if (!clock_kind(id, &thread))
        return -EINVAL;
    return to ? put_user(to, ((struct __kernel_timespec){0, 1})) : 0;
}

static int set_real(int64_t ns)
{
    if (ns < 0)
        return -EINVAL;
    clock_set_real(ns);
    return 0;
}

SYSCALL(clock_settime, int id, const struct __kernel_timespec __user *from)
{
    int64_t ns;
    int error = timespec_in(from, &ns);
    if (error)
        return error;
    return id == CLOCK_REALTIME ? set_real(ns) : -EINVAL;
}

SYSCALL(gettimeofday, struct __kernel_old_timeval __user *time, struct timezone __user *zone)
{
    struct __kernel_timespec now = timespec_of(clock_real());
    struct __kernel_old_timeval value = {now.tv_sec, now.tv_nsec / 1000};
    struct timezone utc = {0, 0};
    return (time && put_user(time, value)) || (zone && put_user(zone, utc)) ? -EFAULT : 0;
}

SYSCALL(settimeofday, const struct __kernel_old_timeval __user *time, const struct timezone __user *zone)
{
    struct __kernel_old_timeval t;
    (void)zone; /* the kernel keeps no time zone */
    if (!time)
        return 0;
    if (copy_in(&t, time, sizeof(t)))
        return -EFAULT;
    if (t.tv_sec < 0 || t.tv_sec > INT64_MAX / SECOND - 1 || t.tv_usec < 0 || t.tv_usec >= 1000000)
        return -EINVAL;
    return set_real(t.tv_sec * SECOND + t.tv_usec * 1000);
}

SYSCALL(time, __kernel_old_time_t __user *to)
{
    __kernel_old_time_t now = clock_real() / SECOND;
    return to && put_user(to, now) ? -EFAULT : now;
}

/* The state of a clock that nobody disciplines; asking for a change other than a step is refused. */
static long adjust(struct timex __user *user)
{
    struct timex t;
    if (copy_in(&t, user, sizeof(t)))
        return -EFAULT;
    if (t.modes & ~(unsigned)(ADJ_SETOFFSET | ADJ_NANO | ADJ_MICRO))
        return -EPERM;
    if (t.modes & ADJ_SETOFFSET) {
        int64_t part = t.modes & ADJ_NANO ? t.time.tv_usec : t.time.tv_usec * 1000;
        if (part < 0 || part >= SECOND || t.time.tv_sec > INT32_MAX || t.time.tv_sec < INT32_MIN)
            return -EINVAL;
        clock_set_real(clock_real() + t.time.tv_sec * SECOND + part);
    }
    struct __kernel_timespec now = timespec_of(clock_real());
    t = (struct timex){.status = STA_UNSYNC,
                       .maxerror = 16000000,
                       .esterror = 16000000,
                       .constant = 2,
                       .precision = 1,
                       .tolerance = 500L << 16,
                       .tick = 10000,
                       .time = {now.tv_sec, now.tv_nsec / 1000}};
    return copy_out(user, &t, sizeof(t)) ? -EFAULT : TIME_ERROR;
}

SYSCALL(adjtimex, struct timex __user *user)
{
    return adjust(user);
}

SYSCALL(clock_adjtime, int id, struct timex __user *user)
{
    return id == CLOCK_REALTIME ? adjust(user) : -EINVAL;
}
