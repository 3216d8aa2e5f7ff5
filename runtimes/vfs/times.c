/* times.c - utimensat(2), and utime(2), utimes(2), futimesat(2) in terms of it. */
#include <linux/fcntl.h>
#include <linux/inotify.h>
#include <linux/stat.h>
#include <linux/time_types.h>

#include "descriptors.h"
#include "memory.h"
#include "path.h"

#define SECOND       1000000000
#define NOW          ((1L << 30) - 1L) /* UTIME_NOW, UTIME_OMIT of <sys/stat.h> */
#define OMIT         ((1L << 30) - 2L)
#define SECONDS_MOST (INT64_MAX / SECOND - 1)

static int64_t clamp(int64_t seconds)
{
    return max(min(seconds, SECONDS_MOST), -SECONDS_MOST);
}

static int64_t moment(const struct __kernel_timespec *t)
{
    return clamp(t->tv_sec) * SECOND + t->tv_nsec;
}

static int apply(struct node *n, const struct __kernel_timespec times[2])
{
    static const unsigned what[2] = {CHANGE_ATIME, CHANGE_MTIME},
                          now[2] = {CHANGE_ATIME_NOW, CHANGE_MTIME_NOW};
    struct node_change change = {0};

    for (int i = 0; i < 2; i++) {
        long fraction = (long)times[i].tv_nsec;
        if (fraction != NOW && fraction != OMIT && (fraction < 0 || fraction >= SECOND))
            return -EINVAL;
        if (fraction != OMIT)
            change.what |= what[i] | (fraction == NOW ? now[i] : 0);
    }
    if (!change.what)
        return 0;
    change.atime = moment(&times[0]), change.mtime = moment(&times[1]);
    if (n->ops->change)
        return n->ops->change(n, &change);
    if (!n->ops->changing)
        return -EPERM;
    n->ops->changing(n);
    node_apply(n, &change);
    return 0;
}

static long times_at(int dirfd, const char __user *path, const struct __kernel_timespec times[2], int flags)
{
    struct walk w;
    int walking = walk_flags(flags, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH);

    if (walking < 0)
        return walking;
    if (!path && dirfd != AT_FDCWD) { /* futimens(3) */
        struct file *f = fd_peek(dirfd);
        if (!f || f->flags & O_PATH)
            return -EBADF;
        if (flags)
            return -EINVAL;
        int error = f->node ? apply(f->node, times) : 0;
        if (!error && f->node && watch_notify_file)
            watch_notify_file(f, IN_ATTRIB);
        return error;
    }
    int error = walk_at_node(&w, dirfd, path, (unsigned)walking);
    if (error)
        return error;
    error = apply(w.node, times);
    if (!error)
        walk_event(&w, IN_ATTRIB);
    walk_done(&w);
    return error;
}

SYSCALL(utimensat, int dirfd, const char __user *path, const struct __kernel_timespec __user *user, int flags)
{
    struct __kernel_timespec times[2] = {{.tv_nsec = NOW}, {.tv_nsec = NOW}};

    if (user && copy_in(times, user, sizeof(times)))
        return -EFAULT;
    return times_at(dirfd, path, times, flags);
}

static long times_micro(int dirfd, const char __user *path, const int64_t __user *user)
{
    struct __kernel_timespec times[2] = {{.tv_nsec = NOW}, {.tv_nsec = NOW}};
    int64_t given[4];

    if (user) {
        if (copy_in(given, user, sizeof(given)))
            return -EFAULT;
        if (given[1] < 0 || given[1] >= 1000000 || given[3] < 0 || given[3] >= 1000000)
            return -EINVAL;
        times[0] = (struct __kernel_timespec){.tv_sec = given[0], .tv_nsec = given[1] * 1000};
        times[1] = (struct __kernel_timespec){.tv_sec = given[2], .tv_nsec = given[3] * 1000};
    }
    return times_at(dirfd, path, times, 0);
}

SYSCALL(utimes, const char __user *path, const int64_t __user *times)
{
    return times_micro(AT_FDCWD, path, times);
}

SYSCALL(futimesat, int dirfd, const char __user *path, const int64_t __user *times)
{
    return times_micro(dirfd, path, times);
}

SYSCALL(utime, const char __user *path, const int64_t __user *user)
{
    struct __kernel_timespec times[2] = {{.tv_nsec = NOW}, {.tv_nsec = NOW}};
    int64_t given[2];

    if (user) {
        if (copy_in(given, user, sizeof(given)))
            return -EFAULT;
        times[0] = (struct __kernel_timespec){.tv_sec = given[0]};
        times[1] = (struct __kernel_timespec){.tv_sec = given[1]};
    }
    return times_at(AT_FDCWD, path, times, 0);
}
