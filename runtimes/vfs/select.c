/* vfs/select.c - select(2), pselect6(2).
 *
 * A descriptor set is a bit a descriptor, in words of 64 bits. Which poll events make a descriptor readable,
 * writable or exceptional is what Linux's select says (select(2), "Correspondence between select() and poll()
 * notifications").
 */
#include "polling.h"

#define READABLE    (EPOLLRDNORM | EPOLLRDBAND | EPOLLIN | EPOLLHUP | EPOLLERR)
#define WRITABLE    (EPOLLWRNORM | EPOLLWRBAND | EPOLLOUT | EPOLLERR)
#define EXCEPTIONAL EPOLLPRI

enum { SETS = 3, MOST = 65536, FEW_WORDS = 16 };

static const unsigned meaning[SETS] = {READABLE, WRITABLE, EXCEPTIONAL};

struct watch {
    unsigned count, words;
    uint64_t *wanted[SETS], *found[SETS];
};

static bool has(const uint64_t *set, unsigned fd)
{
    return set[fd / 64] >> fd % 64 & 1;
}

static unsigned events_wanted(const struct watch *watch, unsigned fd)
{
    unsigned events = 0;
    for (unsigned s = 0; s < SETS; s++)
        if (has(watch->wanted[s], fd))
            events |= meaning[s];
    return events;
}

/* How many bits are set in `found`, or -EBADF. */
static int look(struct watch *watch, struct poll_wait *wait)
{
    int ready = 0;

    for (unsigned s = 0; s < SETS; s++)
        memset(watch->found[s], 0, watch->words * 8);
    for (unsigned fd = 0; fd < watch->count; fd++) {
        unsigned wanted, events;
        struct file *f;
        if (fd % 64 == 0 &&
            !(watch->wanted[0][fd / 64] | watch->wanted[1][fd / 64] | watch->wanted[2][fd / 64])) {
            fd += 63;
            continue;
        }
        wanted = events_wanted(watch, fd);
        if (!wanted)
            continue;
        f = fd_get((int)fd);
        if (!f)
            return -EBADF;
        if (wait)
            wait->events = wanted;
        events = file_poll(f, wait ? &wait->poller : NULL);
        file_put(f);
        for (unsigned s = 0; s < SETS; s++) {
            if (has(watch->wanted[s], fd) && (events & meaning[s])) {
                watch->found[s][fd / 64] |= 1UL << fd % 64;
                ready++;
            }
        }
    }
    return ready;
}

/* The files must stay while their queues are joined, even if another thread closes the descriptors. */
static struct file **hold(const struct watch *watch, unsigned *held)
{
    struct file **files;
    unsigned n = 0;
    for (unsigned fd = 0; fd < watch->count; fd++)
        n += events_wanted(watch, fd) != 0;
    files = kmalloc((n + 1) * sizeof(*files));
    *held = 0;
    for (unsigned fd = 0; files && fd < watch->count; fd++)
        if (events_wanted(watch, fd) && (files[*held] = fd_get((int)fd)))
            ++*held;
    return files;
}

static int watch_files(struct watch *watch, uint64_t deadline)
{
    struct poll_wait wait;
    struct file **files;
    unsigned held;
    int ready = look(watch, NULL);

    if (ready || deadline <= clock_now())
        return ready;
    files = hold(watch, &held);
    if (!files)
        return -ENOMEM;
    poll_wait_begin(&wait);
    ready = look(watch, &wait);
    while (ready == 0) {
        int result = poll_wait_sleep(&wait, deadline);
        ready = look(watch, NULL);
        if (ready == 0 && result < 0) {
            ready = result == -ETIMEDOUT ? 0 : result;
            break;
        }
    }
    poll_wait_end(&wait);
    while (held)
        file_put(files[--held]);
    kfree(files);
    return ready;
}

static long select_until(int count, uint64_t __user *const sets[SETS], uint64_t deadline)
{
    uint64_t few[2 * SETS * FEW_WORDS], *memory = few;
    struct watch watch = {.count = (unsigned)count};
    long result = 0;

    if (count < 0)
        return -EINVAL;
    watch.count = min(watch.count, (unsigned)MOST);
    watch.words = (watch.count + 63) / 64;
    if (watch.words > FEW_WORDS)
        memory = kmalloc(2UL * SETS * watch.words * 8);
    if (!memory)
        return -ENOMEM;
    for (unsigned s = 0; s < SETS; s++) {
        watch.wanted[s] = memory + s * watch.words;
        watch.found[s] = memory + (SETS + s) * watch.words;
        memset(watch.wanted[s], 0, watch.words * 8);
        if (sets[s] && result == 0)
            result = copy_in(watch.wanted[s], sets[s], watch.words * 8);
        if (watch.count % 64) /* what lies beyond the count does not matter */
            watch.wanted[s][watch.words - 1] &= (1UL << watch.count % 64) - 1;
    }
    if (result == 0)
        result = watch_files(&watch, deadline);
    for (unsigned s = 0; s < SETS && result >= 0; s++)
        if (sets[s] && copy_out(sets[s], watch.found[s], watch.words * 8) < 0)
            result = -EFAULT;
    if (memory != few)
        kfree(memory);
    return result;
}

struct timeval64 {
    int64_t sec, usec;
};

SYSCALL(select, int count, uint64_t __user *in, uint64_t __user *out, uint64_t __user *exceptional,
        struct timeval64 __user *timeout)
{
    uint64_t __user *const sets[SETS] = {in, out, exceptional};
    struct timeval64 t;
    uint64_t deadline = NEVER;
    long result;

    if (timeout) {
        struct __kernel_timespec exact;
        if (copy_in(&t, timeout, sizeof(t)) < 0)
            return -EFAULT;
        if (t.sec < 0 || t.usec < 0)
            return -EINVAL;
        exact.tv_sec = t.sec + t.usec / 1000000;
        exact.tv_nsec = t.usec % 1000000 * 1000;
        deadline_from_timespec(&exact, &deadline);
    }
    result = select_until(count, sets, deadline);
    if (timeout && deadline != NEVER) {
        uint64_t left = time_left(deadline);
        t.sec = (int64_t)(left / 1000000000);
        t.usec = (int64_t)(left % 1000000000 / 1000);
        (void)!copy_out(timeout, &t, sizeof(t));
    }
    return result == -ERESTARTSYS ? -ERESTARTNOHAND : result;
}

/* The sixth argument points to the mask and its size: the call has no register left for the size. */
struct mask_argument {
    const uint64_t *mask;
    size_t size;
};

SYSCALL(pselect6, int count, uint64_t __user *in, uint64_t __user *out, uint64_t __user *exceptional,
        struct __kernel_timespec __user *timeout, const struct mask_argument __user *argument)
{
    uint64_t __user *const sets[SETS] = {in, out, exceptional};
    struct mask_argument mask = {NULL, 0};
    uint64_t deadline;
    long result;

    if (argument && copy_in(&mask, argument, sizeof(mask)) < 0)
        return -EFAULT;
    result = deadline_in(timeout, &deadline);
    if (result < 0)
        return result;
    result = mask_enter(mask.mask, mask.size);
    if (result < 0)
        return result;
    result = select_until(count, sets, deadline);
    mask_leave(mask.mask, result == -ERESTARTSYS);
    deadline_out(timeout, deadline);
    return result == -ERESTARTSYS ? -ERESTARTNOHAND : result;
}
