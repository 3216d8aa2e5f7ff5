/* unlink.c - unlink(2), unlinkat(2), rmdir(2). */
#include <linux/fcntl.h>
#include <linux/inotify.h>

#include "path.h"

static int check(const struct walk *w, bool is_directory)
{
    if (w->last == LAST_ROOT)
        return is_directory ? -EBUSY : -EISDIR;
    if (w->last == LAST_DOT)
        return is_directory ? -EINVAL : -EISDIR;
    if (w->last == LAST_DOTDOT)
        return is_directory ? -ENOTEMPTY : -EISDIR;
    if (!w->node)
        return -ENOENT;
    if (w->slash && !node_is_directory(w->node))
        return -ENOTDIR;
    if (node_is_directory(w->node) && w->node->device != w->directory->device)
        return is_directory ? -EBUSY : -EISDIR; /* something is mounted there */
    return w->directory->ops->unlink ? 0 : -EPERM;
}

static long unlink_at(int dirfd, const char __user *path, bool is_directory)
{
    struct walk w;
    int error = walk_at(&w, dirfd, path, WALK_PARENT);

    if (error)
        return error;
    error = check(&w, is_directory);
    if (!error)
        error = w.directory->ops->unlink(w.directory, w.name, w.length, is_directory);
    if (!error) {
        node_event(w.directory, IN_DELETE | (is_directory ? IN_ISDIR : 0), 0, w.name, w.length);
        node_event(w.node, w.node->links ? IN_ATTRIB : IN_DELETE_SELF, 0, NULL, 0);
    }
    walk_done(&w);
    return error;
}

SYSCALL(unlink, const char __user *path)
{
    return unlink_at(AT_FDCWD, path, false);
}

SYSCALL(rmdir, const char __user *path)
{
    return unlink_at(AT_FDCWD, path, true);
}

SYSCALL(unlinkat, int dirfd, const char __user *path, int flags)
{
    if (flags & ~AT_REMOVEDIR)
        return -EINVAL;
    return unlink_at(dirfd, path, flags & AT_REMOVEDIR);
}
