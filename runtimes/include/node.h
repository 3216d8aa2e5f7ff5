/* node.h - the tree of names (vfs/). A node is a file, directory, link or device in memory, perhaps backed by
 * the read-only image: names and pages that were never changed are looked up there, in place. */
#ifndef UNIKIT_NODE_H
#define UNIKIT_NODE_H

#include "file.h"

struct node_ops;

struct node {
    const struct node_ops *ops;
    unsigned users; /* open files, mappings, working directory, the parent's entry */
    unsigned links;
    uint64_t number;
    uint32_t mode, uid, gid;
    uint32_t rdev, device; /* device: which file system, for st_dev */
    uint64_t size;
    int64_t atime, mtime, ctime; /* ns since 1970 */
    struct list locks;           /* flock, fcntl (vfs/locks.c) */
    void *data;
};
static inline struct node *node_get(struct node *n)
{
    n->users++;
    return n;
}
void node_put(struct node *);

/* /proc, /dev and the root share this; the file-system implementer owns the details. */
struct node_ops {
    int (*lookup)(struct node *directory, const char *name, size_t length, struct node **);
    int (*create)(struct node *directory, const char *name, size_t length, uint32_t mode, uint32_t rdev,
                  struct node **);
    int (*link)(struct node *directory, const char *name, size_t length, struct node *target);
    int (*unlink)(struct node *directory, const char *name, size_t length, bool is_directory);
    int (*rename)(struct node *from, const char *name, size_t length, struct node *to, const char *to_name,
                  size_t to_length, unsigned flags);
    int (*symlink)(struct node *directory, const char *name, size_t length, const char *target,
                   struct node **);
    ssize_t (*readlink)(struct node *, char *to, size_t size);
    int (*truncate)(struct node *, uint64_t size);
    int (*open)(struct node *, struct file *); /* sets file->ops */
    void (*release)(struct node *);
};

#endif
