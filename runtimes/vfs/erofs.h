/* erofs.h - a reader of EROFS images that lie in memory (vfs/erofs.c). */
#ifndef UNIKIT_EROFS_H
#define UNIKIT_EROFS_H

#include "kernel.h"

struct erofs {
    const uint8_t *base;
    uint64_t size;     /* bytes that may be touched */
    uint64_t meta;     /* offset of inode 0 */
    uint64_t root;     /* nid of the root directory */
    uint64_t blocks;   /* of the file system, as it says itself */
    uint64_t inodes;   /* likewise */
    int64_t timestamp; /* ns since 1970: of inodes that have none of their own */
};

/* Where an inode's bytes are: [0, full) at `data`, [full, size) at `tail`. If there is a `map`, each chunk of
 * 2^chunk_bits bytes has a block address in it (of `stride` bytes), from `base` on, or is a hole. */
struct erofs_extent {
    uint64_t size, full;
    const uint8_t *data, *tail;
    const uint8_t *map, *base;
    unsigned chunk_bits, stride;
};

struct erofs_inode {
    uint64_t nid;
    uint32_t mode, uid, gid, links, rdev;
    int64_t mtime; /* ns since 1970 */
    struct erofs_extent extent;
};

struct erofs_entry {
    uint64_t nid;
    const char *name; /* in the image, not NUL-terminated */
    size_t length;    /* 1..255 */
    unsigned type;    /* DT_* */
};

/* Recognises the image in [base, base+size). 0; -EINVAL: not EROFS; -EOPNOTSUPP: features that this reader
 * does not know; -EUCLEAN: damaged. */
int erofs_mount(struct erofs *, const void *base, uint64_t size);
/* Reads an inode. 0; -EUCLEAN: not there or damaged; -EOPNOTSUPP: compressed data. */
int erofs_inode(const struct erofs *, uint64_t nid, struct erofs_inode *);
/* Finds a name in a directory. 0, -ENOENT or -EUCLEAN. */
int erofs_lookup(const struct erofs_extent *directory, const char *name, size_t length, struct erofs_entry *);
/* The entry at *position, or the first one after it; *position is moved behind it. Positions start at 0,
 * grow, and stay below 2^48. 1: an entry; 0: no more; -EUCLEAN. */
int erofs_next(const struct erofs_extent *directory, uint64_t *position, struct erofs_entry *);
/* Bytes that lie together at `offset`: at most n, fewer at the edge of a tail, a chunk or a page of a hole;
 * NULL beyond the end. */
const uint8_t *erofs_bytes(const struct erofs_extent *, uint64_t offset, uint64_t *n);

#endif
