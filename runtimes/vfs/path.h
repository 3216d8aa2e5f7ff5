/* path.h - the walk from a path to a node (vfs/path.c) and what the calls on paths share (vfs/at.c). */
#ifndef UNIKIT_PATH_H
#define UNIKIT_PATH_H

#include "node.h"

enum {
    WALK_FOLLOW = 1,    /* a link at the end is followed */
    WALK_PARENT = 2,    /* the last name may be absent: node NULL, directory and name say where it would be */
    WALK_EMPTY = 4,     /* the empty path is the start itself (AT_EMPTY_PATH) */
    WALK_BENEATH = 8,   /* RESOLVE_BENEATH: never leaves the start: -EXDEV */
    WALK_IN_ROOT = 16,  /* RESOLVE_IN_ROOT: the start is the root */
    WALK_NO_LINKS = 32, /* RESOLVE_NO_SYMLINKS: -ELOOP */
    WALK_NO_MAGIC = 64, /* RESOLVE_NO_MAGICLINKS: -ELOOP */
    WALK_NO_XDEV = 128, /* RESOLVE_NO_XDEV: -EXDEV */
};

enum walk_last { LAST_NAME, LAST_DOT, LAST_DOTDOT, LAST_ROOT };

/* Where a walk ended. Holds references until walk_done(). */
struct walk {
    struct node *node; /* NULL: the name is absent, or `file` is set */
    struct file *file; /* the end is an open file without a node (/proc/self/fd/N of a pipe) */
    struct node
        *directory; /* that has the last name; NULL: reached through a magic link or as the empty path */
    enum walk_last last;
    bool slash; /* the path ended in a slash */
    size_t length;
    char name[NAME_LONGEST + 1]; /* the last name, NUL-terminated; empty unless LAST_NAME */
};

/* From `start` (of relative paths) along `path`. 0 or -errno; on an error nothing is held. */
int walk(struct walk *, struct node *start, const char *path, unsigned flags);
void walk_done(struct walk *);
/* May something new get the name that was walked to (WALK_PARENT)? 0, -EEXIST, or -ENOENT: the path ends in a
 * slash, and that is for directories. */
int walk_free(const struct walk *, bool for_directory);
/* Makes a node of that name; the umask is applied. 0 or -errno. */
int walk_create(struct walk *, uint32_t mode, uint32_t rdev);

/* Something happened to what the walk found: the node and its directory hear of it. */
static inline void walk_event(const struct walk *w, unsigned event)
{
    node_event(w->node, event, 0, NULL, 0);
    if (w->directory && w->last == LAST_NAME)
        node_event(w->directory, event, 0, w->name, w->length);
}

extern struct node *path_root, *path_cwd; /* of the process; set by INIT(filesystems) */
extern uint32_t path_umask;

/* ---- at.c: paths from user memory. The text is only good until the next call that takes one. */
/* Walks a user path from dirfd (or AT_FDCWD). */
int walk_at(struct walk *, int dirfd, const char __user *path, unsigned flags);
/* The same, but something has to be there. */
int walk_at_node(struct walk *, int dirfd, const char __user *path, unsigned flags);
/* WALK_* of AT_SYMLINK_NOFOLLOW and AT_EMPTY_PATH; -EINVAL if there are flags not in `known`. */
int walk_flags(int at_flags, int known);
/* Opens what a walk found (open(2)); 0 or -errno. */
int open_walked(struct walk *, int flags, uint32_t mode, struct file **);
int open_flags_check(int flags);
unsigned open_walk_flags(int flags);

#endif
