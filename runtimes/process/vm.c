/* process/vm.c - process_vm_readv(2), process_vm_writev(2): copies between two places in memory that may be
 * missing.
 *
 * There is one process, so both sides are its own memory. Unwinders and debuggers use this to look at
 * addresses that they do not trust: what is not mapped ends the copy instead of the program.
 */
#include "memory.h"
#include "process.h"

#include <linux/uio.h>

#define MOST_VECTORS 1024 /* UIO_MAXIOV */

/* A place in a user array of vectors. */
struct cursor {
    const struct iovec __user *next;
    unsigned long left;
    struct iovec now;
};

/* Makes `now` the next part that is not empty. 1: there is one; 0: the end; -EFAULT. */
static int advance(struct cursor *c)
{
    while (!c->now.iov_len) {
        if (!c->left)
            return 0;
        if (copy_in(&c->now, c->next, sizeof(c->now)))
            return -EFAULT;
        c->next++, c->left--;
    }
    return 1;
}

static void take(struct cursor *c, size_t n)
{
    c->now.iov_base = (char *)c->now.iov_base + n;
    c->now.iov_len -= n;
}

/* Bytes copied before the first that could not be, or why not even one. */
static long transfer(struct cursor to, struct cursor from)
{
    uint8_t buffer[512];
    long copied = 0;
    int more_to, more_from;

    while ((more_to = advance(&to)) > 0 && (more_from = advance(&from)) > 0) {
        size_t to_page_end = PAGE_SIZE - (uintptr_t)from.now.iov_base % PAGE_SIZE;
        size_t n = min(min(to.now.iov_len, from.now.iov_len), min(sizeof(buffer), to_page_end));
        if (copy_in(buffer, from.now.iov_base, n) || copy_out(to.now.iov_base, buffer, n))
            return copied ? copied : -EFAULT;
        take(&to, n), take(&from, n);
        copied += (long)n;
    }
    return copied || (more_to >= 0 && (more_to == 0 || more_from >= 0)) ? copied : -EFAULT;
}

static int check(int pid, unsigned long locals, unsigned long remotes, unsigned long flags)
{
    if (flags || locals > MOST_VECTORS || remotes > MOST_VECTORS)
        return -EINVAL;
    return pid == process_id ? 0 : -ESRCH;
}

SYSCALL(process_vm_readv, int pid, const struct iovec __user *local, unsigned long locals,
        const struct iovec __user *remote, unsigned long remotes, unsigned long flags)
{
    int error = check(pid, locals, remotes, flags);
    return error ? error
                 : transfer((struct cursor){local, locals, {0}}, (struct cursor){remote, remotes, {0}});
}

SYSCALL(process_vm_writev, int pid, const struct iovec __user *local, unsigned long locals,
        const struct iovec __user *remote, unsigned long remotes, unsigned long flags)
{
    int error = check(pid, locals, remotes, flags);
    return error ? error
                 : transfer((struct cursor){remote, remotes, {0}}, (struct cursor){local, locals, {0}});
}
