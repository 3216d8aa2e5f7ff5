/* vfs/poll.c - poll(2), ppoll(2). */
#include <linux/poll.h>

#include "polling.h"

enum { FEW = 8, MOST = 1 << 20 };

/* What poll reports without being asked. */
#define ALWAYS (EPOLLERR | EPOLLHUP)

struct watch {
    struct pollfd *fds;
    struct file **files;
    unsigned count;
};

/* The events of each file; how many have any. The second time with a poller, so that a change wakes us. */
static int look(struct watch *watch, struct poll_wait *wait)
{
    int ready = 0;
    for (unsigned i = 0; i < watch->count; i++) {
        struct pollfd *p = &watch->fds[i];
        unsigned wanted = (unsigned short)p->events | ALWAYS, events = 0;
        if (watch->files[i]) {
            if (wait)
                wait->events = wanted;
            events = file_poll(watch->files[i], wait ? &wait->poller : NULL) & wanted;
        } else if (p->fd >= 0) {
            events = POLLNVAL;
        }
        p->revents = (short)events;
        ready += events != 0;
    }
    return ready;
}

static int watch_files(struct watch *watch, uint64_t deadline)
{
    struct poll_wait wait;
    int ready = look(watch, NULL);

    if (ready || deadline <= clock_now())
        return ready;
    poll_wait_begin(&wait);
    ready = look(watch, &wait);
    while (!ready) {
        int result = poll_wait_sleep(&wait, deadline);
        ready = look(watch, NULL);
        if (!ready && result < 0) {
            ready = result == -ETIMEDOUT ? 0 : result;
            break;
        }
    }
    poll_wait_end(&wait);
    return ready;
}

/* The time-out as an end on clock_now()'s scale: a restarted call keeps it. */
static long poll_until(struct pollfd __user *user, unsigned count, uint64_t deadline)
{
    struct pollfd few_fds[FEW];
    struct file *few_files[FEW];
    struct watch watch = {few_fds, few_files, count};
    long result;

    if (count > MOST)
        return -EINVAL;
    if (count > FEW) {
        watch.fds = kmalloc(count * (sizeof(struct pollfd) + sizeof(struct file *)));
        if (!watch.fds)
            return -ENOMEM;
        watch.files = (struct file **)(void *)(watch.fds + count);
    }
    result = copy_in(watch.fds, user, count * sizeof(struct pollfd));
    if (result == 0) {
        for (unsigned i = 0; i < count; i++)
            watch.files[i] = watch.fds[i].fd >= 0 ? fd_get(watch.fds[i].fd) : NULL;
        result = watch_files(&watch, deadline);
        for (unsigned i = 0; i < count; i++)
            if (watch.files[i])
                file_put(watch.files[i]);
        for (unsigned i = 0; i < count && result >= 0; i++)
            if (copy_out(&user[i].revents, &watch.fds[i].revents, sizeof(short)) < 0)
                result = -EFAULT;
    }
    if (count > FEW)
        kfree(watch.fds);
    return result;
}

static long restart(struct thread *thread)
{
    const uint64_t *data = thread->restart_data;
    long result = poll_until((struct pollfd *)data[0], (unsigned)data[1], data[2]);
    return result == -ERESTARTSYS ? -ERESTART_RESTARTBLOCK : result;
}

SYSCALL(poll, struct pollfd __user *fds, unsigned count, int timeout)
{
    uint64_t deadline = timeout < 0 ? NEVER : timeout == 0 ? 0 : deadline_after((uint64_t)timeout * 1000000);
    long result = poll_until(fds, count, deadline);

    if (result != -ERESTARTSYS)
        return result;
    current->restart = restart;
    current->restart_data[0] = (uintptr_t)fds;
    current->restart_data[1] = count;
    current->restart_data[2] = deadline;
    return -ERESTART_RESTARTBLOCK;
}

SYSCALL(ppoll, struct pollfd __user *fds, unsigned count, struct __kernel_timespec __user *timeout,
        const uint64_t __user *mask, size_t mask_size)
{
    uint64_t deadline;
    long result;

    result = deadline_in(timeout, &deadline);
    if (result < 0)
        return result;
    result = mask_enter(mask, mask_size);
    if (result < 0)
        return result;
    result = poll_until(fds, count, deadline);
    mask_leave(mask, result == -ERESTARTSYS);
    deadline_out(timeout, deadline);
    return result == -ERESTARTSYS ? -ERESTARTNOHAND : result;
}
