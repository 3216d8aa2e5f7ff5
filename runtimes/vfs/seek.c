/* seek.c - lseek(2). */
#include <asm/fcntl.h>

#include "descriptors.h"

SYSCALL(lseek, int fd, int64_t offset, int whence)
{
    struct file *f = fd_peek(fd);

    if (!f || f->flags & O_PATH)
        return -EBADF;
    return f->ops->seek ? f->ops->seek(f, offset, whence) : -ESPIPE;
}
