/* timerfd.c - timers as files: timerfd_create(2), timerfd_settime(2), timerfd_gettime(2). */
#include <linux/eventpoll.h>
#include <linux/fcntl.h>
#include <linux/timerfd.h>
#include "alarm.h"
#include "file.h"

#define CREATE_FLAGS  (TFD_CLOEXEC | TFD_NONBLOCK)
#define SETTIME_FLAGS (TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET)

struct timerfd {
    struct alarm alarm;
    uint64_t expired;
    bool cancel_on_set, cancelled;
    struct waiter clock_set; /* TFD_TIMER_CANCEL_ON_SET */
    struct wait_queue queue;
};

static void fire(struct alarm *a, uint64_t times)
{
    struct timerfd *t = container_of(a, struct timerfd, alarm);
    t->expired += times;
    wake_all(&t->queue, EPOLLIN);
}

static void clock_was_set(struct waiter *waiter, unsigned events)
{
    (void)events;
    struct timerfd *t = container_of(waiter, struct timerfd, clock_set);
    t->cancelled = true;
    wake_all(&t->queue, EPOLLIN);
}

static ssize_t timerfd_read(struct file *f, struct io *io, uint64_t *pos)
{
    struct timerfd *t = f->data;
    (void)pos;
    if (io->left < sizeof(uint64_t))
        return -EINVAL;
    if (!t->expired && !t->cancelled) {
        if (f->flags & O_NONBLOCK)
            return -EAGAIN;
        int error = wait_for(&t->queue, EPOLLIN, NEVER, t->expired || t->cancelled);
        if (error)
            return error;
    }
    if (t->cancelled) {
        t->cancelled = false;
        return -ECANCELED;
    }
    uint64_t times = t->expired;
    t->expired = 0;
    return io_put(io, &times, sizeof(times));
}

static unsigned timerfd_poll(struct file *f, struct poller *poller)
{
    struct timerfd *t = f->data;
    poll_on(poller, &t->queue);
    return t->expired || t->cancelled ? EPOLLIN | EPOLLRDNORM : 0;
}

static void timerfd_release(struct file *f)
{
    struct timerfd *t = f->data;
    alarm_stop(&t->alarm);
    wait_queue_remove(&t->clock_set);
    kfree(t);
}

static const struct file_ops timerfd_ops = {
    .read = timerfd_read, .poll = timerfd_poll, .release = timerfd_release, .kind = "anon_inode:[timerfd]"};

SYSCALL(timerfd_create, int clock, int flags)
{
    struct thread *thread;
    enum clock_kind kind = clock_kind(clock, &thread);
    if (flags & ~CREATE_FLAGS || (kind != CLOCK_KIND_REAL && kind != CLOCK_KIND_MONOTONIC))
        return -EINVAL;
    struct timerfd *t = kzalloc(sizeof(*t));
    struct file *f = t ? file_new(&timerfd_ops, O_RDWR | (flags & TFD_NONBLOCK), t) : NULL;
    if (!f) {
        kfree(t);
        return -ENOMEM;
    }
    alarm_init(&t->alarm, kind, 0, fire);
    wait_queue_init(&t->queue);
    t->clock_set.wake = clock_was_set;
    list_init(&t->clock_set.link);
    return fd_install(f, 0, flags & TFD_CLOEXEC);
}

/* The timer behind a descriptor; *file holds it until file_put(). */
static int find(int fd, struct file **file, struct timerfd **t)
{
    *file = fd_get(fd);
    if (!*file)
        return -EBADF;
    if ((*file)->ops != &timerfd_ops) {
        file_put(*file);
        return -EINVAL;
    }
    *t = (*file)->data;
    return 0;
}

static struct __kernel_itimerspec value_of(const struct timerfd *t)
{
    return (struct __kernel_itimerspec){.it_interval = timespec_of(t->alarm.interval),
                                        .it_value = timespec_of(alarm_left(&t->alarm))};
}

SYSCALL(timerfd_settime, int fd, int flags, const struct __kernel_itimerspec __user *new,
        struct __kernel_itimerspec __user *old)
{
    struct file *file;
    struct timerfd *t;
    int64_t value, interval;
    if (flags & ~SETTIME_FLAGS)
        return -EINVAL;
    int error = timespec_in(&new->it_value, &value);
    if (!error)
        error = timespec_in(&new->it_interval, &interval);
    if (!error)
        error = find(fd, &file, &t);
    if (error)
        return error;
    struct __kernel_itimerspec was = value_of(t);
    wait_queue_remove(&t->clock_set);
    t->expired = 0;
    t->cancelled = false;
    if (flags & TFD_TIMER_CANCEL_ON_SET && flags & TFD_TIMER_ABSTIME && t->alarm.kind == CLOCK_KIND_REAL)
        wait_queue_add(&clock_real_changes, &t->clock_set);
    alarm_set(&t->alarm, value, interval, flags & TFD_TIMER_ABSTIME);
    file_put(file);
    return old && put_user(old, was) ? -EFAULT : 0;
}

SYSCALL(timerfd_gettime, int fd, struct __kernel_itimerspec __user *to)
{
    struct file *file;
    struct timerfd *t;
    int error = find(fd, &file, &t);
    if (error)
        return error;
    struct __kernel_itimerspec value = value_of(t);
    file_put(file);
    return put_user(to, value);
}
