/* open.c - open(2), openat(2), openat2(2), creat(2), and opening by the kernel itself. */
#include <asm/fcntl.h>
#include <linux/fcntl.h>
#include <linux/inotify.h>
#include <linux/openat2.h>

#include "descriptors.h"
#include "memory.h"
#include "path.h"
#include "tree.h"

/* Only about the moment of opening: not kept in file->flags. */
#define PASSING_FLAGS (O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC)

/* O_PATH: a name, not a file. */
static const struct file_ops path_ops = {.kind = "path"};

int open_flags_check(int flags)
{
    if ((flags & O_TMPFILE) == O_TMPFILE)
        return (flags & O_ACCMODE) == O_RDONLY || flags & O_CREAT ? -EINVAL : 0;
    if (flags & __O_TMPFILE)
        return -EINVAL;
    return 0;
}

unsigned open_walk_flags(int flags)
{
    unsigned walking = flags & O_NOFOLLOW ? 0 : WALK_FOLLOW;

    if (flags & O_PATH || (flags & O_TMPFILE) == O_TMPFILE || !(flags & O_CREAT))
        return walking;
    return (flags & O_EXCL ? 0 : walking) | WALK_PARENT;
}

/* What an open finds is not always what it may have. */
static int check(const struct walk *w, int flags)
{
    const struct node *n = w->node;
    bool writes = (flags & O_ACCMODE) != O_RDONLY || flags & O_TRUNC;

    if (flags & O_PATH)
        return flags & O_DIRECTORY && !node_is_directory(n) ? -ENOTDIR : 0;
    if (node_type(n) == NODE_LINK)
        return flags & O_DIRECTORY ? -ENOTDIR : -ELOOP;
    if (node_is_directory(n))
        return writes || flags & O_CREAT ? -EISDIR : 0;
    return flags & O_DIRECTORY || w->slash ? -ENOTDIR : 0;
}

/* The absolute name, for /proc and for messages; NULL if there is none. */
static char *name_of(const struct walk *w)
{
    static char text[PATH_LONGEST];
    ssize_t n = -ENOENT;

    if (w->node && node_is_directory(w->node))
        n = path_of(w->node, NULL, 0, text, sizeof(text));
    else if (w->directory)
        n = path_of(w->directory, w->name, w->length, text, sizeof(text));
    return n < 0 ? NULL : kstrdup(text);
}

static int open_node(struct node *n, int flags, char *path, struct file **out)
{
    struct file *f = file_new(&path_ops, flags & ~PASSING_FLAGS, NULL);

    if (!f) {
        kfree(path);
        return -ENFILE;
    }
    f->node = node_get(n);
    f->path = path;
    f->inode = n->number;
    if (!(flags & O_PATH)) {
        int error = n->ops->open ? n->ops->open(n, f) : -ENXIO;
        if (error) {
            f->ops = &path_ops; /* what is half open has no release */
            file_put(f);
            return error;
        }
    }
    *out = f;
    return 0;
}

int open_walked(struct walk *w, int flags, uint32_t mode, struct file **out)
{
    bool made = false;
    int error;

    mode &= 07777 & ~path_umask;
    if (w->file) { /* a pipe through /proc/self/fd: the same open file again */
        if (flags & O_DIRECTORY)
            return -ENOTDIR;
        if (w->file->ops->socket)
            return -ENXIO;
        *out = file_get(w->file);
        return 0;
    }
    if ((flags & O_TMPFILE) == O_TMPFILE && !(flags & O_PATH)) {
        if (!node_is_directory(w->node))
            return -ENOTDIR;
        if (w->node->ops != &tree_ops)
            return -EOPNOTSUPP;
        struct tree_node *t = tree_node_new(&tree_ops, NODE_REGULAR | mode);
        if (!t)
            return -ENOSPC;
        t->node.links = 0;
        t->node.device = w->node->device;
        error = open_node(&t->node, flags & ~O_TMPFILE, NULL, out);
        node_put(&t->node);
        return error;
    }
    if (flags & O_CREAT && !(flags & O_PATH) && w->slash && w->last == LAST_NAME)
        return -EISDIR;
    if (!w->node) {
        if (!w->directory->ops->create)
            return -EACCES;
        error = w->directory->ops->create(w->directory, w->name, w->length, NODE_REGULAR | mode, 0, &w->node);
        if (error)
            return error;
        made = true;
        node_event(w->directory, IN_CREATE, 0, w->name, w->length);
    } else {
        if ((flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL) && !(flags & O_PATH))
            return -EEXIST;
        error = check(w, flags);
        if (error)
            return error;
    }
    error = open_node(w->node, flags, name_of(w), out);
    if (error)
        return error;
    if (flags & O_TRUNC && !made && !(flags & O_PATH) && node_type(w->node) == NODE_REGULAR) {
        error = w->node->ops->truncate ? w->node->ops->truncate(w->node, 0) : 0;
        if (error)
            file_put(*out);
        else
            walk_event(w, IN_MODIFY);
    }
    if (!error && watch_notify_file)
        watch_notify_file(*out, IN_OPEN);
    return error;
}

static long open_at(int dirfd, const char __user *path, int flags, uint32_t mode, unsigned resolve)
{
    struct walk w;
    struct file *f;
    int error = open_flags_check(flags);

    if (!error)
        error = walk_at(&w, dirfd, path, open_walk_flags(flags) | resolve);
    if (error)
        return error;
    error = open_walked(&w, flags, mode, &f);
    walk_done(&w);
    return error ? error : fd_install(f, 0, flags & O_CLOEXEC);
}

SYSCALL(open, const char __user *path, int flags, uint32_t mode)
{
    return open_at(AT_FDCWD, path, flags, mode, 0);
}

SYSCALL(openat, int dirfd, const char __user *path, int flags, uint32_t mode)
{
    return open_at(dirfd, path, flags, mode, 0);
}

SYSCALL(creat, const char __user *path, uint32_t mode)
{
    return open_at(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode, 0);
}

SYSCALL(openat2, int dirfd, const char __user *path, const struct open_how __user *how, size_t size)
{
    struct open_how h = {0};
    unsigned resolve = 0;

    if (size < sizeof(h))
        return -EINVAL;
    if (size > sizeof(h)) {
        char more[64];
        if (size > sizeof(h) + sizeof(more))
            return -E2BIG;
        if (copy_in(more, (const char *)how + sizeof(h), size - sizeof(h)))
            return -EFAULT;
        for (size_t i = 0; i < size - sizeof(h); i++) {
            if (more[i])
                return -E2BIG;
        }
    }
    if (copy_in(&h, how, sizeof(h)))
        return -EFAULT;
    if (h.flags >> 32 || h.mode & ~07777UL || (h.mode && !(h.flags & (O_CREAT | __O_TMPFILE))))
        return -EINVAL;
    static const struct {
        uint64_t bit;
        unsigned flag;
    } resolves[] = {{RESOLVE_BENEATH, WALK_BENEATH},
                    {RESOLVE_IN_ROOT, WALK_IN_ROOT},
                    {RESOLVE_NO_SYMLINKS, WALK_NO_LINKS | WALK_NO_MAGIC},
                    {RESOLVE_NO_MAGICLINKS, WALK_NO_MAGIC},
                    {RESOLVE_NO_XDEV, WALK_NO_XDEV},
                    {RESOLVE_CACHED, 0}};
    for (size_t i = 0; i < array_size(resolves); i++) {
        if (h.resolve & resolves[i].bit)
            resolve |= resolves[i].flag;
        h.resolve &= ~resolves[i].bit;
    }
    if (h.resolve || (resolve & (WALK_BENEATH | WALK_IN_ROOT)) == (WALK_BENEATH | WALK_IN_ROOT))
        return -EINVAL;
    return open_at(dirfd, path, (int)h.flags, (uint32_t)h.mode, resolve);
}

int kernel_open(const char *path, int flags, unsigned mode, struct file **out)
{
    struct walk w;

    if (!path_root && root_start)
        root_start();
    int error = walk(&w, path_root, path, open_walk_flags(flags));

    if (error)
        return error;
    error = open_walked(&w, flags, mode, out);
    walk_done(&w);
    return error;
}
