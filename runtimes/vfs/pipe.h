/* pipe.h - the ring behind a pipe or a fifo. (vfs/pipe.c) */
#ifndef UNIKIT_PIPE_H
#define UNIKIT_PIPE_H

#include "file.h"

struct pipe {
    struct wait_queue read_queue, write_queue;
    unsigned readers, writers;               /* open ends */
    unsigned readers_opened, writers_opened; /* ever, for open(2) of a fifo */
    /* Bytes [read, written) lie in the ring of `room` pages at their counter modulo its size; pages without a
     * byte are given back. */
    uint64_t read, written;
    unsigned room;
    void **pages;
};

struct pipe *pipe_new(void); /* NULL: no memory */
void pipe_free(struct pipe *);
extern const struct file_ops pipe_ops; /* file->data is the pipe */
/* An end is opened or gone, as file->flags say. */
void pipe_open_end(struct pipe *, const struct file *);
void pipe_close_end(struct pipe *, const struct file *);
ssize_t pipe_read(struct pipe *, struct io *, bool nonblocking);
ssize_t pipe_write(struct pipe *, struct io *, bool nonblocking);
unsigned pipe_poll(struct file *, struct poller *);
long pipe_ioctl(struct file *, unsigned request, uintptr_t argument);

#endif
