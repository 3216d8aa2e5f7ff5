/* access.c - access(2), faccessat(2), faccessat2(2).
 *
 * The one process is root, which may read and write anything, and execute what has an x bit. */
#include <linux/fcntl.h>

#include "path.h"

#define EXECUTE 1
#define WRITE   2

static long access_at(int dirfd, const char __user *path, int mode, int flags)
{
    struct walk w;
    int walking = walk_flags(flags & ~AT_EACCESS, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH);

    if (walking < 0 || mode & ~7)
        return -EINVAL;
    int error = walk_at(&w, dirfd, path, (unsigned)walking);
    if (error)
        return error;
    if (w.node && mode & EXECUTE && node_type(w.node) == NODE_REGULAR && !(w.node->mode & 0111))
        error = -EACCES;
    if (w.node && mode & WRITE && w.node->ops->read_only && w.node->ops->read_only(w.node))
        error = -EROFS;
    walk_done(&w);
    return error;
}

SYSCALL(access, const char __user *path, int mode)
{
    return access_at(AT_FDCWD, path, mode, 0);
}

SYSCALL(faccessat, int dirfd, const char __user *path, int mode)
{
    return access_at(dirfd, path, mode, 0);
}

SYSCALL(faccessat2, int dirfd, const char __user *path, int mode, int flags)
{
    return access_at(dirfd, path, mode, flags);
}
