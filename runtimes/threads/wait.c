/* wait.c - waiting for something and being woken.
 *
 * A wait queue holds waiters; what a waiter's `wake` does is its own business: here it readies a thread, in
 * epoll it marks an item. Nothing can happen between a look at the condition and the wait, because the kernel
 * is not interrupted (kernel.h), so the usual order "queue, look again, sleep" is not needed.
 */
#include "internal.h"

/* A thread in wait_on(), on its own stack. */
struct sleeper {
    struct waiter waiter;
    struct timer timer;
    struct thread *thread;
    bool woken;
};

static void sleeper_wake(struct waiter *waiter, unsigned events)
{
    (void)events;
    struct sleeper *s = container_of(waiter, struct sleeper, waiter);
    s->woken = true;
    thread_wake(s->thread);
}

static void sleeper_expire(struct timer *timer)
{
    thread_wake(container_of(timer, struct sleeper, timer)->thread);
}

int wait_on(struct wait_queue *q, unsigned events, uint64_t deadline)
{
    if (signal_pending()) {
        return_work = true; /* or nobody would look at what the call answers */
        return -ERESTARTSYS;
    }
    if (deadline != NEVER && clock_now() >= deadline)
        return -ETIMEDOUT;
    struct sleeper s = {.thread = current};
    s.waiter.events = events;
    s.waiter.wake = sleeper_wake;
    list_init(&s.waiter.link);
    if (q)
        wait_queue_add(q, &s.waiter);
    if (deadline != NEVER) {
        s.timer.fire = sleeper_expire;
        timer_start(&s.timer, deadline);
    }
    current->state = THREAD_WAITING;
    schedule();
    wait_queue_remove(&s.waiter);
    timer_cancel(&s.timer);
    if (s.woken)
        return 0;
    if (signal_pending())
        return -ERESTARTSYS;
    return deadline != NEVER && clock_now() >= deadline ? -ETIMEDOUT : 0;
}

static bool wants(const struct waiter *w, unsigned events)
{
    return !w->events || !events || w->events & events;
}

void wake_all(struct wait_queue *q, unsigned events)
{
    list_for_each_safe (p, &q->waiters) {
        struct waiter *w = list_entry(p, struct waiter, link);
        if (wants(w, events))
            w->wake(w, events);
    }
}

/* One sleeping thread, the first that was not woken yet; and all others that watch (poll, epoll): they decide
 * for themselves, and a watcher must not swallow what a thread in read(2) waits for. */
void wake_one(struct wait_queue *q, unsigned events)
{
    bool found = false;
    list_for_each_safe (p, &q->waiters) {
        struct waiter *w = list_entry(p, struct waiter, link);
        if (!wants(w, events))
            continue;
        if (w->wake == sleeper_wake) {
            if (found || container_of(w, struct sleeper, waiter)->woken)
                continue;
            found = true;
        }
        w->wake(w, events);
    }
}
