/* vfs/eventfd.c - eventfd(2), eventfd2(2): a counter that can be waited for. */
#include <linux/eventpoll.h>
#include <linux/fcntl.h>

#include "file.h"
#include "memory.h"

enum { SEMAPHORE = 1 }; /* EFD_SEMAPHORE; EFD_NONBLOCK and EFD_CLOEXEC are the O_ flags */

struct eventfd {
    uint64_t count;
    bool semaphore;
    struct wait_queue queue;
};

static ssize_t eventfd_read(struct file *f, struct io *io, uint64_t *pos)
{
    struct eventfd *e = f->data;
    uint64_t value;
    int result;

    (void)pos;
    if (io->left < sizeof(value))
        return -EINVAL;
    if (!e->count && (f->flags & O_NONBLOCK))
        return -EAGAIN;
    result = wait_for(&e->queue, EPOLLIN, NEVER, e->count != 0);
    if (result < 0)
        return result;
    value = e->semaphore ? 1 : e->count;
    e->count -= value;
    wake_all(&e->queue, EPOLLOUT | EPOLLWRNORM);
    return io_put(io, &value, sizeof(value)) == sizeof(value) ? (ssize_t)sizeof(value) : -EFAULT;
}

static ssize_t eventfd_write(struct file *f, struct io *io, uint64_t *pos)
{
    struct eventfd *e = f->data;
    uint64_t value;
    int result;

    (void)pos;
    if (io->left < sizeof(value))
        return -EINVAL;
    if (io_take(io, &value, sizeof(value)) != sizeof(value))
        return -EFAULT;
    if (value == UINT64_MAX)
        return -EINVAL;
    /* The counter never reaches the highest value. */
    if (value >= UINT64_MAX - e->count && (f->flags & O_NONBLOCK))
        return -EAGAIN;
    result = wait_for(&e->queue, EPOLLOUT, NEVER, value < UINT64_MAX - e->count);
    if (result < 0)
        return result;
    e->count += value;
    wake_all(&e->queue, EPOLLIN | EPOLLRDNORM);
    return sizeof(value);
}

static unsigned eventfd_poll(struct file *f, struct poller *poller)
{
    struct eventfd *e = f->data;
    poll_on(poller, &e->queue);
    return (e->count ? EPOLLIN : 0) | (e->count < UINT64_MAX - 1 ? EPOLLOUT : 0);
}

static void eventfd_release(struct file *f)
{
    kfree(f->data);
}

static const struct file_ops eventfd_ops = {
    .read = eventfd_read,
    .write = eventfd_write,
    .poll = eventfd_poll,
    .release = eventfd_release,
    .kind = "anon_inode:[eventfd]",
};

static long create(unsigned count, int flags)
{
    struct eventfd *e;
    struct file *f;

    if (flags & ~(SEMAPHORE | O_NONBLOCK | O_CLOEXEC))
        return -EINVAL;
    e = kzalloc(sizeof(*e));
    f = e ? file_new(&eventfd_ops, O_RDWR | (flags & O_NONBLOCK), e) : NULL;
    if (!f) {
        kfree(e);
        return -ENOMEM;
    }
    e->count = count;
    e->semaphore = flags & SEMAPHORE;
    wait_queue_init(&e->queue);
    return fd_install(f, 0, (flags & O_CLOEXEC) != 0);
}

SYSCALL(eventfd, unsigned count)
{
    return create(count, 0);
}

SYSCALL(eventfd2, unsigned count, int flags)
{
    return create(count, flags);
}
