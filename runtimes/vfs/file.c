/* file.c - open files: made, counted, released. */
#include <asm/fcntl.h>
#include <linux/fs.h>
#include <linux/inotify.h>

#include "file.h"
#include "memory.h"
#include "node.h"

WEAK void epoll_forget(struct file *file)
{
    (void)file;
}

struct file *file_new(const struct file_ops *ops, int flags, void *data)
{
    struct file *f = kzalloc(sizeof(*f));

    if (!f)
        return NULL;
    f->ops = ops;
    f->users = 1;
    f->flags = flags;
    f->data = data;
    list_init(&f->epolls);
    return f;
}

void file_put(struct file *f)
{
    if (--f->users)
        return;
    if (!list_empty(&f->epolls))
        epoll_forget(f);
    if (f->node && locks_forget)
        locks_forget(f);
    if (f->node && watch_notify_file)
        watch_notify_file(f, (f->flags & O_ACCMODE) == O_RDONLY ? IN_CLOSE_NOWRITE : IN_CLOSE_WRITE);
    if (f->ops && f->ops->release)
        f->ops->release(f);
    if (f->node)
        node_put(f->node);
    kfree(f->path);
    kfree(f);
}

int64_t file_seek_from(struct file *f, int64_t base, int64_t offset)
{
    if (__builtin_add_overflow(base, offset, &offset))
        return -EOVERFLOW;
    if (offset < 0)
        return -EINVAL;
    f->pos = (uint64_t)offset;
    return offset;
}

int64_t file_seek_plain(struct file *f, int64_t offset, int whence)
{
    if (whence != SEEK_SET && whence != SEEK_CUR)
        return -EINVAL;
    return file_seek_from(f, whence == SEEK_CUR ? (int64_t)f->pos : 0, offset);
}
