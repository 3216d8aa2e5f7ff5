/* kernel_file.c - whole files, read and written by the kernel itself (configuration, resolv.conf). */
#include <asm/fcntl.h>

#include "memory.h"
#include "node.h"
#include "tree.h"

int kernel_read_file(const char *path, char **data, size_t *length)
{
    struct file *f;
    size_t room = 4096, used = 0;
    int error = kernel_open(path, O_RDONLY, 0, &f);

    if (error)
        return error;
    if (f->node && f->node->size)
        room = f->node->size + 1;
    char *text = kmalloc(room);
    error = text ? 0 : -ENOMEM;
    if (!f->ops->read)
        error = -EINVAL;
    while (!error) {
        struct io io;
        if (used + 1 >= room) {
            char *more = krealloc(text, room * 2);
            if (!more) {
                error = -ENOMEM;
                break;
            }
            text = more;
            room *= 2;
        }
        io_init(&io, text + used, room - used - 1, true);
        ssize_t n = f->ops->read(f, &io, f->ops->seek ? &f->pos : NULL);
        if (n < 0)
            error = (int)n;
        if (n <= 0)
            break;
        used += (size_t)n;
    }
    file_put(f);
    if (error) {
        kfree(text);
        return error;
    }
    text[used] = 0;
    *data = text;
    *length = used;
    return 0;
}

int kernel_write_file(const char *path, const char *data, size_t length)
{
    struct file *f;
    struct io io;
    int error = kernel_open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644, &f);

    if (error)
        return error;
    io_init(&io, (void *)data, length, true);
    while (io.left && !error) {
        ssize_t n = f->ops->write ? f->ops->write(f, &io, f->ops->seek ? &f->pos : NULL) : -EINVAL;
        if (n <= 0)
            error = n ? (int)n : -EIO;
    }
    file_put(f);
    return error;
}

static struct late_file *late_files;

void late_file_add(struct late_file *f, const char *path)
{
    if (path_find(path, true, &f->node) != 0)
        return;
    f->next = late_files;
    late_files = f;
}

void late_file_open(const struct node *n)
{
    for (struct late_file *f = late_files; f; f = f->next) {
        if (f->node == n && f->stale) {
            f->stale = false; /* first: writing opens it as well */
            f->write();
        }
    }
}
