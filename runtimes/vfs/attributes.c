/* attributes.c - chmod(2), chown(2) and their kin: mode and owner are kept and shown, but nothing is ever
 * refused because of them (the one process is root). */
#include <linux/fcntl.h>
#include <linux/inotify.h>

#include "descriptors.h"
#include "path.h"

struct change {
    bool mode_given;
    uint32_t mode, uid, gid; /* ~0: stays */
};

static int apply(struct node *n, const struct change *change)
{
    if (!n->ops->changing)
        return -EPERM;
    if (change->mode_given && node_type(n) == NODE_LINK)
        return -EOPNOTSUPP;
    n->ops->changing(n);
    if (change->mode_given)
        n->mode = node_type(n) | (change->mode & 07777);
    if (change->uid != ~0U)
        n->uid = change->uid;
    if (change->gid != ~0U)
        n->gid = change->gid;
    if (!change->mode_given && node_type(n) == NODE_REGULAR)
        n->mode &= ~(n->mode & 010 ? 06000U : 04000U); /* a new owner does not inherit set-id bits */
    n->ctime = clock_real();
    return 0;
}

static long change_at(int dirfd, const char __user *path, unsigned walking, const struct change *change)
{
    struct walk w;
    int error = walk_at(&w, dirfd, path, walking);

    if (error)
        return error;
    error = w.node ? apply(w.node, change) : 0; /* a pipe or socket: nobody looks at it */
    if (!error && w.node)
        walk_event(&w, IN_ATTRIB);
    walk_done(&w);
    return error;
}

static long change_fd(int fd, const struct change *change)
{
    struct file *f = fd_peek(fd);

    if (!f || f->flags & O_PATH)
        return -EBADF;
    if (!f->node)
        return 0;
    long error = apply(f->node, change);
    if (!error && watch_notify_file)
        watch_notify_file(f, IN_ATTRIB);
    return error;
}

static struct change to_mode(uint32_t mode)
{
    return (struct change){.mode_given = true, .mode = mode, .uid = ~0U, .gid = ~0U};
}

SYSCALL(chmod, const char __user *path, uint32_t mode)
{
    struct change change = to_mode(mode);
    return change_at(AT_FDCWD, path, WALK_FOLLOW, &change);
}

SYSCALL(fchmod, int fd, uint32_t mode)
{
    struct change change = to_mode(mode);
    return change_fd(fd, &change);
}

SYSCALL(fchmodat, int dirfd, const char __user *path, uint32_t mode)
{
    struct change change = to_mode(mode);
    return change_at(dirfd, path, WALK_FOLLOW, &change);
}

SYSCALL(chown, const char __user *path, uint32_t uid, uint32_t gid)
{
    return change_at(AT_FDCWD, path, WALK_FOLLOW, &(struct change){.uid = uid, .gid = gid});
}

SYSCALL(lchown, const char __user *path, uint32_t uid, uint32_t gid)
{
    return change_at(AT_FDCWD, path, 0, &(struct change){.uid = uid, .gid = gid});
}

SYSCALL(fchown, int fd, uint32_t uid, uint32_t gid)
{
    return change_fd(fd, &(struct change){.uid = uid, .gid = gid});
}

SYSCALL(fchownat, int dirfd, const char __user *path, uint32_t uid, uint32_t gid, int flags)
{
    int walking = walk_flags(flags, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH);

    if (walking < 0)
        return walking;
    return change_at(dirfd, path, (unsigned)walking, &(struct change){.uid = uid, .gid = gid});
}
