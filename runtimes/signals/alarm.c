/* alarm.c - interval timers on any clock (alarm.h). */
#include "alarm.h"

int64_t alarm_now(const struct alarm *a)
{
    const struct thread *t = current;
    if (a->kind == CLOCK_KIND_THREAD && !(t = thread_by_tid(a->tid)))
        return 0; /* the thread is gone, its time stands still */
    return clock_read(a->kind, t);
}

/* Sets the timer for what is left. */
static void arm(struct alarm *a)
{
    int64_t left = a->next - alarm_now(a);
    timer_start(&a->timer, deadline_in(max(left, (int64_t)0)));
}

static void due(struct alarm *a)
{
    int64_t late = alarm_now(a) - a->next;
    if (late < 0) {
        arm(a);
        return;
    }
    uint64_t times = 1;
    if (a->interval) {
        times += (uint64_t)(late / a->interval);
        a->next += (int64_t)times * a->interval;
        arm(a);
    } else {
        alarm_stop(a);
    }
    a->fire(a, times);
}

static void ring(struct timer *timer)
{
    due(container_of(timer, struct alarm, timer));
}

static void real_set(struct waiter *waiter, unsigned events)
{
    (void)events;
    struct alarm *a = container_of(waiter, struct alarm, clock_set);
    if (a->active)
        arm(a);
}

void alarm_init(struct alarm *a, enum clock_kind kind, int tid, void (*fire)(struct alarm *, uint64_t times))
{
    *a = (struct alarm){.kind = kind, .tid = tid, .fire = fire};
    a->timer.fire = ring;
    a->clock_set.wake = real_set;
    list_init(&a->clock_set.link);
}

void alarm_stop(struct alarm *a)
{
    a->active = false;
    timer_cancel(&a->timer);
    wait_queue_remove(&a->clock_set);
}

void alarm_set(struct alarm *a, int64_t value, int64_t interval, bool absolute)
{
    alarm_stop(a);
    if (!value)
        return;
    int64_t now = alarm_now(a);
    a->next = absolute ? value : value > INT64_MAX - now ? INT64_MAX : now + value;
    /* Less than a microsecond would do nothing but fire. */
    a->interval = interval ? max(interval, (int64_t)1000) : 0;
    a->active = true;
    if (a->kind == CLOCK_KIND_REAL && absolute)
        wait_queue_add(&clock_real_changes, &a->clock_set);
    arm(a);
}

int64_t alarm_left(const struct alarm *a)
{
    return a->active ? max(a->next - alarm_now(a), (int64_t)1) : 0;
}
