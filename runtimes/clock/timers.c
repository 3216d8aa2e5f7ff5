/* timers.c - what is to happen at a time: an intrusive pairing heap (Fredman, Sedgewick, Sleator, Tarjan
 * 1986).
 *
 * Starting a timer is O(1) and needs no memory, so it cannot fail; cancelling and the next one are O(log n)
 * amortized. Most timers are timeouts that never come, so the alarm is not moved when one is cancelled: a
 * ring for nothing is cheaper.
 *
 * A timer's prev is its parent if it is the first child, else its elder sibling; the root's is NULL.
 */
#include "thread.h"

static struct timer *root;

static struct timer *meld(struct timer *a, struct timer *b)
{
    if (!a || !b)
        return a ? a : b;
    if (b->when < a->when) {
        struct timer *t = a;
        a = b;
        b = t;
    }
    b->prev = a;
    b->next = a->child;
    if (a->child)
        a->child->prev = b;
    a->child = b;
    a->next = NULL;
    return a;
}

/* Two passes over siblings: pairs from the left, then all together from the right. */
static struct timer *meld_siblings(struct timer *first)
{
    struct timer *pairs = NULL; /* linked by next, last pair first */
    while (first) {
        struct timer *a = first, *b = a->next;
        first = b ? b->next : NULL;
        a->next = NULL;
        if (b)
            b->next = NULL;
        struct timer *pair = meld(a, b);
        pair->next = pairs;
        pairs = pair;
    }
    struct timer *all = NULL;
    while (pairs) {
        struct timer *next = pairs->next;
        pairs->next = NULL;
        all = meld(all, pairs);
        pairs = next;
    }
    if (all)
        all->prev = NULL;
    return all;
}

void timer_start(struct timer *t, uint64_t when)
{
    timer_cancel(t);
    t->when = when;
    t->active = true;
    t->child = t->next = t->prev = NULL;
    root = meld(root, t);
    root->prev = NULL;
    if (root == t)
        clock_alarm(when);
}

void timer_cancel(struct timer *t)
{
    if (!t->active)
        return;
    t->active = false;
    struct timer *children = meld_siblings(t->child);
    t->child = NULL;
    if (root == t) {
        root = children;
        return;
    }
    if (t->prev->child == t)
        t->prev->child = t->next;
    else
        t->prev->next = t->next;
    if (t->next)
        t->next->prev = t->prev;
    t->next = t->prev = NULL;
    root = meld(root, children);
    root->prev = NULL;
}

void timers_run(void)
{
    /* `now` is taken once, so that a timer that starts itself again for at once cannot hold the CPU here. */
    uint64_t now = clock_now();
    while (root && root->when <= now) {
        struct timer *t = root;
        timer_cancel(t);
        t->fire(t);
    }
    if (root)
        clock_alarm(root->when);
}
