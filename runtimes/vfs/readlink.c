/* readlink.c - readlink(2), readlinkat(2). */
#include <linux/fcntl.h>

#include "memory.h"
#include "path.h"

static long readlink_at(int dirfd, const char __user *path, char __user *to, size_t size)
{
    static char target[PATH_LONGEST];
    struct walk w;

    if ((ssize_t)size <= 0 || (int)size <= 0)
        return -EINVAL;
    int error = walk_at_node(&w, dirfd, path, WALK_EMPTY);
    if (error)
        return error;
    ssize_t n = -EINVAL;
    if (node_type(w.node) == NODE_LINK && w.node->ops->readlink)
        n = w.node->ops->readlink(w.node, target, min(size, sizeof(target)));
    walk_done(&w);
    if (n > 0 && copy_out(to, target, (size_t)n))
        return -EFAULT;
    return n;
}

SYSCALL(readlink, const char __user *path, char __user *to, size_t size)
{
    return readlink_at(AT_FDCWD, path, to, size);
}

SYSCALL(readlinkat, int dirfd, const char __user *path, char __user *to, size_t size)
{
    return readlink_at(dirfd, path, to, size);
}
