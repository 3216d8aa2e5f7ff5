/* ioctl.c - ioctl(2): what concerns every descriptor here, the rest to the file. */
#include <asm/fcntl.h>
#include <asm/ioctls.h>

#include "descriptors.h"
#include "memory.h"
#include "node.h"

SYSCALL(ioctl, int fd, unsigned request, uintptr_t argument)
{
    struct file *f = fd_get(fd);
    long result = -ENOTTY;
    int on;

    if (!f)
        return -EBADF;
    switch (f->flags & O_PATH ? 0 : request) {
    case FIOCLEX:
    case FIONCLEX:
        result = fd_set_cloexec(fd, request == FIOCLEX);
        break;
    case FIONBIO:
        result = get_user(on, (const int *)argument);
        if (!result) {
            f->flags = on ? f->flags | O_NONBLOCK : f->flags & ~O_NONBLOCK;
            if (f->ops->ioctl) /* who keeps a copy of the flag hears of it */
                f->ops->ioctl(f, request, argument);
        }
        break;
    case FIONREAD:
        if (f->node && node_type(f->node) == NODE_REGULAR && !f->ops->ioctl) {
            int left = (int)min((int64_t)f->node->size - (int64_t)f->pos, (int64_t)INT32_MAX);
            result = put_user((int *)argument, max(left, 0));
            break;
        }
        /* fall through */
    default:
        if (f->flags & O_PATH)
            result = -EBADF;
        else if (f->ops->ioctl)
            result = f->ops->ioctl(f, request, argument);
        break;
    }
    file_put(f);
    return result;
}
