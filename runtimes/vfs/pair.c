/* pair.c - descriptors for two files that are made together (pipe(2), socketpair(2)). */
#include "file.h"
#include "memory.h"

int fd_install_pair(struct file *const pair[2], bool close_on_exec, int __user *user)
{
    int fds[2];

    fds[0] = fd_install(pair[0], 0, close_on_exec);
    if (fds[0] < 0) {
        file_put(pair[1]);
        return fds[0];
    }
    fds[1] = fd_install(pair[1], 0, close_on_exec);
    if (fds[1] < 0) {
        fd_close(fds[0]);
        return fds[1];
    }
    if (copy_out(user, fds, sizeof(fds)) < 0) {
        fd_close(fds[0]);
        fd_close(fds[1]);
        return -EFAULT;
    }
    return 0;
}
