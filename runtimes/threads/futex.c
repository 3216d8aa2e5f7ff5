/* futex.c - futex(2): waiting on a word of user memory. Bitsets, requeueing, wake-op and priority
 * inheritance.
 *
 * Kernel code is not interrupted and no other CPU writes memory, so the look at the word and the sleep are
 * one step by themselves; there are no bucket locks.
 *
 * What identifies a futex: its address, as there is one address space; for a word in a shared mapping its
 * physical address, so that two mappings of the same page meet. FUTEX_PRIVATE_FLAG saves the look at the
 * mapping.
 *
 * The priority-inheriting kind (FUTEX_LOCK_PI ...) keeps the owner's tid in the word as the ABI wants (robust
 * and FUTEX_WAITERS bits included) and hands the lock over at the unlock. There are no real-time priorities
 * to inherit.
 */
#include <linux/futex.h>
#include <linux/mman.h>
#include <linux/time_types.h>
#include "clock.h"
#include "internal.h"
#include "memory.h"
#include "pte.h"

#define BUCKETS 256U

struct futex_waiter {
    struct list link;
    uint64_t key;
    uint32_t bits;
    bool woken;
    bool owner; /* of a PI futex: the lock was handed over */
    struct thread *thread;
    struct timer timer;
    struct waiter real; /* a deadline in real time: looks again when the clock was set */
    bool real_changed;
};

static struct list buckets[BUCKETS];

static struct list *bucket(uint64_t key)
{
    struct list *b = &buckets[(key * 0x9e3779b97f4a7c15UL) >> 56];
    if (!b->next)
        list_init(b);
    return b;
}

/* Physical keys have bit 0 set, which is free: words are aligned. */
static uint64_t physical_key(uintptr_t address)
{
#ifndef UNIKIT_HOST
    const uint64_t *entry = pte_find(address, NULL);
    if (entry && *entry & PTE_PRESENT)
        return (*entry & PTE_ADDRESS) | (address & (PAGE_SIZE - 1)) | 1;
#endif
    return address;
}

static int key_of(uintptr_t address, bool shared, uint64_t *key)
{
    if (address & 3)
        return -EINVAL;
    if (address >= USER_END)
        return -EFAULT;
    *key = address;
    if (!shared)
        return 0;
    const struct mapping *m = space_find(address);
    if (!m || address < m->start)
        return -EFAULT;
    if (m->flags & MAP_SHARED) {
        int error = user_hold((const void __user *)address, 4, m->prot & PROT_WRITE);
        if (error)
            return error;
        *key = physical_key(address);
    }
    return 0;
}

static void waiter_wake(struct futex_waiter *w)
{
    list_remove(&w->link);
    w->woken = true;
    thread_wake(w->thread);
}

static int wake(uint64_t key, int n, uint32_t bits)
{
    int done = 0;
    struct list *b = bucket(key);
    list_for_each_safe (p, b) {
        struct futex_waiter *w = list_entry(p, struct futex_waiter, link);
        if (w->key != key || !(w->bits & bits))
            continue;
        if (done >= n)
            break;
        waiter_wake(w);
        done++;
    }
    return done;
}

int futex_wake_address(uintptr_t address, int n)
{
    uint64_t key;
    int error = key_of(address, true, &key);
    return error ? error : wake(key, n, FUTEX_BITSET_MATCH_ANY);
}

static void expire(struct timer *timer)
{
    thread_wake(container_of(timer, struct futex_waiter, timer)->thread);
}

static void real_changes(struct waiter *waiter, unsigned events)
{
    (void)events;
    struct futex_waiter *w = container_of(waiter, struct futex_waiter, real);
    w->real_changed = true;
    thread_wake(w->thread);
}

/* When a wait ends, as the call says it. */
struct deadline {
    uint64_t when; /* on clock_now()'s scale; NEVER */
    bool real;
    int64_t real_ns;
};

static int deadline_from(const struct __kernel_timespec __user *timeout, bool absolute, bool real,
                         struct deadline *d)
{
    *d = (struct deadline){.when = NEVER};
    if (!timeout)
        return 0;
    struct __kernel_timespec t;
    if (copy_in(&t, timeout, sizeof(t)))
        return -EFAULT;
    if (t.tv_sec < 0 || t.tv_nsec < 0 || t.tv_nsec >= 1000000000)
        return -EINVAL;
    if (t.tv_sec > INT64_MAX / 1000000000 - 1)
        return 0;
    int64_t ns = t.tv_sec * 1000000000 + t.tv_nsec;
    if (!absolute) {
        d->when = clock_now() + (uint64_t)ns;
    } else if (real) {
        d->real = true;
        d->real_ns = ns;
    } else {
        d->when = (uint64_t)ns;
    }
    return 0;
}

/* Sleeps as `w`, which is filled but for its key's queue. 0 when woken, -ETIMEDOUT, -ERESTARTSYS. */
static int sleep_on(struct futex_waiter *w, const struct deadline *d)
{
    int result = 0;
    w->thread = current;
    w->timer.fire = expire;
    list_init(&w->real.link);
    list_append(bucket(w->key), &w->link);
    if (d->real) {
        w->real.wake = real_changes;
        wait_queue_add(&clock_real_changes, &w->real);
    }
    for (;;) {
        uint64_t when = d->when;
        if (d->real) {
            int64_t left = d->real_ns - clock_real();
            when = left <= 0 ? 0 : clock_now() + (uint64_t)left;
        }
        if (signal_pending())
            result = -ERESTARTSYS;
        else if (when != NEVER && clock_now() >= when)
            result = -ETIMEDOUT;
        if (result)
            break;
        if (when != NEVER)
            timer_start(&w->timer, when);
        current->state = THREAD_WAITING;
        schedule();
        if (w->woken)
            break;
    }
    timer_cancel(&w->timer);
    list_remove(&w->real.link);
    list_remove(&w->link);
    return w->woken ? 0 : result;
}

static long wait_restart(struct thread *t);

/* restart_data: address, expected value and bits, deadline, shared. */
static long wait(uintptr_t address, bool shared, uint32_t expected, uint32_t bits, const struct deadline *d,
                 bool relative)
{
    if (!bits)
        return -EINVAL;
    struct futex_waiter w = {.bits = bits};
    uint32_t value;
    int error = key_of(address, shared, &w.key);
    if (error)
        return error;
    if (get_user(value, (const uint32_t __user *)address))
        return -EFAULT;
    if (value != expected)
        return -EAGAIN;
    error = sleep_on(&w, d);
    if (error != -ERESTARTSYS || d->when == NEVER || !relative)
        return error;
    current->restart = wait_restart;
    current->restart_data[0] = address;
    current->restart_data[1] = (uint64_t)expected << 32 | bits;
    current->restart_data[2] = d->when;
    current->restart_data[3] = shared;
    return -ERESTART_RESTARTBLOCK;
}

static long wait_restart(struct thread *t)
{
    struct deadline d = {.when = t->restart_data[2]};
    return wait(t->restart_data[0], t->restart_data[3], (uint32_t)(t->restart_data[1] >> 32),
                (uint32_t)t->restart_data[1], &d, true);
}

static long requeue(uintptr_t from, uintptr_t to, bool shared, int wakes, int moves, const uint32_t *expected)
{
    uint64_t from_key, to_key;
    if (wakes < 0 || moves < 0)
        return -EINVAL;
    int error = key_of(from, shared, &from_key);
    if (!error)
        error = key_of(to, shared, &to_key);
    if (error)
        return error;
    if (expected) {
        uint32_t value;
        if (get_user(value, (const uint32_t __user *)from))
            return -EFAULT;
        if (value != *expected)
            return -EAGAIN;
    }
    long done = wake(from_key, wakes, FUTEX_BITSET_MATCH_ANY);
    if (from_key == to_key)
        return done;
    list_for_each_safe (p, bucket(from_key)) {
        struct futex_waiter *w = list_entry(p, struct futex_waiter, link);
        if (w->key != from_key)
            continue;
        if (moves-- <= 0)
            break;
        w->key = to_key;
        list_remove(&w->link);
        list_append(bucket(to_key), &w->link);
        done++;
    }
    return done;
}

static int32_t sign_extend_12(uint32_t value)
{
    return (int32_t)(value << 20) >> 20;
}

/* FUTEX_WAKE_OP: changes the second word, wakes on the first, and on the second if its old value compares. */
static long wake_op(uintptr_t first, uintptr_t second, bool shared, int wakes, int more, uint32_t encoded)
{
    uint64_t first_key, second_key;
    int error = key_of(first, shared, &first_key);
    if (!error)
        error = key_of(second, shared, &second_key);
    if (error)
        return error;
    uint32_t op = encoded >> 28 & 7, compare = encoded >> 24 & 15;
    int32_t argument = sign_extend_12(encoded >> 12 & 0xfff), against = sign_extend_12(encoded & 0xfff);
    if (encoded >> 28 & FUTEX_OP_OPARG_SHIFT)
        argument = (int32_t)(1U << (argument & 31));
    int32_t old, new;
    if (get_user(old, (const int32_t __user *)second))
        return -EFAULT;
    switch (op) {
    case FUTEX_OP_SET:
        new = argument;
        break;
    case FUTEX_OP_ADD:
        new = (int32_t)((uint32_t)old + (uint32_t)argument);
        break;
    case FUTEX_OP_OR:
        new = old | argument;
        break;
    case FUTEX_OP_ANDN:
        new = old & ~argument;
        break;
    case FUTEX_OP_XOR:
        new = old ^ argument;
        break;
    default:
        return -ENOSYS;
    }
    bool holds;
    switch (compare) {
    case FUTEX_OP_CMP_EQ:
        holds = old == against;
        break;
    case FUTEX_OP_CMP_NE:
        holds = old != against;
        break;
    case FUTEX_OP_CMP_LT:
        holds = old < against;
        break;
    case FUTEX_OP_CMP_LE:
        holds = old <= against;
        break;
    case FUTEX_OP_CMP_GT:
        holds = old > against;
        break;
    case FUTEX_OP_CMP_GE:
        holds = old >= against;
        break;
    default:
        return -ENOSYS;
    }
    if (put_user((int32_t __user *)second, new))
        return -EFAULT;
    long done = wake(first_key, wakes, FUTEX_BITSET_MATCH_ANY);
    return holds ? done + wake(second_key, more, FUTEX_BITSET_MATCH_ANY) : done;
}

static struct futex_waiter *first_waiter(uint64_t key)
{
    list_for_each (p, bucket(key)) {
        struct futex_waiter *w = list_entry(p, struct futex_waiter, link);
        if (w->key == key)
            return w;
    }
    return NULL;
}

static long lock_pi(uintptr_t address, bool shared, const struct deadline *d, bool try)
{
    uint32_t value;
    struct futex_waiter w = {.bits = FUTEX_BITSET_MATCH_ANY};
    int error = key_of(address, shared, &w.key);
    if (error)
        return error;
    if (get_user(value, (const uint32_t __user *)address))
        return -EFAULT;
    uint32_t owner = value & FUTEX_TID_MASK;
    if (owner == (uint32_t)current->tid)
        return -EDEADLK;
    if (!owner) {
        /* Free, or left by a thread that died (FUTEX_OWNER_DIED stays for the caller to see). */
        value =
            (uint32_t)current->tid | (value & FUTEX_OWNER_DIED) | (first_waiter(w.key) ? FUTEX_WAITERS : 0);
        return put_user((uint32_t __user *)address, value);
    }
    if (!thread_by_tid((int)owner))
        return -ESRCH;
    if (try)
        return -EAGAIN;
    if (put_user((uint32_t __user *)address, value | FUTEX_WAITERS))
        return -EFAULT;
    error = sleep_on(&w, d);
    if (!error && !w.owner)
        return -EAGAIN;
    return error == -ERESTARTSYS ? -ERESTARTSYS : error;
}

/* The word's owner gives the lock to the first who waits; also for an owner that died (robust.c). */
static int hand_over(uintptr_t address, uint64_t key, uint32_t also)
{
    struct futex_waiter *next = first_waiter(key);
    uint32_t value = also;
    if (next) {
        list_remove(&next->link);
        value |= (uint32_t)next->thread->tid | (first_waiter(key) ? FUTEX_WAITERS : 0);
    }
    if (put_user((uint32_t __user *)address, value)) {
        if (next)
            list_push(bucket(key), &next->link);
        return -EFAULT;
    }
    if (next) {
        next->woken = next->owner = true;
        thread_wake(next->thread);
    }
    return 0;
}

static long unlock_pi(uintptr_t address, bool shared)
{
    uint32_t value;
    uint64_t key;
    int error = key_of(address, shared, &key);
    if (error)
        return error;
    if (get_user(value, (const uint32_t __user *)address))
        return -EFAULT;
    if ((value & FUTEX_TID_MASK) != (uint32_t)current->tid)
        return -EPERM;
    return hand_over(address, key, 0);
}

void futex_owner_died(uintptr_t address, bool pi)
{
    uint32_t value;
    uint64_t key;
    if (key_of(address, true, &key) || get_user(value, (const uint32_t __user *)address))
        return;
    if ((value & FUTEX_TID_MASK) != (uint32_t)current->tid)
        return;
    if (pi) {
        (void)hand_over(address, key, FUTEX_OWNER_DIED);
        return;
    }
    if (put_user((uint32_t __user *)address, (value & FUTEX_WAITERS) | FUTEX_OWNER_DIED))
        return;
    if (value & FUTEX_WAITERS)
        wake(key, 1, FUTEX_BITSET_MATCH_ANY);
}

SYSCALL(futex, uintptr_t address, int op, uint32_t value, uintptr_t timeout, uintptr_t second, uint32_t third)
{
    int command = op & FUTEX_CMD_MASK;
    bool real = op & FUTEX_CLOCK_REALTIME, shared = !(op & FUTEX_PRIVATE_FLAG);
    const struct __kernel_timespec __user *time = (const void __user *)timeout;
    struct deadline d;
    uint64_t key;
    int error = 0;
    if (real && command != FUTEX_WAIT && command != FUTEX_WAIT_BITSET && command != FUTEX_LOCK_PI2 &&
        command != FUTEX_WAIT_REQUEUE_PI)
        return -ENOSYS;
    switch (command) {
    case FUTEX_WAIT:
        error = deadline_from(time, false, false, &d);
        return error ? error : wait(address, shared, value, FUTEX_BITSET_MATCH_ANY, &d, true);
    case FUTEX_WAIT_BITSET:
        error = deadline_from(time, true, real, &d);
        return error ? error : wait(address, shared, value, third, &d, false);
    case FUTEX_WAKE:
        third = FUTEX_BITSET_MATCH_ANY;
        __attribute__((fallthrough));
    case FUTEX_WAKE_BITSET:
        if (!third)
            return -EINVAL;
        error = key_of(address, shared, &key);
        /* As Linux: a count below one still wakes one. */
        return error ? error : wake(key, max((int)value, 1), third);
    case FUTEX_REQUEUE:
        return requeue(address, second, shared, (int)value, (int)timeout, NULL);
    case FUTEX_CMP_REQUEUE:
        return requeue(address, second, shared, (int)value, (int)timeout, &third);
    case FUTEX_WAKE_OP:
        return wake_op(address, second, shared, max((int)value, 1), max((int)timeout, 1), third);
    case FUTEX_LOCK_PI:
        error = deadline_from(time, true, true, &d);
        return error ? error : lock_pi(address, shared, &d, false);
    case FUTEX_LOCK_PI2:
        error = deadline_from(time, true, real, &d);
        return error ? error : lock_pi(address, shared, &d, false);
    case FUTEX_TRYLOCK_PI:
        d = (struct deadline){.when = NEVER};
        return lock_pi(address, shared, &d, true);
    case FUTEX_UNLOCK_PI:
        return unlock_pi(address, shared);
    default: /* FUTEX_FD is gone from Linux; glibc does without the requeueing PI kind */
        return -ENOSYS;
    }
}
