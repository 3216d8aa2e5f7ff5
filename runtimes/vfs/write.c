/* write.c - write(2), pwrite64(2), writev(2), pwritev(2), pwritev2(2). */
#include <linux/fs.h>
#include <linux/inotify.h>

#include "memory.h"
#include "node.h"
#include "readwrite.h"

static long write_from(int fd, struct io *io, const int64_t *at)
{
    struct file *f = fd_get(fd);
    uint64_t position;
    long n;

    if (!f)
        return -EBADF;
    if (!file_writable(f))
        n = -EBADF;
    else if (!f->ops->write)
        n = -EINVAL;
    else if (!at)
        n = f->ops->write(f, io, file_position(f));
    else if (!f->ops->seek)
        n = -ESPIPE;
    else if (*at < 0)
        n = -EINVAL;
    else
        position = (uint64_t)*at, n = f->ops->write(f, io, &position);
    if (n > 0 && f->node && watch_notify_file)
        watch_notify_file(f, IN_MODIFY);
    if (n > 0)
        io_counts.written_bytes += (uint64_t)n;
    io_counts.writes++;
    file_put(f);
    return n;
}

static long write_vectors(int fd, const void __user *iov, size_t count, const int64_t *at)
{
    struct io io;
    long n = io_init_vectors(&io, iov, count);

    if (n)
        return n;
    n = write_from(fd, &io, at);
    io_done(&io);
    return n;
}

SYSCALL(write, int fd, const void __user *from, size_t n)
{
    struct io io;

    if ((ssize_t)n < 0)
        return -EINVAL;
    io_init(&io, (void *)from, n, false);
    return write_from(fd, &io, NULL);
}

SYSCALL(pwrite64, int fd, const void __user *from, size_t n, int64_t offset)
{
    struct io io;

    if ((ssize_t)n < 0)
        return -EINVAL;
    io_init(&io, (void *)from, n, false);
    return write_from(fd, &io, &offset);
}

SYSCALL(writev, int fd, const void __user *iov, size_t count)
{
    return write_vectors(fd, iov, count, NULL);
}

SYSCALL(pwritev, int fd, const void __user *iov, size_t count, int64_t offset, unsigned long high)
{
    (void)high;
    return write_vectors(fd, iov, count, &offset);
}

static int sync_now(int fd)
{
    struct file *f = fd_get(fd);
    int error = f && f->ops->sync ? f->ops->sync(f) : 0;

    if (f)
        file_put(f);
    return error;
}

SYSCALL(pwritev2, int fd, const void __user *iov, size_t count, int64_t offset, unsigned long high, int flags)
{
    (void)high;
    if (flags & ~(RWF_HIPRI | RWF_DSYNC | RWF_SYNC | RWF_NOWAIT))
        return -EOPNOTSUPP;
    long n = write_vectors(fd, iov, count, offset == -1 ? NULL : &offset);
    if (n > 0 && flags & (RWF_DSYNC | RWF_SYNC)) {
        int error = sync_now(fd);
        return error ? error : n;
    }
    return n;
}
