/* sync.c - fsync(2), fdatasync(2), sync(2), syncfs(2), sync_file_range(2), readahead(2), posix_fadvise(2):
 * most files live in memory, so there is nothing to wait for and nothing to fetch; those that do not have
 * their own `sync`. What is not a file is refused as by Linux. */
#include <asm/fcntl.h>
#include <linux/fadvise.h>
#include <linux/fs.h>

#include "descriptors.h"
#include "node.h"

static long sync_fd(int fd)
{
    struct file *f = fd_get(fd);
    long error = -EINVAL;

    if (!f)
        return -EBADF;
    if (f->flags & O_PATH)
        error = -EBADF;
    else if (f->ops->sync)
        error = f->ops->sync(f);
    else if (f->node && (node_is_directory(f->node) || node_type(f->node) == NODE_REGULAR))
        error = 0;
    file_put(f);
    return error;
}

SYSCALL(fsync, int fd)
{
    return sync_fd(fd);
}

SYSCALL(fdatasync, int fd)
{
    return sync_fd(fd);
}

SYSCALL(sync, void)
{
    if (files_sync)
        files_sync();
    return 0;
}

SYSCALL(syncfs, int fd)
{
    const struct file *f = fd_peek(fd);

    if (!f || f->flags & O_PATH)
        return -EBADF;
    return files_sync ? files_sync() : 0;
}

/* An open file with a place in it, as these calls want it. */
static long seekable(int fd)
{
    const struct file *f = fd_peek(fd);

    if (!f || f->flags & O_PATH)
        return -EBADF;
    return f->ops->seek ? 0 : -ESPIPE;
}

SYSCALL(sync_file_range, int fd, int64_t offset, int64_t n, unsigned flags)
{
    if (flags & ~(SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER) ||
        offset < 0 || n < 0)
        return -EINVAL;
    return seekable(fd);
}

SYSCALL(readahead, int fd, int64_t offset, size_t n)
{
    (void)offset, (void)n;
    const struct file *f = fd_peek(fd);

    if (!f || (f->flags & O_ACCMODE) == O_WRONLY || f->flags & O_PATH)
        return -EBADF;
    return f->node && node_type(f->node) == NODE_REGULAR ? 0 : -EINVAL;
}

SYSCALL(fadvise64, int fd, int64_t offset, size_t n, int advice)
{
    (void)offset;
    long error = seekable(fd);

    if (error)
        return error;
    return (ssize_t)n < 0 || advice < POSIX_FADV_NORMAL || advice > POSIX_FADV_NOREUSE ? -EINVAL : 0;
}
