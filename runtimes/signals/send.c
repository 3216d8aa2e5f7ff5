/* send.c - signals on their way: sending, the pending sets, choosing the thread (signal(7), "Queueing and
 * delivery semantics").
 *
 * Standard signals are pending once, real-time ones queue up. A signal for the process is taken by any thread
 * that does not block it; the first thread is preferred, as on Linux. Ignored signals are dropped at once
 * unless somebody blocks them, for their action may change before they are unblocked.
 */
#include "signals.h"
#include "memory.h"
#include "process.h"

#define QUEUED_MOST 1024 /* RLIMIT_SIGPENDING of a small machine */

struct pending {
    struct list link;
    struct signal_info info;
};

struct signal_action signal_actions[SIGNALS + 1];
struct wait_queue signal_arrivals = {LIST_INIT(signal_arrivals.waiters)};

static uint64_t process_pending;
static struct list process_queue = LIST_INIT(process_queue);
static unsigned queued;

uint64_t signals_pending_for(const struct thread *t)
{
    return t->signals.pending | process_pending;
}

bool signal_is_ignored(int number)
{
    uintptr_t handler = signal_actions[number].handler;
    return handler == HANDLER_IGNORE || (handler == HANDLER_DEFAULT && IGNORED_BY_DEFAULT & BIT(number));
}

static void notify(struct thread *t)
{
    if (t == current && t->state == THREAD_RUNNING)
        return_work = true;
    thread_wake(t); /* the current thread may be waiting, too: the CPU idles in its place */
}

/* The thread that takes a process's signal; NULL: all block it. */
static struct thread *taker(int number)
{
    struct thread *other = NULL;
    list_for_each (p, &threads_all) {
        struct thread *t = list_entry(p, struct thread, all);
        if (t->signals.blocked & BIT(number))
            continue;
        if (t->tid == process_id)
            return t;
        if (!other || t == current)
            other = t;
    }
    return other;
}

/* A signal of the process is not every thread's who does not block it: it would be taken from the first
 * thread, which it was to wake. */
uint64_t signals_deliverable(void)
{
    const struct thread_signals *own = &current->signals;
    uint64_t set = own->pending & ~own->blocked;
    for (uint64_t rest = process_pending & ~own->blocked & ~set; rest; rest &= rest - 1) {
        int number = __builtin_ctzl(rest) + 1;
        if (taker(number) == current)
            set |= BIT(number);
    }
    return set;
}

bool signal_pending(void)
{
    return current->ending || signals_deliverable() != 0;
}

static bool blocked_somewhere(const struct thread *to, int number)
{
    if (to)
        return to->signals.blocked & BIT(number);
    list_for_each (p, &threads_all)
        if (list_entry(p, struct thread, all)->signals.blocked & BIT(number))
            return true;
    return false;
}

int signal_send(struct thread *to, const struct signal_info *info)
{
    int number = info->number;
    uint64_t *set = to ? &to->signals.pending : &process_pending;
    struct list *queue = to ? &to->signals.queue : &process_queue;

    if (signal_is_ignored(number) && !blocked_somewhere(to, number))
        return 0;
    if (number < SIGRTMIN && *set & BIT(number))
        return 0;
    struct pending *p = queued < QUEUED_MOST ? kmalloc(sizeof(*p)) : NULL;
    if (p) {
        p->info = *info;
        list_append(queue, &p->link);
        queued++;
    } else if (number >= SIGRTMIN && info->code != SI_USER) {
        return -EAGAIN; /* its value would be lost */
    }
    *set |= BIT(number);
    struct thread *t = to ? to : taker(number);
    if (t && !(t->signals.blocked & BIT(number)))
        notify(t);
    wake_all(&signal_arrivals, 0);
    return 0;
}

bool signal_queued(const struct thread *to, int number, int code, int sender)
{
    const struct list *queue = to ? &to->signals.queue : &process_queue;
    list_for_each (link, queue) {
        const struct signal_info *info = &list_entry(link, struct pending, link)->info;
        if (info->number == number && info->code == code && info->sender == sender)
            return true;
    }
    return false;
}

/* The lowest number first; what an instruction of the thread itself raised before all others. */
static int lowest(uint64_t set)
{
    if (set & SYNCHRONOUS)
        set &= SYNCHRONOUS;
    return set ? __builtin_ctzl(set) + 1 : 0;
}

/* Takes one of `number` from a queue; clears its bit if it was the last. */
static void take_from(struct list *queue, uint64_t *set, int number, struct signal_info *info)
{
    bool found = false, more = false;
    *info = (struct signal_info){.number = number, .code = SI_USER};
    list_for_each_safe (link, queue) {
        struct pending *p = list_entry(link, struct pending, link);
        if (p->info.number != number)
            continue;
        if (found) {
            more = true;
            break;
        }
        found = true;
        *info = p->info;
        list_remove(&p->link);
        kfree(p);
        queued--;
    }
    if (!more)
        *set &= ~BIT(number);
}

int signal_take(uint64_t set, struct signal_info *info)
{
    struct thread_signals *own = &current->signals;
    int number = lowest(own->pending & set);
    if (number) {
        take_from(&own->queue, &own->pending, number, info);
        return number;
    }
    number = lowest(process_pending & set);
    if (number)
        take_from(&process_queue, &process_pending, number, info);
    return number;
}

/* Process signals that the current thread leaves alone: another thread may be waiting who does not block
 * them. */
static void hand_on(uint64_t set)
{
    for (set &= process_pending; set; set &= set - 1) {
        struct thread *t = taker(__builtin_ctzl(set) + 1);
        if (t && t != current)
            notify(t);
    }
}

void signals_set_blocked(uint64_t mask)
{
    mask &= ~UNSTOPPABLE;
    uint64_t newly = mask & ~current->signals.blocked;
    current->signals.blocked = mask;
    if (process_pending & newly)
        hand_on(newly);
    if (signal_pending())
        return_work = true;
}

static void drop(struct list *queue, uint64_t *pending, uint64_t set)
{
    if (!(*pending & set))
        return;
    *pending &= ~set;
    list_for_each_safe (link, queue) {
        struct pending *p = list_entry(link, struct pending, link);
        if (!(BIT(p->info.number) & set))
            continue;
        list_remove(&p->link);
        kfree(p);
        queued--;
    }
}

void signals_drop(uint64_t set)
{
    drop(&process_queue, &process_pending, set);
    list_for_each (p, &threads_all) {
        struct thread *t = list_entry(p, struct thread, all);
        drop(&t->signals.queue, &t->signals.pending, set);
    }
}

void signals_forget(struct thread *t)
{
    drop(&t->signals.queue, &t->signals.pending, ~0UL);
    t->signals.blocked = ~0UL;
    hand_on(~0UL);
}
