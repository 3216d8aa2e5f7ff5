/* posix_timers.c - timer_create(2), timer_settime(2), timer_gettime(2), timer_getoverrun(2), timer_delete(2).
 *
 * SIGEV_THREAD is the C library's: it comes here as SIGEV_THREAD_ID. One signal of a timer is pending at a
 * time; what fires meanwhile is counted as overrun.
 */
#include "alarm.h"
#include "signals.h"
#include "process.h"

#define MOST         256
#define OVERRUN_MOST INT32_MAX

struct posix_timer {
    struct alarm alarm;
    int id, notify, number, tid; /* tid: of SIGEV_THREAD_ID, else 0 */
    uint64_t value;
    int last_overrun;
};

static struct posix_timer *timers[MOST];

bool posix_timer_armed(void)
{
    for (int i = 0; i < MOST; i++)
        if (timers[i] && timers[i]->alarm.active)
            return true;
    return false;
}

static void fire(struct alarm *a, uint64_t times)
{
    struct posix_timer *p = container_of(a, struct posix_timer, alarm);
    if (p->notify == SIGEV_NONE)
        return;
    struct thread *to = NULL;
    if (p->tid && !(to = thread_by_tid(p->tid)))
        return;
    if (signal_queued(to, p->number, SI_TIMER, p->id)) {
        p->last_overrun = (int)min((uint64_t)p->last_overrun + times, (uint64_t)OVERRUN_MOST);
        return;
    }
    p->last_overrun = (int)min(times - 1, (uint64_t)OVERRUN_MOST);
    signal_send(to, &(struct signal_info){.number = p->number,
                                          .code = SI_TIMER,
                                          .sender = p->id,
                                          .value_int = p->last_overrun,
                                          .value = p->value});
}

static struct posix_timer *find(int id)
{
    return id >= 0 && id < MOST ? timers[id] : NULL;
}

SYSCALL(timer_create, int clock, const struct sigevent __user *user_event, int __user *user_id)
{
    struct thread *thread;
    struct sigevent event;
    enum clock_kind kind = clock_kind(clock, &thread);
    if (!kind)
        return -EINVAL;
    int id = 0;
    while (id < MOST && timers[id])
        id++;
    if (id == MOST)
        return -EAGAIN;
    memset(&event, 0, sizeof(event));
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = SIGALRM;
    event.sigev_value.sival_int = id;
    if (user_event && copy_in(&event, user_event, sizeof(event)))
        return -EFAULT;
    switch (event.sigev_notify) {
    case SIGEV_NONE:
        break;
    case SIGEV_THREAD_ID | SIGEV_SIGNAL:
        if (!thread_by_tid(event._sigev_un._tid))
            return -EINVAL;
        __attribute__((fallthrough));
    case SIGEV_SIGNAL:
    case SIGEV_THREAD:
        if (event.sigev_signo < 1 || event.sigev_signo > SIGNALS)
            return -EINVAL;
        break;
    default:
        return -EINVAL;
    }
    struct posix_timer *p = kzalloc(sizeof(*p));
    if (!p)
        return -EAGAIN;
    alarm_init(&p->alarm, kind, thread->tid, fire);
    p->id = id;
    p->notify = event.sigev_notify;
    p->number = event.sigev_signo;
    p->tid = event.sigev_notify & SIGEV_THREAD_ID ? event._sigev_un._tid : 0;
    p->value = (uint64_t)event.sigev_value.sival_ptr;
    if (put_user(user_id, id)) {
        kfree(p);
        return -EFAULT;
    }
    timers[id] = p;
    return 0;
}

static struct __kernel_itimerspec value_of(const struct posix_timer *p)
{
    return (struct __kernel_itimerspec){.it_interval = timespec_of(p->alarm.interval),
                                        .it_value = timespec_of(alarm_left(&p->alarm))};
}

SYSCALL(timer_settime, int id, int flags, const struct __kernel_itimerspec __user *new,
        struct __kernel_itimerspec __user *old)
{
    struct posix_timer *p = find(id);
    int64_t value, interval;
    if (!p || !new)
        return -EINVAL;
    int error = timespec_in(&new->it_value, &value);
    if (!error)
        error = timespec_in(&new->it_interval, &interval);
    if (error)
        return error;
    struct __kernel_itimerspec was = value_of(p);
    p->last_overrun = 0;
    alarm_set(&p->alarm, value, interval, flags & TIMER_ABSTIME);
    return old && put_user(old, was) ? -EFAULT : 0;
}

SYSCALL(timer_gettime, int id, struct __kernel_itimerspec __user *to)
{
    const struct posix_timer *p = find(id);
    return p ? put_user(to, value_of(p)) : -EINVAL;
}

SYSCALL(timer_getoverrun, int id)
{
    const struct posix_timer *p = find(id);
    return p ? p->last_overrun : -EINVAL;
}

SYSCALL(timer_delete, int id)
{
    struct posix_timer *p = find(id);
    if (!p)
        return -EINVAL;
    alarm_stop(&p->alarm);
    timers[id] = NULL;
    kfree(p);
    return 0;
}
