/* names.h - the table of names in memory: (directory, name) -> entry, and names known not to be in the image
 * (vfs/names.c). */
#ifndef UNIKIT_NAMES_H
#define UNIKIT_NAMES_H

#include "tree.h"

enum entry_state {
    ENTRY_IMAGE,   /* as the image has it: may be forgotten */
    ENTRY_ADDED,   /* ours; `over`: hides one of the image */
    ENTRY_REMOVED, /* the image's is hidden */
};

struct entry {
    struct entry *next; /* in the table's chain */
    struct list link;   /* in the directory's entries */
    struct tree_node *directory;
    struct node *node;
    uint64_t sequence; /* order of being added: the position for getdents */
    uint64_t hash;
    uint8_t state, length;
    bool over;
    char name[]; /* NUL-terminated */
};

/* Before anything else; false: no memory. */
bool names_start(void);
uint64_t names_hash(const struct tree_node *directory, const char *name, size_t length);
struct entry *names_find(const struct tree_node *directory, const char *name, size_t length, uint64_t hash);
/* A new entry, in the table and at the end of the directory's list; the node's reference is the caller's
 * business. NULL: no memory. */
struct entry *names_add(struct tree_node *directory, const char *name, size_t length, uint64_t hash);
void names_delete(struct entry *);

/* Names that the image does not have: a small cache that forgets. */
bool names_absent(const struct tree_node *directory, const char *name, size_t length, uint64_t hash);
void names_set_absent(const struct tree_node *directory, const char *name, size_t length, uint64_t hash);

#endif
