/* getdents.c - getdents64(2), and getdents(2) by rearranging its records. */
#include <asm/fcntl.h>

#include "memory.h"
#include "node.h"

static long list(int fd, struct io *io)
{
    struct file *f = fd_get(fd);
    long n = -EBADF;

    if (!f)
        return n;
    if (!(f->flags & O_PATH))
        n = f->ops->getdents ? f->ops->getdents(f, io) : -ENOTDIR;
    file_put(f);
    return n;
}

SYSCALL(getdents64, int fd, void __user *to, unsigned size)
{
    struct io io;

    io_init(&io, to, size, false);
    return list(fd, &io);
}

/* Both records are number, offset (8 bytes each), length (2), then: type, name here; name, ..., type in the
 * last byte there. They are equally long. */
SYSCALL(getdents, int fd, void __user *to, unsigned size)
{
    struct io io;

    size = min(size, 32768U);
    uint8_t *records = kmalloc(size + 1);
    if (!records)
        return -ENOMEM;
    io_init(&io, records, size, true);
    long n = list(fd, &io);
    for (long at = 0; at < n;) {
        uint8_t *record = records + at, type = record[18];
        uint16_t length;
        memcpy(&length, record + 16, sizeof(length));
        memmove(record + 18, record + 19, length - 19U);
        record[length - 1] = type;
        at += length;
    }
    if (n > 0 && copy_out(to, records, (size_t)n))
        n = -EFAULT;
    kfree(records);
    return n;
}
