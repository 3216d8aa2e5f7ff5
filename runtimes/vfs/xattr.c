/* xattr.c - extended attributes: there are none, as on a Linux file system mounted without them. Lists are
 * empty, reading and writing is EOPNOTSUPP; a path that leads nowhere is told first. */
#include <linux/fcntl.h>

#include "descriptors.h"
#include "path.h"

static long at_path(const char __user *path, unsigned walking, long result)
{
    struct walk w;
    int error = walk_at(&w, AT_FDCWD, path, walking);

    if (error)
        return error;
    walk_done(&w);
    return result;
}

static long at_fd(int fd, long result)
{
    const struct file *f = fd_peek(fd);
    return f && !(f->flags & O_PATH) ? result : -EBADF;
}

SYSCALL(listxattr, const char __user *path, char __user *to, size_t size)
{
    (void)to, (void)size;
    return at_path(path, WALK_FOLLOW, 0);
}

SYSCALL(llistxattr, const char __user *path, char __user *to, size_t size)
{
    (void)to, (void)size;
    return at_path(path, 0, 0);
}

SYSCALL(flistxattr, int fd, char __user *to, size_t size)
{
    (void)to, (void)size;
    return at_fd(fd, 0);
}

SYSCALL(getxattr, const char __user *path, const char __user *name, void __user *to, size_t size)
{
    (void)name, (void)to, (void)size;
    return at_path(path, WALK_FOLLOW, -EOPNOTSUPP);
}

SYSCALL(lgetxattr, const char __user *path, const char __user *name, void __user *to, size_t size)
{
    (void)name, (void)to, (void)size;
    return at_path(path, 0, -EOPNOTSUPP);
}

SYSCALL(fgetxattr, int fd, const char __user *name, void __user *to, size_t size)
{
    (void)name, (void)to, (void)size;
    return at_fd(fd, -EOPNOTSUPP);
}

SYSCALL(setxattr, const char __user *path, const char __user *name, const void __user *value, size_t size,
        int flags)
{
    (void)name, (void)value, (void)size, (void)flags;
    return at_path(path, WALK_FOLLOW, -EOPNOTSUPP);
}

SYSCALL(lsetxattr, const char __user *path, const char __user *name, const void __user *value, size_t size,
        int flags)
{
    (void)name, (void)value, (void)size, (void)flags;
    return at_path(path, 0, -EOPNOTSUPP);
}

SYSCALL(fsetxattr, int fd, const char __user *name, const void __user *value, size_t size, int flags)
{
    (void)name, (void)value, (void)size, (void)flags;
    return at_fd(fd, -EOPNOTSUPP);
}

SYSCALL(removexattr, const char __user *path, const char __user *name)
{
    (void)name;
    return at_path(path, WALK_FOLLOW, -EOPNOTSUPP);
}

SYSCALL(lremovexattr, const char __user *path, const char __user *name)
{
    (void)name;
    return at_path(path, 0, -EOPNOTSUPP);
}

SYSCALL(fremovexattr, int fd, const char __user *name)
{
    (void)name;
    return at_fd(fd, -EOPNOTSUPP);
}
