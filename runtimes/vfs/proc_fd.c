/* proc_fd.c - /proc/self/fd and /proc/self/fdinfo: what the descriptors refer to (proc(5)). */
#include <asm/fcntl.h>

#include "descriptors.h"
#include "memory.h"
#include "proc.h"

/* The name of an open file as Linux would show it. */
static ssize_t name_of(struct file *f, char *to, size_t size)
{
    static char text[PATH_LONGEST];
    int n;

    if (f->node && node_is_directory(f->node)) {
        ssize_t length = path_of(f->node, NULL, 0, text, sizeof(text));
        if (length >= 0)
            return proc_copy(to, size, text, (size_t)length);
    }
    if (f->path) {
        n = snprintf(text, sizeof(text), "%s%s", f->path, f->node && !f->node->links ? " (deleted)" : "");
    } else {
        const char *kind = f->ops->kind ? f->ops->kind : "file";
        if (!f->inode)
            f->inode = node_number();
        if (strcmp(kind, "socket") == 0 || strcmp(kind, "pipe") == 0)
            n = snprintf(text, sizeof(text), "%s:[%lu]", kind, f->inode);
        else if (f->node)
            n = snprintf(text, sizeof(text), "/ (deleted)");
        else
            n = snprintf(text, sizeof(text), "anon_inode:[%s]", kind);
    }
    return proc_copy(to, size, text, min((size_t)n, sizeof(text) - 1));
}

static ssize_t fd_target(intptr_t fd, char *to, size_t size)
{
    struct file *f = fd_peek((int)fd);
    return f ? name_of(f, to, size) : -ENOENT;
}

static int fd_follow(intptr_t fd, struct node **node, struct file **file)
{
    struct file *f = fd_peek((int)fd);

    if (!f)
        return -ENOENT;
    if (f->node)
        *node = node_get(f->node);
    else
        *file = file_get(f);
    return 0;
}

static void show_info(struct text_sink *sink, intptr_t fd)
{
    struct file *f = fd_peek((int)fd);

    if (!f)
        return;
    text_put(sink, "pos:\t%lu\nflags:\t0%o\nmnt_id:\t%u\nino:\t%lu\n", f->pos,
             (unsigned)(f->flags | (fd_cloexec((int)fd) > 0 ? O_CLOEXEC : 0)),
             f->node ? f->node->device : DEVICE_NAMELESS, f->node ? f->node->number : f->inode);
}

static int lookup(const char *name, size_t length, struct node **out, bool info)
{
    long fd = proc_number(name, length);
    const struct file *f = fd < 0 ? NULL : fd_peek((int)fd);

    if (!f)
        return -ENOENT;
    if (info) {
        *out = text_node_new(show_info, fd, 0400);
    } else {
        unsigned access = f->flags & O_ACCMODE;
        uint32_t mode = (access != O_WRONLY ? 0500U : 0) | (access != O_RDONLY ? 0300U : 0);
        *out = text_link_new(fd_target, fd_follow, fd, mode);
    }
    if (!*out)
        return -ENOMEM;
    (*out)->device = DEVICE_PROC;
    (*out)->size = info ? 0 : 64;
    return 0;
}

static int fd_lookup(struct node *directory, const char *name, size_t length, struct node **out)
{
    (void)directory;
    return lookup(name, length, out, false);
}

static int info_lookup(struct node *directory, const char *name, size_t length, struct node **out)
{
    (void)directory;
    return lookup(name, length, out, true);
}

static long next(long above)
{
    return fd_next((int)max(above + 1, 0L));
}

static int fd_getdents(struct file *file, struct io *io)
{
    return proc_list_numbers(file, io, 10, next);
}

static int info_getdents(struct file *file, struct io *io)
{
    return proc_list_numbers(file, io, 8, next);
}

static const struct file_ops fd_file_ops = {
    .seek = file_seek_plain, .getdents = fd_getdents, .kind = "directory"};
static const struct file_ops info_file_ops = {
    .seek = file_seek_plain, .getdents = info_getdents, .kind = "directory"};

static int fd_open(struct node *n, struct file *file)
{
    (void)n;
    file->ops = &fd_file_ops;
    return 0;
}

static int info_open(struct node *n, struct file *file)
{
    (void)n;
    file->ops = &info_file_ops;
    return 0;
}

static const struct node_ops fd_ops = {.lookup = fd_lookup, .open = fd_open, .release = tree_release};
static const struct node_ops info_ops = {.lookup = info_lookup, .open = info_open, .release = tree_release};

PROC_DIRECTORY(fd) = {"/proc/self/fd", &fd_ops};
PROC_DIRECTORY(fdinfo) = {"/proc/self/fdinfo", &info_ops};
