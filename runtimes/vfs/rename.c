/* rename.c - rename(2), renameat(2), renameat2(2). */
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/inotify.h>

#include "path.h"

static int check(const struct walk *from, const struct walk *to, unsigned flags)
{
    if (from->last != LAST_NAME || to->last != LAST_NAME)
        return from->last == LAST_NAME && flags & RENAME_NOREPLACE ? -EEXIST : -EBUSY;
    if (from->file || to->file)
        return -EBUSY;
    if (!from->node)
        return -ENOENT;
    if (from->directory->device != to->directory->device)
        return -EXDEV;
    if ((node_is_directory(from->node) && from->node->device != from->directory->device) ||
        (to->node && node_is_directory(to->node) && to->node->device != to->directory->device))
        return -EBUSY; /* something is mounted there */
    /* A slash at the end is only right for a directory. */
    if (!node_is_directory(from->node) && (from->slash || (to->slash && !(flags & RENAME_EXCHANGE))))
        return -ENOTDIR;
    if (flags & RENAME_EXCHANGE && to->node && to->slash && !node_is_directory(to->node))
        return -ENOTDIR;
    return from->directory->ops->rename ? 0 : -EPERM;
}

static void notify(const struct walk *from, const struct walk *to)
{
    static unsigned cookie;
    unsigned directory = node_is_directory(from->node) ? IN_ISDIR : 0;

    cookie++;
    node_event(from->directory, IN_MOVED_FROM | directory, cookie, from->name, from->length);
    node_event(to->directory, IN_MOVED_TO | directory, cookie, to->name, to->length);
    node_event(from->node, IN_MOVE_SELF, 0, NULL, 0);
    if (to->node && to->node != from->node)
        node_event(to->node, to->node->links ? IN_ATTRIB : IN_DELETE_SELF, 0, NULL, 0);
}

static long rename_at(int from_fd, const char __user *from_path, int to_fd, const char __user *to_path,
                      unsigned flags)
{
    struct walk from, to;

    if (flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE) || flags == (RENAME_NOREPLACE | RENAME_EXCHANGE))
        return -EINVAL;
    int error = walk_at(&from, from_fd, from_path, WALK_PARENT);
    if (error)
        return error;
    error = walk_at(&to, to_fd, to_path, WALK_PARENT);
    if (!error) {
        error = check(&from, &to, flags);
        if (!error)
            error = from.directory->ops->rename(from.directory, from.name, from.length, to.directory, to.name,
                                                to.length, flags);
        if (!error)
            notify(&from, &to);
        walk_done(&to);
    }
    walk_done(&from);
    return error;
}

SYSCALL(rename, const char __user *from, const char __user *to)
{
    return rename_at(AT_FDCWD, from, AT_FDCWD, to, 0);
}

SYSCALL(renameat, int from_fd, const char __user *from, int to_fd, const char __user *to)
{
    return rename_at(from_fd, from, to_fd, to, 0);
}

SYSCALL(renameat2, int from_fd, const char __user *from, int to_fd, const char __user *to, unsigned flags)
{
    return rename_at(from_fd, from, to_fd, to, flags);
}
