/* truncate.c - truncate(2), ftruncate(2), fallocate(2): the size and the extent of files. */
#include <linux/fcntl.h>
#include <linux/inotify.h>

#include "descriptors.h"
#include "path.h"
#include "readwrite.h"

static long truncate_node(struct node *n, int64_t size)
{
    if (node_is_directory(n))
        return -EISDIR;
    if (size < 0 || node_type(n) != NODE_REGULAR || !n->ops->truncate)
        return -EINVAL;
    return n->ops->truncate(n, (uint64_t)size);
}

SYSCALL(truncate, const char __user *path, int64_t size)
{
    struct walk w;

    if (size < 0)
        return -EINVAL;
    long error = walk_at_node(&w, AT_FDCWD, path, WALK_FOLLOW);
    if (error)
        return error;
    error = truncate_node(w.node, size);
    if (!error)
        walk_event(&w, IN_MODIFY);
    walk_done(&w);
    return error;
}

SYSCALL(ftruncate, int fd, int64_t size)
{
    struct file *f = fd_peek(fd);

    if (!f || f->flags & O_PATH)
        return -EBADF;
    if (!file_writable(f) || !f->node || node_is_directory(f->node))
        return -EINVAL;
    long error = truncate_node(f->node, size);
    if (!error && watch_notify_file)
        watch_notify_file(f, IN_MODIFY);
    return error;
}

SYSCALL(fallocate, int fd, int mode, int64_t offset, int64_t length)
{
    struct file *f = fd_peek(fd);

    if (!f || f->flags & O_PATH)
        return -EBADF;
    if (offset < 0 || length <= 0)
        return -EINVAL;
    if (!file_writable(f))
        return -EBADF;
    if (!f->node)
        return -ESPIPE;
    if (!f->node->ops->allocate)
        return node_type(f->node) == NODE_REGULAR ? -EOPNOTSUPP : -ENODEV;
    return f->node->ops->allocate(f->node, mode, (uint64_t)offset, (uint64_t)length);
}
