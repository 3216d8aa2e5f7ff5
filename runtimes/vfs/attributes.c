/* attributes.c - chmod(2), chown(2) and their kin: mode and owner are kept and shown, but nothing is ever
 * refused because of them (the one process is root). */
#include <linux/fcntl.h>
#include <linux/inotify.h>

#include "descriptors.h"
#include "path.h"

void node_apply(struct node *n, const struct node_change *change)
{
    int64_t now = clock_real();

    if (change->what & CHANGE_MODE)
        n->mode = node_type(n) | (change->mode & 07777);
    if (change->what & CHANGE_UID)
        n->uid = change->uid;
    if (change->what & CHANGE_GID)
        n->gid = change->gid;
    if (change->what & CHANGE_ATIME)
        n->atime = change->what & CHANGE_ATIME_NOW ? now : change->atime;
    if (change->what & CHANGE_MTIME)
        n->mtime = change->what & CHANGE_MTIME_NOW ? now : change->mtime;
    n->ctime = now;
}

static int apply(struct node *n, const struct node_change *change)
{
    if (change->what & CHANGE_MODE && node_type(n) == NODE_LINK)
        return -EOPNOTSUPP;
    if (n->ops->change)
        return n->ops->change(n, change);
    if (!n->ops->changing)
        return -EPERM;
    n->ops->changing(n);
    node_apply(n, change);
    if (!(change->what & CHANGE_MODE) && node_type(n) == NODE_REGULAR)
        n->mode &= ~(n->mode & 010 ? 06000U : 04000U); /* a new owner does not inherit set-id bits */
    return 0;
}

static long change_at(int dirfd, const char __user *path, unsigned walking, const struct node_change *change)
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

static long change_fd(int fd, const struct node_change *change)
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

static struct node_change to_mode(uint32_t mode)
{
    return (struct node_change){.what = CHANGE_MODE, .mode = mode};
}

/* -1: stays as it is. */
static struct node_change to_owner(uint32_t uid, uint32_t gid)
{
    return (struct node_change){
        .what = (uid == ~0U ? 0 : CHANGE_UID) | (gid == ~0U ? 0 : CHANGE_GID), .uid = uid, .gid = gid};
}

SYSCALL(chmod, const char __user *path, uint32_t mode)
{
    struct node_change change = to_mode(mode);
    return change_at(AT_FDCWD, path, WALK_FOLLOW, &change);
}

SYSCALL(fchmod, int fd, uint32_t mode)
{
    struct node_change change = to_mode(mode);
    return change_fd(fd, &change);
}

SYSCALL(fchmodat, int dirfd, const char __user *path, uint32_t mode)
{
    struct node_change change = to_mode(mode);
    return change_at(dirfd, path, WALK_FOLLOW, &change);
}

SYSCALL(chown, const char __user *path, uint32_t uid, uint32_t gid)
{
    struct node_change change = to_owner(uid, gid);
    return change_at(AT_FDCWD, path, WALK_FOLLOW, &change);
}

SYSCALL(lchown, const char __user *path, uint32_t uid, uint32_t gid)
{
    struct node_change change = to_owner(uid, gid);
    return change_at(AT_FDCWD, path, 0, &change);
}

SYSCALL(fchown, int fd, uint32_t uid, uint32_t gid)
{
    struct node_change change = to_owner(uid, gid);
    return change_fd(fd, &change);
}

SYSCALL(fchownat, int dirfd, const char __user *path, uint32_t uid, uint32_t gid, int flags)
{
    int walking = walk_flags(flags, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH);

    struct node_change change = to_owner(uid, gid);
    return walking < 0 ? walking : change_at(dirfd, path, (unsigned)walking, &change);
}
