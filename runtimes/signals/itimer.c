/* itimer.c - the process's interval timers: setitimer(2), getitimer(2), alarm(2).
 *
 * ITIMER_VIRTUAL and ITIMER_PROF both run with the process's CPU time, which is not split into user and
 * system.
 */
#include "alarm.h"
#include "signals.h"

#define TIMERS 3

static void fire(struct alarm *a, uint64_t times);

static struct alarm alarms[TIMERS];
static const int numbers[TIMERS] = {SIGALRM, SIGVTALRM, SIGPROF};

static void fire(struct alarm *a, uint64_t times)
{
    (void)times;
    signal_send(NULL, &(struct signal_info){.number = numbers[a - alarms], .code = SI_KERNEL});
}

INIT(threads)
{
    for (int i = 0; i < TIMERS; i++)
        alarm_init(&alarms[i], i == ITIMER_REAL ? CLOCK_KIND_MONOTONIC : CLOCK_KIND_PROCESS, 0, fire);
}

bool itimer_armed(void)
{
    for (int i = 0; i < TIMERS; i++)
        if (alarms[i].active)
            return true;
    return false;
}

static struct __kernel_old_timeval timeval_of(int64_t ns)
{
    return (struct __kernel_old_timeval){ns / SECOND, ns % SECOND / 1000};
}

static struct __kernel_old_itimerval value_of(const struct alarm *a)
{
    struct __kernel_old_itimerval v = {.it_interval = timeval_of(a->active ? a->interval : 0)};
    int64_t left = alarm_left(a);
    v.it_value = timeval_of(left && left < 1000 ? 1000 : left);
    return v;
}

static int timeval_ns(const struct __kernel_old_timeval *t, int64_t *ns)
{
    if (t->tv_sec < 0 || t->tv_usec < 0 || t->tv_usec >= 1000000)
        return -EINVAL;
    *ns = t->tv_sec >= INT64_MAX / SECOND ? INT64_MAX : t->tv_sec * SECOND + t->tv_usec * 1000;
    return 0;
}

SYSCALL(getitimer, int which, struct __kernel_old_itimerval __user *to)
{
    if (which < 0 || which >= TIMERS)
        return -EINVAL;
    return put_user(to, value_of(&alarms[which]));
}

SYSCALL(setitimer, int which, const struct __kernel_old_itimerval __user *new,
        struct __kernel_old_itimerval __user *old)
{
    struct __kernel_old_itimerval wanted = {0}, was;
    int64_t value, interval;
    if (which < 0 || which >= TIMERS)
        return -EINVAL;
    if (new &&copy_in(&wanted, new, sizeof(wanted)))
        return -EFAULT;
    if (timeval_ns(&wanted.it_value, &value) || timeval_ns(&wanted.it_interval, &interval))
        return -EINVAL;
    was = value_of(&alarms[which]);
    alarm_set(&alarms[which], value, interval, false);
    return old && put_user(old, was) ? -EFAULT : 0;
}

/* Whole seconds, rounded, but never to 0 while it runs. */
SYSCALL(alarm, unsigned seconds)
{
    struct alarm *a = &alarms[ITIMER_REAL];
    int64_t left = alarm_left(a);
    long was = left ? max((left + SECOND / 2) / SECOND, (int64_t)1) : 0;
    alarm_set(a, (int64_t)seconds * SECOND, 0, false);
    return was;
}
