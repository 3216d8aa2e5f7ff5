/* schedule.c - who gets the CPU.
 *
 * Each thread's use of the CPU is counted (`share`); the ready thread with the least runs next, so that a
 * thread that waits most of the time goes ahead of those that use up their slices, and two that wake each
 * other for ever still leave the others their part. A thread that slept gets at most SLEEP_CREDIT of
 * advantage for it.
 *
 * A woken thread with the lesser share takes the CPU at the next return to user code if the running thread
 * has had it for SETTLE already, or is ahead by more than that; else at the end of that time. The delay is
 * what keeps pthread_cond_signal() under a held mutex from costing two switches: the signaller gets to its
 * unlock first. But who lets a lock go for a moment again and again (Python's, around each call) would have
 * it back before a thread that is far behind could take it.
 *
 * No tick: the alarm is programmed for the next timer, and for the end of the slice only if somebody else is
 * ready. With nobody ready the CPU halts in the context of the thread that waits, so that the same thread
 * woken again costs no switch.
 */
#include "internal.h"
#include "network.h"

#define SLICE        5000000UL
#define SLEEP_CREDIT 5000000UL
#define SETTLE       1000000UL

struct thread *current;
bool reschedule, return_work;

static struct list ready = LIST_INIT(ready);
static uint64_t share_floor; /* the share of the thread that ran last: sleepers come back near it */
static struct thread *ended; /* the thread that was left for good; freed on the next one's stack */

WEAK void network_flush(void) {}

/* Adds what the running thread used since it was last asked. */
static uint64_t account(void)
{
    uint64_t now = clock_now();
    if (current->since) {
        uint64_t used = now - current->since;
        current->ran += used;
        current->share += used;
    }
    current->since = now;
    return now;
}

uint64_t thread_cpu_time(const struct thread *t)
{
    return t == current && t->since ? t->ran + (clock_now() - t->since) : t->ran;
}

static void enqueue(struct thread *t)
{
    t->state = THREAD_READY;
    struct list *after = ready.prev;
    while (after != &ready && list_entry(after, struct thread, run)->share > t->share)
        after = after->prev;
    list_insert_(&t->run, after, after->next);
}

/* t became ready: does the running thread go on, and for how long? */
static void consider(const struct thread *t)
{
    if (!current || current->state != THREAD_RUNNING)
        return;
    uint64_t used = clock_now() - current->since;
    if (t->share < current->share + used) {
        if (used >= SETTLE || current->share + used - t->share > SETTLE) {
            reschedule = return_work = true;
            return;
        }
        current->slice_end = min(current->slice_end, current->since + SETTLE);
    }
    clock_alarm(current->slice_end);
}

void thread_ready(struct thread *t)
{
    t->share = max(t->share, share_floor);
    enqueue(t);
    consider(t);
}

void thread_wake(struct thread *t)
{
    if (t->state != THREAD_WAITING)
        return;
    uint64_t least = share_floor > SLEEP_CREDIT ? share_floor - SLEEP_CREDIT : 0;
    t->share = max(t->share, least);
    enqueue(t);
    consider(t);
}

/* Halts until an interrupt made somebody ready. `sti` takes effect after the next instruction, so that an
 * interrupt cannot come between the look at the queue and the halt. */
static void idle(void)
{
    network_flush();
    if (!list_empty(&ready))
        return;
#ifdef UNIKIT_HOST
    panic("nobody is ready");
#else
    __asm__ volatile("sti; hlt; cli" ::: "memory");
#endif
}

void switch_finish(void)
{
    if (ended) {
        thread_free(ended);
        ended = NULL;
    }
}

static void switch_to(struct thread *next)
{
    struct thread *last = current;
    assert(!last->stack || *(const uint64_t *)last->stack == STACK_END);
    if (last->state == THREAD_DEAD) {
        assert(!ended);
        ended = last;
    }
    current = next;
    segments_switch(last, next);
    fpu_enter(next);
    switch_stacks(&last->saved_sp, next->saved_sp);
    switch_finish();
}

void schedule(void)
{
    account();
    if (current->state == THREAD_RUNNING)
        enqueue(current);
    current->since = 0; /* waits from here on: what the CPU idles is nobody's */
    while (list_empty(&ready))
        idle();
    struct thread *next = list_first(&ready, struct thread, run);
    list_remove(&next->run);
    next->state = THREAD_RUNNING;
    next->since = clock_now();
    next->slice_end = next->since + SLICE;
    share_floor = max(share_floor, next->share);
    reschedule = false;
    return_work = true; /* what waits for this thread was not looked at while others ran */
    if (!list_empty(&ready))
        clock_alarm(next->slice_end);
    if (next != current)
        switch_to(next);
}

void schedule_if_needed(void)
{
    reschedule = false;
    if (list_empty(&ready))
        return;
    uint64_t now = account();
    if (list_first(&ready, struct thread, run)->share >= current->share) {
        current->slice_end = now + SLICE;
        clock_alarm(current->slice_end);
        return;
    }
    schedule();
}

void schedule_tick(void)
{
    if (list_empty(&ready) || current->state != THREAD_RUNNING)
        return;
    if (clock_now() >= current->slice_end)
        reschedule = return_work = true;
    else
        clock_alarm(current->slice_end);
}

/* One of those that are ready runs first, and all before it. */
static void step_behind(const struct list *other)
{
    if (list_empty(&ready))
        return;
    account();
    current->share = max(current->share, list_entry(other, struct thread, run)->share);
    schedule();
}

void thread_step_back(void)
{
    step_behind(ready.prev);
}

/* sched_yield(2): behind the first of the others, whatever the shares say. */
SYSCALL(sched_yield, void)
{
    step_behind(ready.next);
    return 0;
}

void boot_done(void)
{
    list_remove(&current->all);
    current->state = THREAD_DEAD;
    schedule();
    panic("the boot context came back");
}
