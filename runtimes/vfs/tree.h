/* tree.h - the in-memory tree over the image: what its parts know of each other (vfs/tree.c, names.c,
 * data.c). */
#ifndef UNIKIT_TREE_H
#define UNIKIT_TREE_H

#include "erofs.h"
#include "node.h"

/* Pages of a file that differ from the image's, by index; `height` levels of tables of 512, 0: one page. */
struct pages {
    void *root;
    unsigned height;
    uint64_t count; /* pages and tables that are charged */
};

struct tree_node {
    struct node node;
    struct list clean;         /* in the clock of nodes that the image can give again; else alone */
    struct entry *entry;       /* the one name of a clean node or a directory; NULL: none, or more than one */
    bool touched;              /* looked up since the clock's hand passed */
    bool imaged;               /* `image` is what it stands over */
    struct erofs_extent image; /* directories: the names; files: the bytes; links: the target */
    union {
        struct {
            struct list entries; /* struct entry, oldest first */
            uint64_t sequence;   /* of the next added entry */
            uint64_t added;      /* entries that are not the image's */
        } directory;
        struct {
            uint64_t image_pages; /* pages below this show the image where `pages` has none */
            struct pages pages;
            bool mapped; /* pages of the image or the zero page were given to mappings */
            int seals;   /* F_SEAL_* */
        } file;
        char *target; /* link that is not the image's, NUL-terminated */
    };
};

static inline struct tree_node *tree_of(struct node *n)
{
    return container_of(n, struct tree_node, node);
}

extern const struct node_ops tree_ops;        /* files, directories, links that may change */
extern const struct node_ops tree_system_ops; /* directories made by the kernel: /proc and /sys */

/* ---- tree.c */
/* Starts the tree over an image (NULL: an empty one). 0 or what erofs_mount() says. */
int tree_start(const void *image, uint64_t size);
extern struct node *tree_root; /* NULL before tree_start() */
/* Starts the tree over the boot image, unless that has been done. (vfs/root.c) */
void root_start(void) WEAK;
extern struct erofs tree_image;
/* A node with no name yet and one reference; NULL: no memory. */
struct tree_node *tree_node_new(const struct node_ops *, uint32_t mode);
/* For the kernel's own directories: makes the directory `path`, and those above it, with these ops and
 * device. */
int tree_directory(const char *path, const struct node_ops *, uint32_t device, struct node **);
/* Puts a node into a directory, whatever its ops; takes a reference of its own. 0, -EEXIST, -ENOMEM. */
int tree_add(struct node *directory, const char *name, size_t length, struct node *);
/* Takes a name out again, if it is there. */
void tree_remove(struct node *directory, const char *name, size_t length);
/* A link made by the kernel: `path` leads to `target`. */
int tree_symlink(const char *path, const char *target);
void tree_release(struct node *);
ssize_t tree_readlink(struct node *, char *to, size_t size);
int tree_open(struct node *, struct file *);
/* Called before a file is opened. (vfs/kernel_file.c; else nobody has files that are written late) */
void late_file_open(const struct node *);
/* Told what of the image is used, each thing at least the first time. (trace/files.c; else nobody asks) */
void tree_used(const struct node *, bool opened);
int tree_lookup(struct node *directory, const char *name, size_t length, struct node **);
int tree_getdents(struct file *, struct io *);
extern const struct file_ops tree_directory_file_ops;
/* One struct linux_dirent64. 1: written; 0: no room; -EFAULT. */
int dirent_put(struct io *, uint64_t number, uint64_t next, unsigned type, const char *name, size_t length);

/* ---- data.c */
extern const struct file_ops tree_file_ops;
int data_truncate(struct node *, uint64_t size);
int data_allocate(struct node *, int mode, uint64_t offset, uint64_t length);
uint64_t data_blocks(struct node *);
void data_release(struct tree_node *);
struct data_totals {
    uint64_t used, limit; /* pages */
};
struct data_totals data_totals(void);

#endif
