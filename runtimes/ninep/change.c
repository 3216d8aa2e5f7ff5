/* change.c - names made, removed and moved, attributes set. The host decides about each; what it did is then
 * looked up anew. */
#include <asm/fcntl.h>
#include <linux/fs.h>

#include "memory.h"
#include "ninep.h"

/* A name of the node is gone: what the host says about it from now on may be about another file. */
static void lost_name(struct ninep_node *n)
{
    if (node_is_directory(&n->node)) {
        n->node.links = 0;
        n->node.name = NULL;
    } else if (n->node.links) {
        n->node.links--;
    }
    n->node.ctime = clock_real();
    n->detached = true;
}

static int make_file(struct ninep_node *d, const char *name, size_t length, uint32_t mode, uint32_t *opened)
{
    struct ninep_session *s = d->session;
    uint32_t fid = ninep_fid(s);
    int error = ninep_walk(s, d->fid, fid, NULL, 0, NULL);

    if (error)
        return error;
    error = ninep_create(s, fid, name, length, O_RDWR | O_CREAT | O_EXCL, mode & 07777);
    if (error)
        ninep_forget(s, fid);
    else
        *opened = fid;
    return error;
}

int ninep_make(struct node *directory, const char *name, size_t length, uint32_t mode, uint32_t rdev,
               struct node **out)
{
    struct ninep_node *d = ninep_of(directory);
    uint32_t opened = NINEP_NO_FID;
    int error = ninep_valid(d);

    if (error)
        return error;
    switch (mode & NODE_TYPE) {
    case NODE_REGULAR:
        error = make_file(d, name, length, mode, &opened);
        break;
    case NODE_DIRECTORY:
        error = ninep_mkdir(d->session, d->fid, name, length, mode & 07777);
        break;
    case NODE_FIFO:
    case NODE_SOCKET:
        error = ninep_mknod(d->session, d->fid, name, length, mode);
        if (error == -ENXIO) /* QEMU's word for what it makes no nodes of */
            error = -EPERM;
        break;
    default:
        (void)rdev;
        error = -EPERM; /* devices of the host */
    }
    if (!error)
        error = ninep_lookup(directory, name, length, out);
    if (error || opened == NINEP_NO_FID) {
        ninep_forget(d->session, opened);
        return error;
    }
    ninep_of(*out)->made = opened;
    return 0;
}

int ninep_make_symlink(struct node *directory, const char *name, size_t length, const char *target,
                       struct node **out)
{
    struct ninep_node *d = ninep_of(directory);
    int error = ninep_valid(d);

    if (!error)
        error = ninep_symlink(d->session, d->fid, name, length, target);
    return error ? error : ninep_lookup(directory, name, length, out);
}

int ninep_make_link(struct node *directory, const char *name, size_t length, struct node *target)
{
    struct ninep_node *d = ninep_of(directory), *n = ninep_of(target);
    int error = ninep_valid(d);

    if (target->ops != &ninep_ops || n->session != d->session)
        return -EXDEV;
    if (n->detached)
        return -ENOENT;
    if (!error)
        error = ninep_link(d->session, d->fid, n->fid, name, length);
    return error ? error : ninep_refresh(target);
}

int ninep_remove(struct node *directory, const char *name, size_t length, bool is_directory)
{
    struct ninep_node *d = ninep_of(directory);
    struct node *gone;
    int error = ninep_lookup(directory, name, length, &gone);

    if (error)
        return error;
    if (is_directory != node_is_directory(gone))
        error = is_directory ? -ENOTDIR : -EISDIR;
    else
        error = ninep_unlink(d->session, d->fid, name, length, is_directory);
    if (!error)
        lost_name(ninep_of(gone));
    node_put(gone);
    return error;
}

/* What was moved is known by its new name from now on. */
static void again(struct node *directory, const char *name, size_t length)
{
    struct node *n;

    if (ninep_lookup(directory, name, length, &n) == 0)
        node_put(n);
}

int ninep_move(struct node *from, const char *name, size_t length, struct node *to, const char *to_name,
               size_t to_length, unsigned flags)
{
    struct ninep_node *source = ninep_of(from), *target = ninep_of(to);
    struct node *moved, *over = NULL;

    if (to->ops != &ninep_ops || source->session != target->session)
        return -EXDEV;
    if (flags & RENAME_EXCHANGE)
        return -EINVAL; /* the protocol has no such thing */
    int error = ninep_lookup(from, name, length, &moved);
    if (error)
        return error;
    error = ninep_lookup(to, to_name, to_length, &over);
    if (error == -ENOENT)
        error = 0;
    if (!error && over && flags & RENAME_NOREPLACE)
        error = -EEXIST;
    if (!error && node_is_directory(moved) && ninep_lies_in(to, moved))
        error = -EINVAL;
    if (!error && over != moved) {
        error = ninep_rename(source->session, source->fid, name, length, target->fid, to_name, to_length);
        if (!error && over)
            lost_name(ninep_of(over));
        if (!error)
            again(to, to_name, to_length);
    }
    node_put(moved);
    if (over)
        node_put(over);
    return error;
}

int ninep_change(struct node *node, const struct node_change *change)
{
    static const uint32_t bits[][2] = {
        {CHANGE_MODE, NINEP_SET_MODE},
        {CHANGE_UID, NINEP_SET_UID},
        {CHANGE_GID, NINEP_SET_GID},
        {CHANGE_ATIME, NINEP_SET_ATIME | NINEP_SET_ATIME_TO},
        {CHANGE_MTIME, NINEP_SET_MTIME | NINEP_SET_MTIME_TO},
    };
    struct ninep_node *n = ninep_of(node);
    struct ninep_attributes a = {.mode = change->mode,
                                 .uid = change->uid,
                                 .gid = change->gid,
                                 .atime = change->atime,
                                 .mtime = change->mtime};
    uint32_t valid = 0;
    int error = ninep_valid(n);

    if (error)
        return error;
    if (n->detached) {
        node_apply(node, change);
        return 0;
    }
    for (size_t i = 0; i < array_size(bits); i++)
        if (change->what & bits[i][0])
            valid |= bits[i][1];
    if (change->what & CHANGE_ATIME_NOW)
        valid &= ~(uint32_t)NINEP_SET_ATIME_TO;
    if (change->what & CHANGE_MTIME_NOW)
        valid &= ~(uint32_t)NINEP_SET_MTIME_TO;
    /* Pages that go to the host later would change the time again. */
    if (change->what & CHANGE_MTIME && n->dirty_count)
        error = ninep_write_back(n, 0, UINT64_MAX >> PAGE_SHIFT);
    if (!error)
        error = ninep_setattr(n->session, n->fid, valid, &a);
    return error ? error : ninep_refresh(node);
}
