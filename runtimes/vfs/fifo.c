/* vfs/fifo.c - fifo(7): a pipe with a name. The ring belongs to the node while anybody has it open.
 *
 * open(2) for reading waits for a writer and the other way round; with O_NONBLOCK a reader does not wait and
 * a writer without a reader gets ENXIO; O_RDWR never waits (as Linux).
 */
#include <linux/eventpoll.h>
#include <linux/fcntl.h>

#include "node.h"
#include "pipe.h"

PROVIDES(fifo);

static void leave(struct node *node, struct file *f)
{
    struct pipe *p = node->data;
    pipe_close_end(p, f);
    if (p->readers || p->writers)
        return;
    node->data = NULL;
    pipe_free(p);
}

static ssize_t fifo_read(struct file *f, struct io *io, uint64_t *pos)
{
    (void)pos;
    return pipe_read(f->data, io, (f->flags & O_NONBLOCK) != 0);
}

static ssize_t fifo_write(struct file *f, struct io *io, uint64_t *pos)
{
    (void)pos;
    return pipe_write(f->data, io, (f->flags & O_NONBLOCK) != 0);
}

static void fifo_release(struct file *f)
{
    leave(f->node, f);
}

static const struct file_ops fifo_ops = {
    .read = fifo_read,
    .write = fifo_write,
    .poll = pipe_poll,
    .ioctl = pipe_ioctl,
    .release = fifo_release,
    .kind = "fifo",
};

/* Waits until the other end is opened, even if it is gone again by then. */
static int wait_for_other_end(struct pipe *p, const struct file *f)
{
    unsigned before;

    if ((f->flags & O_ACCMODE) == O_RDONLY) {
        before = p->writers_opened;
        if (p->writers || (f->flags & O_NONBLOCK))
            return 0;
        return wait_for(&p->read_queue, 0, NEVER, p->writers_opened != before);
    }
    if ((f->flags & O_ACCMODE) == O_WRONLY) {
        before = p->readers_opened;
        if (p->readers)
            return 0;
        if (f->flags & O_NONBLOCK)
            return -ENXIO;
        return wait_for(&p->write_queue, 0, NEVER, p->readers_opened != before);
    }
    return 0;
}

int fifo_open(struct node *node, struct file *f)
{
    struct pipe *p = node->data;
    int result;

    if (!p)
        p = node->data = pipe_new();
    if (!p)
        return -ENOMEM;
    pipe_open_end(p, f);
    result = wait_for_other_end(p, f);
    if (result < 0) {
        leave(node, f);
        return result;
    }
    f->data = p;
    f->ops = &fifo_ops;
    return 0;
}
