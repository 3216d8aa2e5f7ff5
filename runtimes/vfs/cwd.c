/* cwd.c - getcwd(2), chdir(2), fchdir(2), chroot(2), umask(2): where the process stands in the tree. */
#include <linux/fcntl.h>

#include "config.h"
#include "descriptors.h"
#include "exec.h"
#include "memory.h"
#include "path.h"

static int move(struct node **place, struct node *n)
{
    if (!n || !node_is_directory(n))
        return -ENOTDIR;
    node_get(n);
    node_put(*place);
    *place = n;
    return 0;
}

/* Where the program starts, if the configuration says so and it is there. A weak reference: on the host there
 * is no configuration. */
extern const char *config_get(const char *key) WEAK;

void program_folder(void)
{
    const char *path = config_get ? config_get("cwd") : NULL;
    struct walk w;

    if (!path || walk(&w, path_root, path, WALK_FOLLOW))
        return;
    if (move(&path_cwd, w.node))
        log_line("the working directory %s is no directory", path);
    walk_done(&w);
}

INIT(services)
{
    program_folder();
}

static long move_to(struct node **place, const char __user *path)
{
    struct walk w;
    int error = walk_at(&w, AT_FDCWD, path, WALK_FOLLOW);

    if (error)
        return error;
    error = move(place, w.node);
    walk_done(&w);
    return error;
}

SYSCALL(getcwd, char __user *to, size_t size)
{
    static char text[PATH_LONGEST];
    ssize_t n = path_of(path_cwd, NULL, 0, text, sizeof(text));

    if (n < 0)
        return n;
    if ((size_t)n + 1 > size)
        return -ERANGE;
    return copy_out(to, text, (size_t)n + 1) ? -EFAULT : n + 1;
}

SYSCALL(chdir, const char __user *path)
{
    return move_to(&path_cwd, path);
}

SYSCALL(fchdir, int fd)
{
    struct file *f = fd_peek(fd);
    return f ? move(&path_cwd, f->node) : -EBADF;
}

SYSCALL(chroot, const char __user *path)
{
    return move_to(&path_root, path);
}

SYSCALL(umask, uint32_t mask)
{
    uint32_t old = path_umask;
    path_umask = mask & 0777;
    return old;
}
