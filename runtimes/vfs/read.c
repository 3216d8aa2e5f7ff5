/* read.c - read(2), pread64(2), readv(2), preadv(2), preadv2(2): one way in, five shapes of arguments. */
#include <linux/fs.h>
#include <linux/inotify.h>

#include "memory.h"
#include "node.h"
#include "readwrite.h"

static long read_into(int fd, struct io *io, const int64_t *at)
{
    struct file *f = fd_get(fd);
    uint64_t position;
    long n;

    if (!f)
        return -EBADF;
    if (!file_readable(f))
        n = -EBADF;
    else if (!f->ops->read)
        n = f->node && node_is_directory(f->node) ? -EISDIR : -EINVAL;
    else if (!at)
        n = f->ops->read(f, io, file_position(f));
    else if (!f->ops->seek)
        n = -ESPIPE;
    else if (*at < 0)
        n = -EINVAL;
    else
        position = (uint64_t)*at, n = f->ops->read(f, io, &position);
    if (n > 0)
        io_counts.read_bytes += (uint64_t)n;
    io_counts.reads++;
    if (n > 0 && f->node && watch_notify_file)
        watch_notify_file(f, IN_ACCESS);
    file_put(f);
    return n;
}

static long read_vectors(int fd, const void __user *iov, size_t count, const int64_t *at)
{
    struct io io;
    long n = io_init_vectors(&io, iov, count);

    if (n)
        return n;
    n = read_into(fd, &io, at);
    io_done(&io);
    return n;
}

SYSCALL(read, int fd, void __user *to, size_t n)
{
    struct io io;

    if ((ssize_t)n < 0)
        return -EINVAL;
    io_init(&io, to, n, false);
    return read_into(fd, &io, NULL);
}

SYSCALL(pread64, int fd, void __user *to, size_t n, int64_t offset)
{
    struct io io;

    if ((ssize_t)n < 0)
        return -EINVAL;
    io_init(&io, to, n, false);
    return read_into(fd, &io, &offset);
}

SYSCALL(readv, int fd, const void __user *iov, size_t count)
{
    return read_vectors(fd, iov, count, NULL);
}

/* The offset comes in two registers; on 64 bits the first is all of it. */
SYSCALL(preadv, int fd, const void __user *iov, size_t count, int64_t offset, unsigned long high)
{
    (void)high;
    return read_vectors(fd, iov, count, &offset);
}

SYSCALL(preadv2, int fd, const void __user *iov, size_t count, int64_t offset, unsigned long high, int flags)
{
    (void)high;
    if (flags & ~(RWF_HIPRI | RWF_NOWAIT)) /* nothing of a file is ever elsewhere: both are as without */
        return -EOPNOTSUPP;
    return read_vectors(fd, iov, count, offset == -1 ? NULL : &offset);
}
