/* mknod.c - mknod(2), mknodat(2): files, fifos, devices, names of sockets. */
#include <linux/fcntl.h>

#include "path.h"

static long mknod_at(int dirfd, const char __user *path, uint32_t mode, uint32_t device)
{
    struct walk w;

    if ((mode & NODE_TYPE) == 0)
        mode |= NODE_REGULAR;
    switch (mode & NODE_TYPE) {
    case NODE_REGULAR:
    case NODE_FIFO:
    case NODE_SOCKET:
        device = 0;
        break;
    case NODE_CHARACTER:
    case NODE_BLOCK:
        break;
    case NODE_DIRECTORY:
        return -EPERM;
    default:
        return -EINVAL;
    }
    int error = walk_at(&w, dirfd, path, WALK_PARENT);
    if (error)
        return error;
    error = walk_create(&w, mode, device);
    walk_done(&w);
    return error;
}

SYSCALL(mknod, const char __user *path, uint32_t mode, uint32_t device)
{
    return mknod_at(AT_FDCWD, path, mode, device);
}

SYSCALL(mknodat, int dirfd, const char __user *path, uint32_t mode, uint32_t device)
{
    return mknod_at(dirfd, path, mode, device);
}
