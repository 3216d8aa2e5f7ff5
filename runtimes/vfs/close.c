/* close.c - close(2), close_range(2). */
#include <linux/close_range.h>

#include "descriptors.h"

SYSCALL(close, int fd)
{
    return fd_close(fd);
}

SYSCALL(close_range, unsigned first, unsigned last, unsigned flags)
{
    if (flags & ~(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC) || first > last)
        return -EINVAL;
    fd_close_range(first, last, flags & CLOSE_RANGE_CLOEXEC);
    return 0;
}
