/* node.h - the tree of names (vfs/). A node is a file, directory, link or device in memory, perhaps backed by
 * the read-only image: names and pages that were never changed are looked up there, in place.
 *
 * References: `users` counts open files, mappings, working directories, walks, the entry of the parent and,
 * for a directory, its children. What a function hands back through `struct node **` carries a reference. */
#ifndef UNIKIT_NODE_H
#define UNIKIT_NODE_H

#include "file.h"

struct node_ops;
struct statfs;

/* Mode bits as in stat(2). */
#define NODE_TYPE      0170000U
#define NODE_FIFO      0010000U
#define NODE_CHARACTER 0020000U
#define NODE_DIRECTORY 0040000U
#define NODE_BLOCK     0060000U
#define NODE_REGULAR   0100000U
#define NODE_LINK      0120000U
#define NODE_SOCKET    0140000U

#define NAME_LONGEST 255U  /* bytes of one name */
#define PATH_LONGEST 4096U /* bytes of a path with its NUL */
#define LINKS_MOST   40    /* symbolic links in one walk */

/* For st_dev, and for what statfs says. */
enum { DEVICE_ROOT = 1, DEVICE_PROC, DEVICE_SYS, DEVICE_DEV, DEVICE_NAMELESS, DEVICE_HOST = 16 };

struct node {
    const struct node_ops *ops;
    unsigned users;
    unsigned links;
    uint64_t number;
    uint32_t mode, uid, gid;
    uint32_t rdev, device; /* device: which file system */
    uint64_t size;
    int64_t atime, mtime, ctime; /* ns since 1970 */
    struct node *parent;         /* a directory's ".."; the root's is itself */
    const char *name;            /* a directory's name there; NULL: the root, or removed */
    struct node *mounted;        /* the root of another file system that hides this directory; held */
    struct list locks;           /* flock, fcntl (vfs/locks.c) */
    struct list watches;         /* inotify (vfs/inotify.c) */
    struct xattr *xattrs;        /* extended attributes (vfs/xattr.c) */
    void *data;                  /* what lives behind the name: a fifo's pipe, a bound socket. Whoever sets it
                                  * holds a reference to the node and clears it again. */
};

void node_init(struct node *, const struct node_ops *, uint32_t mode);
static inline struct node *node_get(struct node *n)
{
    n->users++;
    return n;
}
void node_put(struct node *);
static inline uint32_t node_type(const struct node *n)
{
    return n->mode & NODE_TYPE;
}
static inline bool node_is_directory(const struct node *n)
{
    return node_type(n) == NODE_DIRECTORY;
}
/* The next number of a node that is not the image's; never used twice. */
uint64_t node_number(void);

/* What chmod(2), chown(2) and utimensat(2) set. */
struct node_change {
    unsigned what; /* CHANGE_* */
    uint32_t mode; /* permissions, without the type */
    uint32_t uid, gid;
    int64_t atime, mtime; /* ns since 1970 */
};
enum {
    CHANGE_MODE = 1,
    CHANGE_UID = 2,
    CHANGE_GID = 4,
    CHANGE_ATIME = 8,
    CHANGE_MTIME = 16,
    CHANGE_ATIME_NOW = 32, /* with CHANGE_ATIME: the time is now */
    CHANGE_MTIME_NOW = 64,
};
/* What is to be changed, checked by the caller, of a node that is in memory alone. */
void node_apply(struct node *, const struct node_change *);

/* An operation that is NULL is not possible there. Names are not NUL-terminated and never "." or "..". */
struct node_ops {
    int (*lookup)(struct node *directory, const char *name, size_t length, struct node **);
    int (*create)(struct node *directory, const char *name, size_t length, uint32_t mode, uint32_t rdev,
                  struct node **);
    int (*link)(struct node *directory, const char *name, size_t length, struct node *target);
    int (*unlink)(struct node *directory, const char *name, size_t length, bool is_directory);
    /* flags: RENAME_* of renameat2(2). */
    int (*rename)(struct node *from, const char *name, size_t length, struct node *to, const char *to_name,
                  size_t to_length, unsigned flags);
    int (*symlink)(struct node *directory, const char *name, size_t length, const char *target,
                   struct node **);
    /* The target, not NUL-terminated and cut off at `size`; its length. */
    ssize_t (*readlink)(struct node *, char *to, size_t size);
    /* Links that lead to a thing rather than to a name (/proc/self/fd/N): a node, or, for things without a
     * node, the open file itself; both with a reference. NULL: an ordinary link. */
    int (*follow)(struct node *, struct node **, struct file **);
    int (*truncate)(struct node *, uint64_t size);
    int (*allocate)(struct node *, int mode, uint64_t offset, uint64_t length); /* fallocate(2) */
    uint64_t (*blocks)(struct node *); /* of 512 bytes; NULL: from size */
    /* Mode, owner or times are about to be set, in memory. */
    void (*changing)(struct node *);
    /* Sets them, where memory is not all there is; instead of `changing`. */
    int (*change)(struct node *, const struct node_change *);
    /* The node's members are about to be looked at, and others can change them: brings them up to date. A
     * node that was just looked up is. NULL: they always are. */
    int (*refresh)(struct node *);
    int (*statfs)(struct node *, struct statfs *); /* NULL: in memory (vfs/statfs.c) */
    bool (*read_only)(struct node *);              /* NULL: no */
    int (*open)(struct node *, struct file *);     /* sets file->ops, perhaps file->data */
    void (*release)(struct node *);                /* the last reference is gone: frees it */
};

/* ---- names, for the kernel's own use (vfs/path.c): absolute or relative to the working directory */
/* What the path names. 0 or -errno. */
int path_find(const char *path, bool follow, struct node **);
/* mknod(2): a new node; the umask is applied. -EEXIST ... */
int path_make(const char *path, uint32_t mode, uint32_t rdev, struct node **);
/* The absolute path of `name` in a directory (name NULL: of the directory itself), NUL-terminated; its length
 * or -ENOENT (removed), -ENAMETOOLONG. */
ssize_t path_of(struct node *directory, const char *name, size_t length, char *to, size_t size);
/* The absolute path, without links, "." and "..", of what is there. */
ssize_t path_canonical(const char *path, char *to, size_t size);

/* ---- hooks (weak; other components replace them) */
/* open(2) of a fifo: sets file->ops; may wait for the other end. Without pipes: -ENXIO. */
int fifo_open(struct node *, struct file *) WEAK;
/* Something happened to a node: IN_* of inotify(7), with the name in it for directories. (vfs/inotify.c) */
void watch_notify(struct node *, unsigned event, unsigned cookie, const char *name, size_t length) WEAK;
/* The same for an open file: the directory it is in hears of it too. */
void watch_notify_file(struct file *, unsigned event) WEAK;
static inline void node_event(struct node *n, unsigned event, unsigned cookie, const char *name,
                              size_t length)
{
    if (unlikely(!list_empty(&n->watches)))
        watch_notify(n, event, cookie, name, length);
}
/* sync(2): all that was written and does not live in memory alone. 0 or -errno. (ninep/) */
int files_sync(void) WEAK;
/* A node or a file goes: its locks go. */
void locks_forget(struct file *) WEAK;
/* A node that has extended attributes goes. */
void xattrs_forget(struct node *) WEAK;

#endif
