/* vfs/polling.c - one thread waiting for many wait queues at once: the base of poll and select.
 *
 * Each queue gets a waiter of its own; any of them wakes the thread through the queue it sleeps on. The first
 * waiters lie on the caller's stack, since most calls watch a file or two.
 */
#include "polling.h"

enum { CHUNK_LINKS = 80 };

struct poll_chunk {
    struct poll_chunk *next;
    unsigned used;
    struct poll_link links[CHUNK_LINKS];
};

static void wake(struct waiter *waiter, unsigned events)
{
    struct poll_wait *wait = container_of(waiter, struct poll_link, waiter)->wait;
    wait->woken = true;
    wake_all(&wait->sleep, events);
}

static struct poll_link *link_new(struct poll_wait *wait)
{
    struct poll_chunk *chunk = wait->more;
    if (wait->used < array_size(wait->few))
        return &wait->few[wait->used++];
    if (!chunk || chunk->used == CHUNK_LINKS) {
        chunk = kmalloc(sizeof(*chunk));
        if (!chunk)
            return NULL;
        chunk->next = wait->more;
        chunk->used = 0;
        wait->more = chunk;
    }
    return &chunk->links[chunk->used++];
}

static void join(struct poller *poller, struct wait_queue *queue)
{
    struct poll_wait *wait = container_of(poller, struct poll_wait, poller);
    struct poll_link *link = link_new(wait);
    if (!link) {
        wait->error = -ENOMEM;
        return;
    }
    link->wait = wait;
    link->waiter.events = wait->events;
    link->waiter.wake = wake;
    wait_queue_add(queue, &link->waiter);
}

void poll_wait_begin(struct poll_wait *wait)
{
    wait->poller.on = join;
    wait->events = 0;
    wait->woken = false;
    wait->error = 0;
    wait->more = NULL;
    wait->used = 0;
    wait_queue_init(&wait->sleep);
}

int poll_wait_sleep(struct poll_wait *wait, uint64_t deadline)
{
    int result;
    if (wait->error)
        return wait->error;
    result = wait_for(&wait->sleep, 0, deadline, wait->woken);
    wait->woken = false;
    return result;
}

void poll_wait_end(struct poll_wait *wait)
{
    struct poll_chunk *next;
    for (unsigned i = 0; i < wait->used; i++)
        wait_queue_remove(&wait->few[i].waiter);
    for (struct poll_chunk *chunk = wait->more; chunk; chunk = next) {
        for (unsigned i = 0; i < chunk->used; i++)
            wait_queue_remove(&chunk->links[i].waiter);
        next = chunk->next;
        kfree(chunk);
    }
}

int deadline_in(const struct __kernel_timespec __user *timeout, uint64_t *deadline)
{
    struct __kernel_timespec t;

    *deadline = NEVER;
    if (!timeout)
        return 0;
    if (copy_in(&t, timeout, sizeof(t)) < 0)
        return -EFAULT;
    int error = deadline_from_timespec(&t, deadline);
    if (!error && t.tv_sec == 0 && t.tv_nsec == 0)
        *deadline = 0;
    return error;
}

void deadline_out(struct __kernel_timespec __user *timeout, uint64_t deadline)
{
    if (!timeout || deadline == NEVER)
        return;
    uint64_t left = time_left(deadline);
    struct __kernel_timespec t = {
        .tv_sec = (__kernel_time64_t)(left / 1000000000),
        .tv_nsec = (long long)(left % 1000000000),
    };
    (void)!copy_out(timeout, &t, sizeof(t)); /* a read-only time-out is allowed */
}
