/* proc.h - between the parts of /proc (vfs/proc.c, proc_fd.c, proc_task.c ...). */
#ifndef UNIKIT_PROC_H
#define UNIKIT_PROC_H

#include "text.h"
#include "tree.h"

/* A directory whose names are computed; its node is a tree node, so that fixed names can be added as well. */
struct proc_directory_record {
    const char *path;
    const struct node_ops *ops;
};
TABLE(unikit_proc_directories, struct proc_directory_record);
#define PROC_DIRECTORY(symbol)                                                                               \
    TABLE_RECORD(unikit_proc_directories, struct proc_directory_record, proc_directory_##symbol)

/* A link whose target is computed. */
struct proc_link_record {
    const char *path;
    text_target target;
    text_follow follow;
};
TABLE(unikit_proc_links, struct proc_link_record);
#define PROC_LINK(symbol) TABLE_RECORD(unikit_proc_links, struct proc_link_record, proc_link_##symbol)

/* A decimal number without sign and leading zeros; -1: it is none. */
long proc_number(const char *name, size_t length);
/* Lists ".", ".." and then numbers: next(n) is the least number above n, or -1. */
int proc_list_numbers(struct file *, struct io *, unsigned type, long (*next)(long above));
/* Text into a link's buffer; its length. */
ssize_t proc_copy(char *to, size_t size, const char *text, size_t length);

#endif
