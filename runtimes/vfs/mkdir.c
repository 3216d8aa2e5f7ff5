/* mkdir.c - mkdir(2), mkdirat(2). */
#include <linux/fcntl.h>
#include <linux/inotify.h>

#include "path.h"

static long mkdir_at(int dirfd, const char __user *path, uint32_t mode)
{
    struct walk w;
    int error = walk_at(&w, dirfd, path, WALK_PARENT);

    if (error)
        return error;
    if (w.node || w.file)
        error = -EEXIST;
    else if (!w.directory->ops->create)
        error = -EPERM;
    else
        error = w.directory->ops->create(w.directory, w.name, w.length,
                                         NODE_DIRECTORY | (mode & 01777 & ~path_umask), 0, &w.node);
    if (!error)
        node_event(w.directory, IN_CREATE | IN_ISDIR, 0, w.name, w.length);
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
