/* descriptors.h - what the calls on descriptors share (vfs/descriptors.c). */
#ifndef UNIKIT_DESCRIPTORS_H
#define UNIKIT_DESCRIPTORS_H

#include "file.h"

#define DESCRIPTORS_MOST 1048576U /* as Linux's fs.nr_open */

/* The file behind fd, no reference taken: good until the next wait. NULL: EBADF. */
struct file *fd_peek(int fd);
/* Makes `fd` refer to the file, closing what was there; takes over the reference. 0 or -errno. */
int fd_replace(int fd, struct file *, bool cloexec);
int fd_cloexec(int fd); /* 0, 1 or -EBADF */
int fd_set_cloexec(int fd, bool on);
/* The lowest descriptor in use from `from` on; -1: none. */
int fd_next(int from);
/* Closes the descriptors first..last (or marks them close-on-exec). */
void fd_close_range(unsigned first, unsigned last, bool only_mark);
/* The number of slots there are now (FDSize in /proc/self/status), and how many are in use. */
unsigned fd_room(void);
unsigned fd_count(void);

/* RLIMIT_NOFILE's soft limit: new descriptors stay below it. */
unsigned fd_limit(void);

#endif
