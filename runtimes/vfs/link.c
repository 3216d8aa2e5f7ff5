/* link.c - link(2), linkat(2), symlink(2), symlinkat(2): new names for what is there. */
#include <linux/fcntl.h>
#include <linux/inotify.h>

#include "memory.h"
#include "path.h"

static long link_at(int from_fd, const char __user *from_path, int to_fd, const char __user *to_path,
                    int flags)
{
    struct walk from, to;

    if (flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
        return -EINVAL;
    unsigned walking =
        (flags & AT_SYMLINK_FOLLOW ? WALK_FOLLOW : 0) | (flags & AT_EMPTY_PATH ? WALK_EMPTY : 0);
    int error = walk_at(&from, from_fd, from_path, walking);
    if (error)
        return error;
    error = walk_at(&to, to_fd, to_path, WALK_PARENT);
    if (!error) {
        error = from.node ? walk_free(&to, false) : -EXDEV;
        if (!error)
            error = to.directory->ops->link && !node_is_directory(from.node)
                        ? to.directory->ops->link(to.directory, to.name, to.length, from.node)
                        : -EPERM;
        if (!error) {
            node_event(to.directory, IN_CREATE, 0, to.name, to.length);
            node_event(from.node, IN_ATTRIB, 0, NULL, 0);
        }
        walk_done(&to);
    }
    walk_done(&from);
    return error;
}

SYSCALL(link, const char __user *from, const char __user *to)
{
    return link_at(AT_FDCWD, from, AT_FDCWD, to, 0);
}

SYSCALL(linkat, int from_fd, const char __user *from, int to_fd, const char __user *to, int flags)
{
    return link_at(from_fd, from, to_fd, to, flags);
}

static long symlink_at(const char __user *target, int dirfd, const char __user *path)
{
    static char text[PATH_LONGEST];
    struct walk w;
    long length = string_in(text, target, sizeof(text));

    if (length <= 0)
        return length ? length : -ENOENT;
    int error = walk_at(&w, dirfd, path, WALK_PARENT);
    if (error)
        return error;
    error = walk_free(&w, false);
    if (!error)
        error = w.directory->ops->symlink
                    ? w.directory->ops->symlink(w.directory, w.name, w.length, text, &w.node)
                    : -EPERM;
    if (!error)
        node_event(w.directory, IN_CREATE, 0, w.name, w.length);
    walk_done(&w);
    return error;
}

SYSCALL(symlink, const char __user *target, const char __user *path)
{
    return symlink_at(target, AT_FDCWD, path);
}

SYSCALL(symlinkat, const char __user *target, int dirfd, const char __user *path)
{
    return symlink_at(target, dirfd, path);
}
