/* fcntl.c - fcntl(2): descriptors and their flags here; locks, pipes and seals where they live, through
 * hooks. */
#include <asm/fcntl.h>
#include <linux/fcntl.h>

#include "descriptors.h"
#include "memory.h"
#include "node.h"
#include "seals.h"

/* Flags that F_SETFL may change. */
#define CHANGEABLE (O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME | FASYNC)

/* vfs/locks.c: F_GETLK, F_SETLK, F_SETLKW and their F_OFD_ kin. */
long locks_fcntl(struct file *, int command, void __user *lock) WEAK;

static long signals_of(struct file *f, int command, unsigned long argument)
{
    /* SIGIO is never sent: the owner can only be asked about. */
    (void)f, (void)argument;
    switch (command) {
    case F_GETOWN:
    case F_GETSIG:
        return 0;
    default:
        return -EINVAL;
    }
}

SYSCALL(fcntl, int fd, int command, unsigned long argument)
{
    struct file *f = fd_get(fd);
    long result = -EINVAL;

    if (!f)
        return -EBADF;
    if (f->flags & O_PATH && command != F_DUPFD && command != F_DUPFD_CLOEXEC && command != F_GETFD &&
        command != F_SETFD && command != F_GETFL) {
        file_put(f);
        return -EBADF;
    }
    switch (command) {
    case F_DUPFD:
    case F_DUPFD_CLOEXEC:
        if (argument >= fd_limit())
            break;
        return fd_install(f, (int)argument, command == F_DUPFD_CLOEXEC);
    case F_GETFD:
        result = fd_cloexec(fd);
        break;
    case F_SETFD:
        result = fd_set_cloexec(fd, argument & FD_CLOEXEC);
        break;
    case F_GETFL:
        result = f->flags | O_LARGEFILE;
        break;
    case F_SETFL:
        f->flags = (f->flags & ~CHANGEABLE) | ((int)argument & CHANGEABLE);
        result = 0;
        break;
    case F_GETLK:
    case F_SETLK:
    case F_SETLKW:
    case F_OFD_GETLK:
    case F_OFD_SETLK:
    case F_OFD_SETLKW:
        if (locks_fcntl)
            result = locks_fcntl(f, command, (void *)argument);
        break;
    case F_GETPIPE_SZ:
    case F_SETPIPE_SZ:
        result = pipe_control ? pipe_control(f, (unsigned)command, argument) : -EBADF;
        break;
    case F_ADD_SEALS:
    case F_GET_SEALS:
        if (seals_fcntl)
            result = seals_fcntl(f, command, (unsigned)argument);
        break;
    case F_GETOWN:
    case F_SETOWN:
    case F_GETSIG:
    case F_SETSIG:
        result = signals_of(f, command, argument);
        break;
    case F_GETLEASE:
        result = F_UNLCK;
        break;
    default:
        break;
    }
    file_put(f);
    return result;
}
