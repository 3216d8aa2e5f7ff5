/* dup.c - dup(2), dup2(2), dup3(2). */
#include <asm/fcntl.h>

#include "descriptors.h"

static long replace(int from, int to, bool cloexec)
{
    struct file *f = fd_get(from);

    if (!f)
        return -EBADF;
    int error = fd_replace(to, f, cloexec);
    return error ? error : to;
}

SYSCALL(dup, int fd)
{
    struct file *f = fd_get(fd);
    return f ? fd_install(f, 0, false) : -EBADF;
}

SYSCALL(dup2, int from, int to)
{
    if (from == to)
        return fd_peek(from) ? to : -EBADF;
    return replace(from, to, false);
}

SYSCALL(dup3, int from, int to, int flags)
{
    if (flags & ~O_CLOEXEC || from == to)
        return -EINVAL;
    return replace(from, to, flags & O_CLOEXEC);
}
