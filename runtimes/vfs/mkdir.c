/* mkdir.c - mkdir(2), mkdirat(2). */
#include <linux/fcntl.h>

#include "path.h"

static long mkdir_at(int dirfd, const char __user *path, uint32_t mode)
{
    struct walk w;
    int error = walk_at(&w, dirfd, path, WALK_PARENT);

    if (error)
        return error;
    error = walk_create(&w, NODE_DIRECTORY | (mode & 01777), 0);
    walk_done(&w);
    return error;
}

SYSCALL(mkdir, const char __user *path, uint32_t mode)
{
    return mkdir_at(AT_FDCWD, path, mode);
}

SYSCALL(mkdirat, int dirfd, const char __user *path, uint32_t mode)
{
    return mkdir_at(dirfd, path, mode);
}
