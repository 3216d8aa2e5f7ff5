/* io.c - a cursor over the buffers of a read or write, so that files need not know whether bytes come from
 * one user buffer, from many (readv(2)) or from the kernel itself. */
#include <linux/uio.h>

#include "file.h"
#include "memory.h"
#include "readwrite.h"

#define TRANSFER_MOST 0x7ffff000UL /* bytes in one call, as Linux cuts them off */

static const uint8_t zeros[256];
struct io_counts io_counts;

void io_init(struct io *io, void *base, size_t length, bool kernel)
{
    io->one = (struct io_vector){base, kernel ? length : min(length, TRANSFER_MOST)};
    io->vectors = &io->one;
    io->count = 1;
    io->at = 0;
    io->left = io->one.length;
    io->kernel = kernel;
}

int io_init_vectors(struct io *io, const void __user *iov, size_t count)
{
    size_t total = 0;

    _Static_assert(sizeof(struct io_vector) == sizeof(struct iovec), "one layout for both");
    if (count > UIO_MAXIOV)
        return -EINVAL;
    io->vectors = count <= array_size(io->few) ? io->few : kmalloc(count * sizeof(struct io_vector));
    io->kernel = false;
    io->at = 0;
    if (!io->vectors)
        return -ENOMEM;
    if (copy_in(io->vectors, iov, count * sizeof(struct io_vector))) {
        io_done(io);
        return -EFAULT;
    }
    for (size_t i = 0; i < count; i++) {
        if ((ssize_t)io->vectors[i].length < 0) {
            io_done(io);
            return -EINVAL;
        }
        io->vectors[i].length = min(io->vectors[i].length, TRANSFER_MOST - total);
        total += io->vectors[i].length;
    }
    io->count = count;
    io->left = total;
    /* The cursor moves `vectors`; where the heap block starts is kept in `one`. */
    io->one.base = io->vectors;
    return 0;
}

void io_done(struct io *io)
{
    if (io->vectors != &io->one && !(io->vectors >= io->few && io->vectors <= io->few + array_size(io->few)))
        kfree(io->one.base);
}

/* What of the first buffer is left, at most n bytes; empty buffers are passed over. */
static uint8_t *part(struct io *io, size_t *n)
{
    while (io->at == io->vectors->length) {
        io->vectors++;
        io->count--;
        io->at = 0;
    }
    *n = min(*n, io->vectors->length - io->at);
    return (uint8_t *)io->vectors->base + io->at;
}

static void advance(struct io *io, size_t n)
{
    io->at += n;
    io->left -= n;
}

/* copy_out() and copy_in() are all or nothing; at a fault what lies before the bad page still counts. */
static size_t copy_pieces(uint8_t *user, uint8_t *kernel, size_t n, bool out)
{
    size_t done = 0;

    while (done < n) {
        size_t piece = min(n - done, PAGE_SIZE - (uintptr_t)(user + done) % PAGE_SIZE);
        int error =
            out ? copy_out(user + done, kernel + done, piece) : copy_in(kernel + done, user + done, piece);
        if (error)
            break;
        done += piece;
    }
    return done;
}

ssize_t io_put(struct io *io, const void *from, size_t n)
{
    size_t total = 0;

    n = min(n, io->left);
    while (total < n) {
        size_t piece = n - total, done;
        uint8_t *to = part(io, &piece);
        const uint8_t *source = (const uint8_t *)from + total;
        if (io->kernel) {
            memcpy(to, source, piece);
            done = piece;
        } else if (copy_out(to, source, piece) == 0) {
            done = piece;
        } else {
            done = copy_pieces(to, (uint8_t *)source, piece, true);
        }
        advance(io, done);
        total += done;
        if (done < piece)
            return total ? (ssize_t)total : -EFAULT;
    }
    return (ssize_t)total;
}

ssize_t io_take(struct io *io, void *to, size_t n)
{
    size_t total = 0;

    n = min(n, io->left);
    while (total < n) {
        size_t piece = n - total, done;
        uint8_t *source = part(io, &piece);
        uint8_t *target = (uint8_t *)to + total;
        if (io->kernel) {
            memcpy(target, source, piece);
            done = piece;
        } else if (copy_in(target, source, piece) == 0) {
            done = piece;
        } else {
            done = copy_pieces(source, target, piece, false);
        }
        advance(io, done);
        total += done;
        if (done < piece)
            return total ? (ssize_t)total : -EFAULT;
    }
    return (ssize_t)total;
}

ssize_t io_put_zero(struct io *io, size_t n)
{
    size_t total = 0;

    n = min(n, io->left);
    while (total < n) {
        size_t piece = n - total;
        uint8_t *to = part(io, &piece);
        if (io->kernel) {
            memset(to, 0, piece);
            advance(io, piece);
            total += piece;
        } else if (clear_out(to, piece) == 0) {
            advance(io, piece);
            total += piece;
        } else {
            ssize_t done = io_put(io, zeros, min(piece, sizeof(zeros)));
            if (done <= 0)
                return total ? (ssize_t)total : -EFAULT;
            total += (size_t)done;
        }
    }
    return (ssize_t)total;
}
