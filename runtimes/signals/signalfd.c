/* signalfd.c - blocked signals read as records: signalfd(2), signalfd4(2). The signals are those of whoever
 * reads: the process's and the reading thread's own. */
#include <linux/eventpoll.h>
#include <linux/fcntl.h>
#include <linux/signalfd.h>
#include "signals.h"
#include "file.h"
#include "memory.h"

struct signalfd {
    uint64_t wanted;
};

static void record_fill(struct signalfd_siginfo *r, const struct signal_info *info)
{
    memset(r, 0, sizeof(*r));
    r->ssi_signo = (uint32_t)info->number;
    r->ssi_code = info->code;
    r->ssi_errno = info->error;
    if (info->code == SI_TIMER) {
        r->ssi_tid = (uint32_t)info->sender;
        r->ssi_overrun = (uint32_t)info->value_int;
    } else if (BIT(info->number) & SYNCHRONOUS && info->code > 0) {
        r->ssi_addr = info->address;
        return;
    } else {
        r->ssi_pid = (uint32_t)info->sender;
    }
    r->ssi_ptr = info->value;
    r->ssi_int = (int32_t)info->value;
}

static ssize_t signalfd_read(struct file *f, struct io *io, uint64_t *pos)
{
    const struct signalfd *s = f->data;
    struct signal_info info;
    ssize_t done = 0;
    (void)pos;
    if (io->left < sizeof(struct signalfd_siginfo))
        return -EINVAL;
    while (io->left >= sizeof(struct signalfd_siginfo)) {
        while (!signal_take(s->wanted, &info)) {
            if (done)
                return done;
            if (f->flags & O_NONBLOCK)
                return -EAGAIN;
            int error = wait_on(&signal_arrivals, 0, NEVER);
            if (error)
                return error;
        }
        struct signalfd_siginfo record;
        record_fill(&record, &info);
        ssize_t put = io_put(io, &record, sizeof(record));
        if (put < 0)
            return done ? done : put;
        done += put;
    }
    return done;
}

static unsigned signalfd_poll(struct file *f, struct poller *poller)
{
    const struct signalfd *s = f->data;
    poll_on(poller, &signal_arrivals);
    return signals_pending_for(current) & s->wanted ? EPOLLIN | EPOLLRDNORM : 0;
}

static void signalfd_release(struct file *f)
{
    kfree(f->data);
}

static const struct file_ops signalfd_ops = {.read = signalfd_read,
                                             .poll = signalfd_poll,
                                             .release = signalfd_release,
                                             .kind = "anon_inode:[signalfd]"};

static long set_wanted(int fd, uint64_t wanted)
{
    struct file *f = fd_get(fd);
    if (!f)
        return -EBADF;
    bool ours = f->ops == &signalfd_ops;
    if (ours) {
        ((struct signalfd *)f->data)->wanted = wanted;
        wake_all(&signal_arrivals, 0);
    }
    file_put(f);
    return ours ? fd : -EINVAL;
}

static long make(int fd, const uint64_t __user *set, size_t size, int flags)
{
    uint64_t wanted;
    if (flags & ~(SFD_CLOEXEC | SFD_NONBLOCK) || size != sizeof(wanted))
        return -EINVAL;
    if (get_user(wanted, set))
        return -EFAULT;
    wanted &= ~UNSTOPPABLE;
    if (fd != -1)
        return set_wanted(fd, wanted);
    struct signalfd *s = kzalloc(sizeof(*s));
    struct file *f = s ? file_new(&signalfd_ops, O_RDWR | (flags & SFD_NONBLOCK), s) : NULL;
    if (!f) {
        kfree(s);
        return -ENOMEM;
    }
    s->wanted = wanted;
    return fd_install(f, 0, flags & SFD_CLOEXEC);
}

SYSCALL(signalfd, int fd, const uint64_t __user *set, size_t size)
{
    return make(fd, set, size, 0);
}

SYSCALL(signalfd4, int fd, const uint64_t __user *set, size_t size, int flags)
{
    return make(fd, set, size, flags);
}
