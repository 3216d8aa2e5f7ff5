/* readwrite.h - checks that the calls which move bytes share. */
#ifndef UNIKIT_READWRITE_H
#define UNIKIT_READWRITE_H

#include <asm/fcntl.h>

#include "file.h"

/* What the process moved through calls so far, for /proc/self/io. (vfs/io.c) */
struct io_counts {
    uint64_t read_bytes, written_bytes, reads, writes;
};
extern struct io_counts io_counts;

static inline bool file_readable(const struct file *f)
{
    return (f->flags & O_ACCMODE) != O_WRONLY && !(f->flags & O_PATH);
}
static inline bool file_writable(const struct file *f)
{
    return (f->flags & O_ACCMODE) != O_RDONLY && !(f->flags & O_PATH);
}
/* Files that cannot seek are streams: they have no position. */
static inline uint64_t *file_position(struct file *f)
{
    return f->ops->seek ? &f->pos : NULL;
}

#endif
