/* memfd.c - memfd_create(2), and the seals of such files (fcntl(2), "File Sealing"). */
#include <asm/fcntl.h>
#include <linux/fcntl.h>
#include <linux/memfd.h>

#include "memory.h"
#include "readwrite.h"
#include "seals.h"
#include "tree.h"

#define PREFIX "/memfd:"

SYSCALL(memfd_create, const char __user *user_name, unsigned flags)
{
    char name[sizeof(PREFIX) + 249] = PREFIX;

    if (flags & ~(MFD_CLOEXEC | MFD_ALLOW_SEALING))
        return -EINVAL; /* huge pages, too */
    long length = string_in(name + sizeof(PREFIX) - 1, user_name, 250);
    if (length < 0)
        return length == -ENAMETOOLONG ? -EINVAL : length;
    struct tree_node *t = tree_node_new(&tree_ops, NODE_REGULAR | 0777);
    struct file *f = t ? file_new(&tree_file_ops, O_RDWR | O_LARGEFILE, NULL) : NULL;
    if (!f) {
        if (t)
            node_put(&t->node);
        return -ENOMEM;
    }
    t->node.links = 0;
    t->node.device = DEVICE_NAMELESS;
    t->file.seals = flags & MFD_ALLOW_SEALING ? 0 : F_SEAL_SEAL;
    f->node = &t->node;
    f->inode = t->node.number;
    f->path = kstrdup(name);
    return fd_install(f, 0, flags & MFD_CLOEXEC);
}

long seals_fcntl(struct file *f, int command, unsigned seals)
{
    const unsigned known = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE;

    if (f->ops != &tree_file_ops || f->node->device != DEVICE_NAMELESS)
        return -EINVAL;
    struct tree_node *t = tree_of(f->node);
    if (command == F_GET_SEALS)
        return t->file.seals;
    if (seals & ~known)
        return -EINVAL;
    if (!file_writable(f) || t->file.seals & F_SEAL_SEAL)
        return -EPERM;
    t->file.seals |= (int)seals;
    return 0;
}
