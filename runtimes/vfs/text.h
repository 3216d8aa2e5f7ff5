/* text.h - files whose text is made when it is read (vfs/text.c). */
#ifndef UNIKIT_TEXT_H
#define UNIKIT_TEXT_H

#include "node.h"

typedef void (*text_show)(struct text_sink *, intptr_t argument);

/* A file that shows what show() puts; NULL: no memory. */
struct node *text_node_new(text_show show, intptr_t argument, uint32_t mode);
/* A link that is made when it is looked at. `follow` may be NULL. */
typedef ssize_t (*text_target)(intptr_t argument, char *to, size_t size);
typedef int (*text_follow)(intptr_t argument, struct node **, struct file **);
struct node *text_link_new(text_target target, text_follow follow, intptr_t argument, uint32_t mode);

#endif
