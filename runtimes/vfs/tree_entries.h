/* tree_entries.h - between the files that make up the tree (vfs/tree*.c). */
#ifndef UNIKIT_TREE_ENTRIES_H
#define UNIKIT_TREE_ENTRIES_H

#include "names.h"

/* ---- tree.c */
/* The node is no longer what the image says: it stays until its last name goes. */
void tree_keep(struct tree_node *);
/* The entry leads to the node, whose directory it is in now. */
void tree_attach(struct entry *, struct node *);

/* ---- tree_entries.c */
/* The entry of a name that is there, with its node in memory. 0 or -errno. */
int tree_entry_of(struct tree_node *, const char *name, size_t length, struct entry **);
/* A name that is not there now comes to lead to the node; takes over the caller's reference on success. 0 or
 * -ENOMEM. */
int tree_insert(struct tree_node *, const char *name, size_t length, struct node *);
/* The name goes; what it led to is the caller's to put. */
struct node *tree_take(struct tree_node *, struct entry *);
/* Its names changed: times, and it is kept. */
void tree_changed(struct tree_node *);
bool tree_is_empty(struct tree_node *);
/* Is the directory still somewhere in the tree? Nothing new goes into one that was removed. */
bool tree_alive(const struct node *directory);
/* A node lost a name, or a directory its place. Puts the node. */
void tree_unlinked(struct node *);

/* ---- tree_change.c: of node_ops */
int tree_create(struct node *directory, const char *name, size_t length, uint32_t mode, uint32_t rdev,
                struct node **);
int tree_symlink_at(struct node *directory, const char *name, size_t length, const char *target,
                    struct node **);
int tree_link(struct node *directory, const char *name, size_t length, struct node *target);
int tree_unlink(struct node *directory, const char *name, size_t length, bool is_directory);
int tree_rename(struct node *from, const char *name, size_t length, struct node *to, const char *to_name,
                size_t to_length, unsigned flags);

#endif
