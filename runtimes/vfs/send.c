/* send.c - sendfile(2), copy_file_range(2), splice(2): bytes from one open file to another without user code.
 *
 * Pages of a file are handed to the other side as they lie, several at a time; what has no pages (pipes,
 * devices, text made on the fly) goes through a buffer. */
#include <asm/fcntl.h>
#include <linux/fcntl.h>
#include <linux/inotify.h>

#include "memory.h"
#include "node.h"
#include "readwrite.h"

#define PAGES_AT_ONCE 64U
#define VECTORS       8U
#define BUFFER_ORDER  4U
#define MOST          0x7ffff000UL

/* of <fcntl.h>, not among the kernel's public headers */
enum { SPLICE_F_MOVE = 1, SPLICE_F_NONBLOCK = 2, SPLICE_F_MORE = 4, SPLICE_F_GIFT = 8 };

/* Writes from `in` at *from, at most n bytes, out of its pages. */
static ssize_t send_pages(struct file *out, uint64_t *to, struct file *in, uint64_t *from, size_t n)
{
    struct io_vector vectors[VECTORS];
    void *pages[PAGES_AT_ONCE];
    size_t count = 0, held = 0, gathered = 0;
    uint64_t size = in->node->size;
    ssize_t result = 0;

    n = *from < size ? min((uint64_t)n, size - *from) : 0;
    while (gathered < n && held < PAGES_AT_ONCE) {
        uint64_t at = *from + gathered, offset = at % PAGE_SIZE;
        size_t piece = min(n - gathered, PAGE_SIZE - offset);
        int error = in->ops->page(in, at >> PAGE_SHIFT, false, &pages[held]);
        if (error) {
            result = gathered ? 0 : error;
            break;
        }
        uint8_t *start = (uint8_t *)pages[held] + offset;
        if (count && (uint8_t *)vectors[count - 1].base + vectors[count - 1].length == start) {
            vectors[count - 1].length += piece;
        } else if (count == VECTORS) {
            page_put(pages[held]);
            break;
        } else {
            vectors[count++] = (struct io_vector){start, piece};
        }
        held++;
        gathered += piece;
    }
    if (gathered) {
        struct io io = {.vectors = vectors, .count = count, .left = gathered, .kernel = true};
        result = out->ops->write(out, &io, to);
        if (result > 0)
            *from += (uint64_t)result;
    }
    while (held)
        page_put(pages[--held]);
    return result;
}

/* The same through a buffer. What was taken out of a stream cannot be put back: it is written even if that
 * means waiting on a descriptor that should not. */
static ssize_t send_copies(struct file *out, uint64_t *to, struct file *in, uint64_t *from, size_t n)
{
    void *buffer = pages_alloc(BUFFER_ORDER);
    size_t size = PAGE_SIZE << BUFFER_ORDER;
    ssize_t taken, given = 0;
    struct io io;

    if (!buffer)
        return -ENOMEM;
    io_init(&io, buffer, min(n, size), true);
    uint64_t start = from ? *from : 0;
    taken = in->ops->read(in, &io, from);
    while (given < taken) {
        io_init(&io, (uint8_t *)buffer + given, (size_t)(taken - given), true);
        int flags = out->flags;
        if (!from && given)
            out->flags &= ~O_NONBLOCK;
        ssize_t moved = out->ops->write(out, &io, to);
        out->flags = flags;
        if (moved == -EAGAIN && !from && !given) {
            out->flags &= ~O_NONBLOCK;
            io_init(&io, buffer, (size_t)taken, true);
            moved = out->ops->write(out, &io, to);
            out->flags = flags;
        }
        if (moved <= 0) {
            given = given ? given : moved;
            break;
        }
        given += moved;
        if (from)
            break;
    }
    if (from && given >= 0)
        *from = start + (uint64_t)given;
    pages_free(buffer, BUFFER_ORDER);
    return taken <= 0 ? taken : given;
}

static ssize_t transfer(struct file *out, uint64_t *to, struct file *in, uint64_t *from, size_t n)
{
    bool pages = in->ops->page && in->node && node_type(in->node) == NODE_REGULAR && in->node->size && from;
    ssize_t total = 0, moved = 0;

    n = min(n, MOST);
    while ((size_t)total < n) {
        moved = pages ? send_pages(out, to, in, from, n - (size_t)total)
                      : send_copies(out, to, in, from, n - (size_t)total);
        if (moved <= 0)
            break;
        total += moved;
        if (!from)
            break; /* a stream gave what it had */
    }
    if (total && out->node && watch_notify_file)
        watch_notify_file(out, IN_MODIFY);
    return total ? total : moved;
}

/* Where to read or write: the caller's offset, or the file's own position. */
static long place(struct file *f, int64_t *given, uint64_t **position)
{
    if (!given) {
        *position = file_position(f);
        return 0;
    }
    if (!f->ops->seek)
        return -ESPIPE;
    if (*given < 0)
        return -EINVAL;
    *position = (uint64_t *)given;
    return 0;
}

static long both(int out_fd, int in_fd, struct file **out, struct file **in)
{
    *in = fd_get(in_fd);
    *out = fd_get(out_fd);
    if (*in && *out && file_readable(*in) && file_writable(*out))
        return 0;
    if (*in)
        file_put(*in);
    if (*out)
        file_put(*out);
    return -EBADF;
}

SYSCALL(sendfile, int out_fd, int in_fd, int64_t __user *user_offset, size_t n)
{
    struct file *in, *out;
    uint64_t *from;
    int64_t offset;

    if (user_offset && get_user(offset, user_offset))
        return -EFAULT;
    long result = both(out_fd, in_fd, &out, &in);
    if (result)
        return result;
    if (!in->ops->seek && !user_offset)
        result = -EINVAL; /* streams: splice() */
    else
        result = place(in, user_offset ? &offset : NULL, &from);
    if (!result && (!in->ops->read || !out->ops->write || out->flags & O_APPEND))
        result = -EINVAL;
    if (!result)
        result = transfer(out, file_position(out), in, from, n);
    file_put(in);
    file_put(out);
    if (user_offset && result > 0 && put_user(user_offset, offset))
        return -EFAULT;
    return result;
}

static bool is_regular(const struct file *f)
{
    return f->node && node_type(f->node) == NODE_REGULAR;
}

SYSCALL(copy_file_range, int in_fd, int64_t __user *user_in, int out_fd, int64_t __user *user_out, size_t n,
        unsigned flags)
{
    struct file *in, *out;
    int64_t in_offset, out_offset;
    uint64_t *from = NULL, *to = NULL;

    if (flags)
        return -EINVAL;
    if ((user_in && get_user(in_offset, user_in)) || (user_out && get_user(out_offset, user_out)))
        return -EFAULT;
    long result = both(out_fd, in_fd, &out, &in);
    if (result)
        return result;
    if ((in->node && node_is_directory(in->node)) || (out->node && node_is_directory(out->node)))
        result = -EISDIR;
    else if (!is_regular(in) || !is_regular(out) || !in->ops->read || !out->ops->write)
        result = -EINVAL;
    else if (out->flags & O_APPEND)
        result = -EBADF;
    if (!result)
        result = place(in, user_in ? &in_offset : NULL, &from);
    if (!result)
        result = place(out, user_out ? &out_offset : NULL, &to);
    if (!result && in->node == out->node) {
        uint64_t length = min((uint64_t)n, in->node->size - min(in->node->size, *from));
        if (*from < *to + length && *to < *from + length)
            result = -EINVAL; /* they overlap */
    }
    if (!result)
        result = transfer(out, to, in, from, n);
    file_put(in);
    file_put(out);
    if (result > 0 &&
        ((user_in && put_user(user_in, in_offset)) || (user_out && put_user(user_out, out_offset))))
        return -EFAULT;
    return result;
}

static bool is_pipe(const struct file *f)
{
    return f->ops->kind && (strcmp(f->ops->kind, "pipe") == 0 || strcmp(f->ops->kind, "fifo") == 0);
}

SYSCALL(splice, int in_fd, int64_t __user *user_in, int out_fd, int64_t __user *user_out, size_t n,
        unsigned flags)
{
    struct file *in, *out;
    int64_t in_offset, out_offset;
    uint64_t *from = NULL, *to = NULL;

    if (flags & ~(SPLICE_F_MOVE | SPLICE_F_NONBLOCK | SPLICE_F_MORE | SPLICE_F_GIFT))
        return -EINVAL;
    if ((user_in && get_user(in_offset, user_in)) || (user_out && get_user(out_offset, user_out)))
        return -EFAULT;
    long result = both(out_fd, in_fd, &out, &in);
    if (result)
        return result;
    bool possible =
        (is_pipe(in) || is_pipe(out)) && in->ops->read && out->ops->write && !(out->flags & O_APPEND);
    if ((is_pipe(in) && user_in) || (is_pipe(out) && user_out))
        result = -ESPIPE;
    else if (!possible)
        result = -EINVAL;
    if (!result)
        result = place(in, user_in ? &in_offset : NULL, &from);
    if (!result)
        result = place(out, user_out ? &out_offset : NULL, &to);
    if (!result) {
        int in_flags = in->flags, out_flags = out->flags;
        if (flags & SPLICE_F_NONBLOCK) { /* concerns the pipe */
            in->flags |= is_pipe(in) ? O_NONBLOCK : 0;
            out->flags |= is_pipe(out) ? O_NONBLOCK : 0;
        }
        result = transfer(out, to, in, from, n);
        in->flags = in_flags;
        out->flags = out_flags;
    }
    file_put(in);
    file_put(out);
    if (result > 0 &&
        ((user_in && put_user(user_in, in_offset)) || (user_out && put_user(user_out, out_offset))))
        return -EFAULT;
    return result;
}
