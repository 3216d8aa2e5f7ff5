/* vfs/pipe.c - pipe(7): pipe(2), pipe2(2), and the ring that fifos use too.
 *
 * A ring of 16 pages (64 KiB), as in Linux; a page is there only while bytes lie in it, so an idle pipe costs
 * next to nothing. Writes of up to PIPE_BUF bytes are atomic: they wait for room for all of it. Packet mode
 * (O_DIRECT) is not supported: pipe2 answers EINVAL.
 */
#include "pipe.h"

#include <asm/ioctls.h>
#include <asm/stat.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>
#include <linux/limits.h>
#include <linux/signal.h>

#include "memory.h"
#include "node.h"

NEEDS(fifo); /* a pipe by another way, found by a weak hook only */

enum { USUAL_PAGES = 16, MOST_PAGES = 256 }; /* fs.pipe-max-size: 1 MiB */

/* ---- the ring */

static size_t used(const struct pipe *p)
{
    return (size_t)(p->written - p->read);
}

static size_t room(const struct pipe *p)
{
    return p->room * PAGE_SIZE - used(p);
}

static void **page_of(const struct pipe *p, uint64_t at)
{
    return &p->pages[at / PAGE_SIZE % p->room];
}

/* Puts what fits; the count, or -EFAULT or -ENOMEM if nothing could be. */
static ssize_t fill(struct pipe *p, struct io *io, size_t most)
{
    ssize_t done = 0;
    while (most) {
        size_t offset = p->written % PAGE_SIZE, n = min(most, PAGE_SIZE - offset);
        void **page = page_of(p, p->written);
        ssize_t taken;
        if (!*page && !(*page = page_alloc()))
            return done ? done : -ENOMEM;
        taken = io_take(io, (char *)*page + offset, n);
        if (taken <= 0)
            return done ? done : taken;
        p->written += (uint64_t)taken;
        done += taken;
        most -= (size_t)taken;
    }
    return done;
}

static void drop_page(void **page)
{
    if (*page)
        page_put(*page);
    *page = NULL;
}

static ssize_t drain(struct pipe *p, struct io *io)
{
    ssize_t done = 0;
    while (used(p) && io->left) {
        size_t offset = p->read % PAGE_SIZE, n = min(min(used(p), io->left), PAGE_SIZE - offset);
        void **page = page_of(p, p->read);
        ssize_t put = io_put(io, (char *)*page + offset, n);
        if (put <= 0)
            return done ? done : put;
        p->read += (uint64_t)put;
        done += put;
        /* A full ring may have gone on at the start of the very page that is read to its end. */
        if (p->read % PAGE_SIZE == 0 && used(p) <= (p->room - 1) * PAGE_SIZE)
            drop_page(page);
    }
    if (used(p) == 0 && p->read % PAGE_SIZE) { /* the last page again from its start, for the next write */
        p->written -= p->read % PAGE_SIZE;
        p->read = p->written;
    }
    return done;
}

struct pipe *pipe_new(void)
{
    struct pipe *p = kzalloc(sizeof(*p));
    if (!p)
        return NULL;
    wait_queue_init(&p->read_queue);
    wait_queue_init(&p->write_queue);
    p->room = USUAL_PAGES;
    p->pages = kzalloc(USUAL_PAGES * sizeof(void *));
    if (!p->pages) {
        kfree(p);
        return NULL;
    }
    return p;
}

void pipe_free(struct pipe *p)
{
    for (unsigned i = 0; i < p->room; i++)
        drop_page(&p->pages[i]);
    kfree(p->pages);
    kfree(p);
}

static long resize(struct pipe *p, unsigned long bytes)
{
    unsigned pages = 1;
    void **ring;
    uint64_t first = p->read / PAGE_SIZE, end = (p->written + PAGE_SIZE - 1) / PAGE_SIZE;

    if (bytes > INT32_MAX)
        return -EINVAL;
    while (pages * PAGE_SIZE < bytes)
        pages *= 2;
    if (pages > MOST_PAGES)
        return -EPERM;
    if (end - first > pages)
        return -EBUSY;
    ring = kzalloc(pages * sizeof(void *));
    if (!ring)
        return -ENOMEM;
    if (end - first > p->room) { /* the last bytes share a page with the first: no more */
        void *own = page_alloc();
        if (!own) {
            kfree(ring);
            return -ENOMEM;
        }
        memcpy(own, *page_of(p, p->written - 1), PAGE_SIZE);
        ring[--end % pages] = own;
    }
    for (uint64_t i = first; i < end; i++) {
        ring[i % pages] = p->pages[i % p->room];
        p->pages[i % p->room] = NULL;
    }
    for (unsigned i = 0; i < p->room; i++)
        drop_page(&p->pages[i]);
    kfree(p->pages);
    p->pages = ring;
    p->room = pages;
    wake_all(&p->write_queue, EPOLLOUT | EPOLLWRNORM);
    return (long)(pages * PAGE_SIZE);
}

long pipe_control(struct file *f, unsigned command, unsigned long argument)
{
    struct pipe *p = f->data;
    if (f->ops->ioctl != pipe_ioctl)
        return -EBADF;
    return command == F_SETPIPE_SZ ? resize(p, argument) : (long)(p->room * PAGE_SIZE);
}

/* ---- reading and writing */

ssize_t pipe_read(struct pipe *p, struct io *io, bool nonblocking)
{
    ssize_t n;

    if (io->left == 0)
        return 0;
    if (nonblocking && !used(p) && p->writers)
        return -EAGAIN;
    n = wait_for(&p->read_queue, EPOLLIN, NEVER, used(p) || !p->writers);
    if (n < 0)
        return n;
    n = drain(p, io);
    if (n > 0)
        wake_all(&p->write_queue, EPOLLOUT | EPOLLWRNORM);
    return n;
}

static ssize_t broken(void)
{
    signal_send(current, &(struct signal_info){.number = SIGPIPE});
    return -EPIPE;
}

ssize_t pipe_write(struct pipe *p, struct io *io, bool nonblocking)
{
    size_t total = io->left;
    ssize_t result = 0;

    while (io->left) {
        size_t least = total <= PIPE_BUF ? total : 1;
        if (nonblocking && p->readers && room(p) < least) {
            result = -EAGAIN;
            break;
        }
        result = wait_for(&p->write_queue, EPOLLOUT, NEVER, room(p) >= least || !p->readers);
        if (result == 0 && !p->readers)
            result = broken();
        if (result < 0)
            break;
        result = fill(p, io, min(io->left, room(p)));
        if (result < 0)
            break;
        wake_all(&p->read_queue, EPOLLIN | EPOLLRDNORM);
    }
    return io->left == total ? result : (ssize_t)(total - io->left);
}

/* ---- files */

static bool reads(const struct file *f)
{
    return (f->flags & O_ACCMODE) != O_WRONLY;
}

static bool writes(const struct file *f)
{
    return (f->flags & O_ACCMODE) != O_RDONLY;
}

void pipe_open_end(struct pipe *p, const struct file *f)
{
    p->readers += reads(f);
    p->readers_opened += reads(f);
    p->writers += writes(f);
    p->writers_opened += writes(f);
    wake_all(&p->read_queue, 0);
    wake_all(&p->write_queue, 0);
}

void pipe_close_end(struct pipe *p, const struct file *f)
{
    p->readers -= reads(f);
    p->writers -= writes(f);
    if (!p->writers)
        wake_all(&p->read_queue, EPOLLIN | EPOLLRDNORM | EPOLLHUP);
    if (!p->readers)
        wake_all(&p->write_queue, EPOLLOUT | EPOLLWRNORM | EPOLLERR);
}

static ssize_t file_read(struct file *f, struct io *io, uint64_t *pos)
{
    (void)pos;
    return pipe_read(f->data, io, (f->flags & O_NONBLOCK) != 0);
}

static ssize_t file_write(struct file *f, struct io *io, uint64_t *pos)
{
    (void)pos;
    return pipe_write(f->data, io, (f->flags & O_NONBLOCK) != 0);
}

unsigned pipe_poll(struct file *f, struct poller *poller)
{
    struct pipe *p = f->data;
    unsigned events = 0;

    if (reads(f)) {
        poll_on(poller, &p->read_queue);
        if (used(p))
            events |= EPOLLIN | EPOLLRDNORM;
        if (!p->writers && p->writers_opened) /* a fifo that nobody has written to yet is not hung up */
            events |= EPOLLHUP;
    }
    if (writes(f)) {
        poll_on(poller, &p->write_queue);
        if (room(p) >= PIPE_BUF)
            events |= EPOLLOUT | EPOLLWRNORM;
        if (!p->readers)
            events |= EPOLLERR;
    }
    return events;
}

long pipe_ioctl(struct file *f, unsigned request, uintptr_t argument)
{
    const struct pipe *p = f->data;
    int n = (int)used(p);
    return request == FIONREAD ? copy_out((void *)argument, &n, sizeof(n)) : -ENOTTY;
}

static void file_release(struct file *f)
{
    struct pipe *p = f->data;
    pipe_close_end(p, f);
    if (!p->readers && !p->writers)
        pipe_free(p);
}

static int file_stat(struct file *f, struct stat *st)
{
    memset(st, 0, sizeof(*st));
    st->st_dev = DEVICE_NAMELESS;
    st->st_ino = f->inode;
    st->st_mode = NODE_FIFO | 0600;
    st->st_nlink = 1;
    st->st_blksize = PAGE_SIZE;
    return 0;
}

const struct file_ops pipe_ops = {
    .read = file_read,
    .write = file_write,
    .poll = pipe_poll,
    .ioctl = pipe_ioctl,
    .stat = file_stat,
    .release = file_release,
    .kind = "pipe",
};

/* ---- calls */

static long create(int __user *user, int flags)
{
    struct pipe *p;
    struct file *ends[2];

    if (flags & ~(O_CLOEXEC | O_NONBLOCK))
        return -EINVAL;
    p = pipe_new();
    if (!p)
        return -ENOMEM;
    ends[0] = file_new(&pipe_ops, O_RDONLY | (flags & O_NONBLOCK), p);
    ends[1] = ends[0] ? file_new(&pipe_ops, O_WRONLY | (flags & O_NONBLOCK), p) : NULL;
    if (!ends[1]) {
        if (ends[0]) {
            pipe_open_end(p, ends[0]);
            file_put(ends[0]); /* frees the pipe */
        } else {
            pipe_free(p);
        }
        return -ENOMEM;
    }
    pipe_open_end(p, ends[0]);
    pipe_open_end(p, ends[1]);
    ends[1]->inode = ends[0]->inode; /* one pipe, one number */
    return fd_install_pair(ends, (flags & O_CLOEXEC) != 0, user);
}

SYSCALL(pipe, int __user *fds)
{
    return create(fds, 0);
}

SYSCALL(pipe2, int __user *fds, int flags)
{
    return create(fds, flags);
}
