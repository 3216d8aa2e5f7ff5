/* stat.c - stat(2), fstat(2), lstat(2), newfstatat(2), statx(2). */
#include <asm/stat.h>
#include <linux/fcntl.h>
#include <linux/stat.h>

#include "descriptors.h"
#include "memory.h"
#include "path.h"

#define SECOND 1000000000

/* Seconds, rounded down, and what is left of a time. */
static int64_t seconds(int64_t ns)
{
    return ns / SECOND - (ns % SECOND < 0);
}

static uint32_t fraction(int64_t ns)
{
    return (uint32_t)(ns - seconds(ns) * SECOND);
}

static void node_stat(const struct node *n, struct stat *s)
{
    memset(s, 0, sizeof(*s));
    s->st_dev = n->device;
    s->st_ino = n->number;
    s->st_nlink = n->links;
    s->st_mode = n->mode;
    s->st_uid = n->uid;
    s->st_gid = n->gid;
    s->st_rdev = n->rdev;
    s->st_size = (long)n->size;
    s->st_blksize = PAGE_SIZE;
    s->st_blocks = (long)(n->ops->blocks ? n->ops->blocks((struct node *)n) : 0);
    s->st_atime = (unsigned long)seconds(n->atime);
    s->st_atime_nsec = fraction(n->atime);
    s->st_mtime = (unsigned long)seconds(n->mtime);
    s->st_mtime_nsec = fraction(n->mtime);
    s->st_ctime = (unsigned long)seconds(n->ctime);
    s->st_ctime_nsec = fraction(n->ctime);
}

static int file_stat(struct file *f, struct stat *s)
{
    if (f->ops->stat) {
        memset(s, 0, sizeof(*s));
        return f->ops->stat(f, s);
    }
    if (f->node) {
        int error = f->node->ops->refresh ? f->node->ops->refresh(f->node) : 0;
        if (!error)
            node_stat(f->node, s);
        return error;
    }
    /* eventfd, epoll and the like: Linux's anonymous inode */
    memset(s, 0, sizeof(*s));
    s->st_dev = DEVICE_NAMELESS;
    s->st_ino = f->inode;
    s->st_nlink = 1;
    s->st_mode = f->ops->socket ? NODE_SOCKET | 0777 : 0600;
    s->st_blksize = PAGE_SIZE;
    return 0;
}

static int stat_at(int dirfd, const char __user *path, unsigned flags, struct stat *s)
{
    struct walk w;
    int error = walk_at(&w, dirfd, path, flags);

    if (error)
        return error;
    /* What was just looked up by its name in its own file system is up to date. */
    bool fresh = w.node && w.last == LAST_NAME && w.directory && w.directory->ops == w.node->ops;
    if (w.node && !fresh && w.node->ops->refresh)
        error = w.node->ops->refresh(w.node);
    if (w.node && !error)
        node_stat(w.node, s);
    else if (!w.node)
        error = file_stat(w.file, s);
    walk_done(&w);
    return error;
}

/* fstat() as glibc writes it: newfstatat(fd, "", AT_EMPTY_PATH). */
static int is_fstat(int fd, const char __user *path, int flags)
{
    char first;

    if (!(flags & AT_EMPTY_PATH) || fd < 0)
        return 0;
    if (get_user(first, path))
        return -EFAULT;
    return !first;
}

static int stat_fd(int fd, struct stat *s)
{
    struct file *f = fd_peek(fd);
    return f ? file_stat(f, s) : -EBADF;
}

SYSCALL(newfstatat, int dirfd, const char __user *path, struct stat __user *to, int flags)
{
    struct stat s;
    int walking = walk_flags(flags & ~AT_NO_AUTOMOUNT, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH);

    if (walking < 0)
        return walking;
    int error = is_fstat(dirfd, path, flags);
    if (error >= 0)
        error = error ? stat_fd(dirfd, &s) : stat_at(dirfd, path, (unsigned)walking, &s);
    return error ? error : copy_out(to, &s, sizeof(s));
}

SYSCALL(stat, const char __user *path, struct stat __user *to)
{
    struct stat s;
    int error = stat_at(AT_FDCWD, path, WALK_FOLLOW, &s);
    return error ? error : copy_out(to, &s, sizeof(s));
}

SYSCALL(lstat, const char __user *path, struct stat __user *to)
{
    struct stat s;
    int error = stat_at(AT_FDCWD, path, 0, &s);
    return error ? error : copy_out(to, &s, sizeof(s));
}

SYSCALL(fstat, int fd, struct stat __user *to)
{
    struct stat s;
    int error = stat_fd(fd, &s);
    return error ? error : copy_out(to, &s, sizeof(s));
}

SYSCALL(statx, int dirfd, const char __user *path, int flags, unsigned mask, struct statx __user *to)
{
    struct stat s;
    int walking =
        walk_flags(flags & ~(AT_NO_AUTOMOUNT | AT_STATX_SYNC_TYPE), AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH);

    if (walking < 0 || mask & STATX__RESERVED || (flags & AT_STATX_SYNC_TYPE) == AT_STATX_SYNC_TYPE)
        return -EINVAL;
    int error = is_fstat(dirfd, path, flags);
    if (error >= 0)
        error = error ? stat_fd(dirfd, &s) : stat_at(dirfd, path, (unsigned)walking, &s);
    if (error)
        return error;
    struct statx x = {
        .stx_mask = STATX_BASIC_STATS,
        .stx_blksize = (uint32_t)s.st_blksize,
        .stx_nlink = (uint32_t)s.st_nlink,
        .stx_uid = s.st_uid,
        .stx_gid = s.st_gid,
        .stx_mode = (uint16_t)s.st_mode,
        .stx_ino = s.st_ino,
        .stx_size = (uint64_t)s.st_size,
        .stx_blocks = (uint64_t)s.st_blocks,
        .stx_atime = {.tv_sec = (int64_t)s.st_atime, .tv_nsec = (uint32_t)s.st_atime_nsec},
        .stx_mtime = {.tv_sec = (int64_t)s.st_mtime, .tv_nsec = (uint32_t)s.st_mtime_nsec},
        .stx_ctime = {.tv_sec = (int64_t)s.st_ctime, .tv_nsec = (uint32_t)s.st_ctime_nsec},
        .stx_rdev_major = (uint32_t)(s.st_rdev >> 8 & 0xfff),
        .stx_rdev_minor = (uint32_t)((s.st_rdev & 0xff) | (s.st_rdev >> 12 & 0xfff00)),
        .stx_dev_minor = (uint32_t)s.st_dev,
    };
    return copy_out(to, &x, sizeof(x));
}
