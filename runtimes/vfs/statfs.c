/* statfs.c - statfs(2), fstatfs(2): which file system, and how much room. What is written lives in memory, so
 * the room is that of data.c's limit. */
#include <asm/statfs.h>
#include <linux/fcntl.h>
#include <linux/magic.h>

#include "descriptors.h"
#include "memory.h"
#include "path.h"
#include "tree.h"

#define ST_RDONLY  1
#define ST_VALID   0x20 /* f_flags is filled in */
#define ST_NOATIME 0x400

static int fill(struct node *n, struct statfs *s)
{
    struct data_totals totals = data_totals();
    uint32_t device = n ? n->device : DEVICE_NAMELESS;

    memset(s, 0, sizeof(*s));
    s->f_bsize = s->f_frsize = PAGE_SIZE;
    s->f_namelen = NAME_LONGEST;
    s->f_flags = ST_VALID | ST_NOATIME;
    s->f_fsid.val[0] = (int)device;
    if (n && n->ops->read_only && n->ops->read_only(n))
        s->f_flags |= ST_RDONLY;
    if (n && n->ops->statfs)
        return n->ops->statfs(n, s);
    switch (device) {
    case DEVICE_PROC:
        s->f_type = PROC_SUPER_MAGIC;
        return 0;
    case DEVICE_SYS:
        s->f_type = SYSFS_MAGIC;
        return 0;
    case DEVICE_NAMELESS:
        s->f_type = ANON_INODE_FS_MAGIC;
        return 0;
    case DEVICE_ROOT:
        s->f_type = OVERLAYFS_SUPER_MAGIC;
        break;
    default:
        s->f_type = TMPFS_MAGIC;
        break;
    }
    uint64_t image = device == DEVICE_ROOT ? tree_image.blocks : 0;
    s->f_blocks = (long)(totals.limit + image);
    s->f_bfree = s->f_bavail = (long)(totals.limit - min(totals.used, totals.limit));
    /* A node takes a part of a page: as many are left as there are free pages. */
    s->f_files = (long)(tree_image.inodes + totals.limit);
    s->f_ffree = s->f_bfree;
    return 0;
}

SYSCALL(statfs, const char __user *path, struct statfs __user *to)
{
    struct walk w;
    struct statfs s;
    int error = walk_at(&w, AT_FDCWD, path, WALK_FOLLOW);

    if (error)
        return error;
    error = fill(w.node, &s);
    walk_done(&w);
    return error ? error : copy_out(to, &s, sizeof(s));
}

SYSCALL(fstatfs, int fd, struct statfs __user *to)
{
    struct file *f = fd_peek(fd);
    struct statfs s;

    if (!f)
        return -EBADF;
    int error = fill(f->node, &s);
    return error ? error : copy_out(to, &s, sizeof(s));
}
