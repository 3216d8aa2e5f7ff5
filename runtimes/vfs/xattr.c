/* xattr.c - extended attributes (xattr(7)) of what is in memory: those of user., trusted. and security., as
 * tmpfs has them. Elsewhere (/proc, folders of the host) lists are empty, and the rest is EOPNOTSUPP. */
#include <linux/fcntl.h>
#include <linux/inotify.h>
#include <linux/limits.h>
#include <linux/xattr.h>

#include "descriptors.h"
#include "memory.h"
#include "path.h"
#include "tree.h"

/* Of one node, as Linux's tmpfs has it; of all nodes together: a part of the memory. */
#define COUNT_MOST 128U
#define BYTES_MOST (128UL << 10)
#define SHARE      16U

struct xattr {
    struct xattr *next;
    size_t name_size, size; /* the name's with its NUL, the value's */
    char text[];            /* the one, and the other */
};

/* What is asked for, and the caller's buffer. */
struct request {
    char name[XATTR_NAME_MAX + 1];
    void __user *to;
    size_t size;
    int flags;
    struct xattr *made; /* to be set; NULL once the node has it */
    bool changes;
};

static size_t bytes_used;

static size_t bytes_of(const struct xattr *x)
{
    return sizeof(*x) + x->name_size + x->size;
}

static void drop(struct xattr *x)
{
    bytes_used -= bytes_of(x);
    kfree(x);
}

void xattrs_forget(struct node *n)
{
    while (n->xattrs) {
        struct xattr *gone = n->xattrs;
        n->xattrs = gone->next;
        drop(gone);
    }
}

static struct xattr **find(struct node *n, const char *name)
{
    struct xattr **p = &n->xattrs;

    while (*p && strcmp((*p)->text, name) != 0)
        p = &(*p)->next;
    return p;
}

static bool is_kept(const struct node *n)
{
    return n && n->ops == &tree_ops;
}

/* Whether there can be such an attribute of a node; those of users belong to files and directories. */
static long check(const struct node *n, const struct request *r)
{
    static const char *const prefixes[] = {XATTR_USER_PREFIX, XATTR_TRUSTED_PREFIX, XATTR_SECURITY_PREFIX};

    for (size_t i = 0; is_kept(n) && i < array_size(prefixes); i++) {
        size_t length = strlen(prefixes[i]);
        if (strncmp(r->name, prefixes[i], length) != 0)
            continue;
        if (!r->name[length])
            return -EINVAL;
        if (i == 0 && node_type(n) != NODE_REGULAR && !node_is_directory(n))
            return r->changes ? -EPERM : -ENODATA;
        return 0;
    }
    return -EOPNOTSUPP;
}

static void changed(struct node *n)
{
    n->ctime = clock_real();
}

/* ---- the operations, on a node or (NULL) on what has none */

typedef long operation(struct node *, struct request *);

static long set(struct node *n, struct request *r)
{
    long error = check(n, r);
    size_t count = 1, bytes = bytes_of(r->made);

    if (error)
        return error;
    struct xattr **place = find(n, r->name), *old = *place;
    if (old && r->flags & XATTR_CREATE)
        return -EEXIST;
    if (!old && r->flags & XATTR_REPLACE)
        return -ENODATA;
    for (const struct xattr *x = n->xattrs; x; x = x->next) {
        count += x != old;
        bytes += x != old ? bytes_of(x) : 0;
    }
    if (count > COUNT_MOST || bytes > BYTES_MOST ||
        bytes_used + bytes_of(r->made) > pages_totals().total * PAGE_SIZE / SHARE)
        return -ENOSPC;
    n->ops->changing(n);
    bytes_used += bytes_of(r->made);
    r->made->next = old ? old->next : NULL;
    *place = r->made;
    r->made = NULL;
    if (old)
        drop(old);
    changed(n);
    return 0;
}

static long unset(struct node *n, struct request *r)
{
    long error = check(n, r);

    if (error)
        return error;
    struct xattr **place = find(n, r->name), *old = *place;
    if (!old)
        return -ENODATA;
    *place = old->next;
    drop(old);
    changed(n);
    return 0;
}

/* Writing to the user may wait, and then the attribute may be gone: it is of a copy. */
static long answer(const struct request *r, char *copy, size_t size)
{
    long result = copy ? copy_out(r->to, copy, size) : -ENOMEM;

    kfree(copy);
    return result ? result : (long)size;
}

static long get(struct node *n, struct request *r)
{
    long error = check(n, r);

    if (error)
        return error;
    const struct xattr *x = *find(n, r->name);
    if (!x)
        return -ENODATA;
    if (!r->size || !x->size)
        return (long)x->size;
    if (x->size > r->size)
        return -ERANGE;
    char *copy = kmalloc(x->size);
    if (copy)
        memcpy(copy, x->text + x->name_size, x->size);
    return answer(r, copy, x->size);
}

static long list(struct node *n, struct request *r)
{
    size_t size = 0, at = 0;

    for (const struct xattr *x = is_kept(n) ? n->xattrs : NULL; x; x = x->next)
        size += x->name_size;
    if (!r->size || !size)
        return (long)size;
    if (size > r->size)
        return -ERANGE;
    char *copy = kmalloc(size);
    for (const struct xattr *x = n->xattrs; copy && x; at += x->name_size, x = x->next)
        memcpy(copy + at, x->text, x->name_size);
    return answer(r, copy, size);
}

/* ---- where they are asked for: a path or a descriptor; the name comes first, as paths share a buffer */

struct where {
    const char __user *path;
    unsigned walking;
    int fd;
    bool is_fd;
};

#define PATH(p, w) ((struct where){.path = (p), .walking = (w)})
#define FD(d)      ((struct where){.fd = (d), .is_fd = true})

static long at_path(const char __user *path, unsigned walking, operation *does, struct request *r)
{
    struct walk w;
    long result = walk_at(&w, AT_FDCWD, path, walking);

    if (result)
        return result;
    result = does(w.node, r);
    if (!result && r->changes)
        walk_event(&w, IN_ATTRIB);
    walk_done(&w);
    return result;
}

static long at_fd(int fd, operation *does, struct request *r)
{
    struct file *f = fd_get(fd);
    long result = f && !(f->flags & O_PATH) ? does(f->node, r) : -EBADF;

    if (!result && r->changes && watch_notify_file)
        watch_notify_file(f, IN_ATTRIB);
    if (f)
        file_put(f);
    return result;
}

static long perform(struct where at, operation *does, struct request *r)
{
    return at.is_fd ? at_fd(at.fd, does, r) : at_path(at.path, at.walking, does, r);
}

static long name_in(struct request *r, const char __user *name)
{
    long length = string_in(r->name, name, sizeof(r->name));
    return length == 0 || length == -ENAMETOOLONG ? -ERANGE : min(length, 0L);
}

static long ask(struct where at, operation *does, const char __user *name, void __user *to, size_t size)
{
    struct request r = {.to = to, .size = size, .changes = does == unset};
    long error = does == list ? 0 : name_in(&r, name);

    return error ? error : perform(at, does, &r);
}

static long put(struct where at, const char __user *name, const void __user *value, size_t size, int flags)
{
    struct request r = {.flags = flags, .changes = true};

    if (flags & ~(XATTR_CREATE | XATTR_REPLACE))
        return -EINVAL;
    long result = name_in(&r, name);
    if (result)
        return result;
    if (size > XATTR_SIZE_MAX)
        return -E2BIG;
    size_t name_size = strlen(r.name) + 1;
    r.made = kmalloc(sizeof(*r.made) + name_size + size);
    if (!r.made)
        return -ENOMEM;
    *r.made = (struct xattr){.name_size = name_size, .size = size};
    memcpy(r.made->text, r.name, name_size);
    result = copy_in(r.made->text + name_size, value, size);
    if (!result)
        result = perform(at, set, &r);
    kfree(r.made);
    return result;
}

SYSCALL(listxattr, const char __user *path, char __user *to, size_t size)
{
    return ask(PATH(path, WALK_FOLLOW), list, NULL, to, size);
}

SYSCALL(getxattr, const char __user *path, const char __user *name, void __user *to, size_t size)
{
    return ask(PATH(path, WALK_FOLLOW), get, name, to, size);
}

SYSCALL(setxattr, const char __user *path, const char __user *name, const void __user *value, size_t size,
        int flags)
{
    return put(PATH(path, WALK_FOLLOW), name, value, size, flags);
}

SYSCALL(removexattr, const char __user *path, const char __user *name)
{
    return ask(PATH(path, WALK_FOLLOW), unset, name, NULL, 0);
}

SYSCALL(llistxattr, const char __user *path, char __user *to, size_t size)
{
    return ask(PATH(path, 0), list, NULL, to, size);
}

SYSCALL(lgetxattr, const char __user *path, const char __user *name, void __user *to, size_t size)
{
    return ask(PATH(path, 0), get, name, to, size);
}

SYSCALL(lsetxattr, const char __user *path, const char __user *name, const void __user *value, size_t size,
        int flags)
{
    return put(PATH(path, 0), name, value, size, flags);
}

SYSCALL(lremovexattr, const char __user *path, const char __user *name)
{
    return ask(PATH(path, 0), unset, name, NULL, 0);
}

SYSCALL(flistxattr, int fd, char __user *to, size_t size)
{
    return ask(FD(fd), list, NULL, to, size);
}

SYSCALL(fgetxattr, int fd, const char __user *name, void __user *to, size_t size)
{
    return ask(FD(fd), get, name, to, size);
}

SYSCALL(fsetxattr, int fd, const char __user *name, const void __user *value, size_t size, int flags)
{
    return put(FD(fd), name, value, size, flags);
}

SYSCALL(fremovexattr, int fd, const char __user *name)
{
    return ask(FD(fd), unset, name, NULL, 0);
}
