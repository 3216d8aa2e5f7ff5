/* at.c - paths out of user memory, relative to a directory descriptor (openat(2), "Rationale for openat()").
 */
#include <linux/fcntl.h>

#include "descriptors.h"
#include "memory.h"
#include "path.h"

/* The kernel is not re-entered, and a walk does not wait: one buffer serves all. */
static char text[PATH_LONGEST];

int walk_flags(int at_flags, int known)
{
    if (at_flags & ~known)
        return -EINVAL;
    return (at_flags & AT_SYMLINK_NOFOLLOW ? 0 : WALK_FOLLOW) | (at_flags & AT_EMPTY_PATH ? WALK_EMPTY : 0);
}

int walk_at(struct walk *w, int dirfd, const char __user *path, unsigned flags)
{
    long length = string_in(text, path, sizeof(text));
    struct node *start = path_cwd;

    if (length < 0)
        return (int)length;
    if (dirfd != AT_FDCWD && (text[0] != '/' || flags & (WALK_IN_ROOT | WALK_BENEATH))) {
        struct file *f = fd_peek(dirfd);
        if (!text[0] && !(flags & WALK_EMPTY))
            return -ENOENT;
        if (!f)
            return -EBADF;
        if (!text[0]) {
            *w = (struct walk){.last = LAST_DOT};
            if (f->node)
                w->node = node_get(f->node);
            else
                w->file = file_get(f);
            return 0;
        }
        if (!f->node || !node_is_directory(f->node))
            return -ENOTDIR;
        start = f->node;
    }
    return walk(w, start, text, flags);
}

int walk_at_node(struct walk *w, int dirfd, const char __user *path, unsigned flags)
{
    int error = walk_at(w, dirfd, path, flags);

    if (!error && !w->node) {
        error = w->file ? -EINVAL : -ENOENT;
        walk_done(w);
    }
    return error;
}
