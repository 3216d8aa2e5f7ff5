/* memory_devices.c - null(4), zero(4), full(4), random(4), urandom(4). */
#include "entropy.h"
#include "memory.h"
#include "node.h"

#define MAJOR_MEMORY 1

static ssize_t null_read(struct file *file, struct io *io, uint64_t *pos)
{
    (void)file, (void)io, (void)pos;
    return 0;
}

/* Takes everything, looks at nothing. */
static ssize_t null_write(struct file *file, struct io *io, uint64_t *pos)
{
    (void)file, (void)pos;
    ssize_t n = (ssize_t)io->left;
    io->left = 0;
    return n;
}

static ssize_t zero_read(struct file *file, struct io *io, uint64_t *pos)
{
    (void)file, (void)pos;
    return io_put_zero(io, io->left);
}

static ssize_t full_write(struct file *file, struct io *io, uint64_t *pos)
{
    (void)file, (void)pos;
    return io->left ? -ENOSPC : 0;
}

static ssize_t random_read(struct file *file, struct io *io, uint64_t *pos)
{
    uint8_t bytes[256];
    ssize_t total = 0;

    (void)file, (void)pos;
    while (io->left) {
        size_t n = min(io->left, sizeof(bytes));
        random_bytes(bytes, n);
        ssize_t moved = io_put(io, bytes, n);
        if (moved <= 0)
            return total ? total : moved;
        total += moved;
    }
    memset(bytes, 0, sizeof(bytes));
    return total;
}

/* What is written is stirred in, but counts for nothing: anybody may write. */
static ssize_t random_write(struct file *file, struct io *io, uint64_t *pos)
{
    uint8_t bytes[256];
    ssize_t total = 0;

    (void)file, (void)pos;
    while (io->left) {
        ssize_t moved = io_take(io, bytes, sizeof(bytes));
        if (moved <= 0)
            return total ? total : moved;
        entropy_add(bytes, (size_t)moved, 0);
        total += moved;
    }
    return total;
}

static int64_t seek(struct file *file, int64_t offset, int whence)
{
    (void)file, (void)offset;
    return whence >= 0 && whence <= 2 ? 0 : -EINVAL;
}

/* A mapping of /dev/zero is memory of its own; a shared one is shared by the descriptors' mappings only. */
static int zero_page(struct file *file, uint64_t index, bool write, void **page)
{
    (void)file, (void)index, (void)write;
    *page = page_alloc_zero();
    return *page ? 0 : -ENOMEM;
}

static const struct file_ops null_ops = {
    .read = null_read, .write = null_write, .seek = seek, .kind = "null"};
static const struct file_ops zero_ops = {
    .read = zero_read, .write = null_write, .seek = seek, .page = zero_page, .kind = "zero"};
static const struct file_ops full_ops = {
    .read = zero_read, .write = full_write, .seek = seek, .kind = "full"};
static const struct file_ops random_ops = {
    .read = random_read, .write = random_write, .seek = seek, .kind = "random"};

DEVICE(null) = {.name = "null", .major = MAJOR_MEMORY, .minor = 3, .mode = 0666, .ops = &null_ops};
DEVICE(zero) = {.name = "zero", .major = MAJOR_MEMORY, .minor = 5, .mode = 0666, .ops = &zero_ops};
DEVICE(full) = {.name = "full", .major = MAJOR_MEMORY, .minor = 7, .mode = 0666, .ops = &full_ops};
DEVICE(random) = {.name = "random", .major = MAJOR_MEMORY, .minor = 8, .mode = 0666, .ops = &random_ops};
DEVICE(urandom) = {.name = "urandom", .major = MAJOR_MEMORY, .minor = 9, .mode = 0666, .ops = &random_ops};
