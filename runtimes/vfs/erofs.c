/* erofs.c - reads EROFS images in place: a range of memory in, pointers into that memory out.
 *
 * Source: the format as Linux documents it (Documentation/filesystems/erofs.rst and erofs_fs.h): super block
 * at byte 1024; inodes of 32 (compact) or 64 (extended) bytes at 32-byte slots from the metadata block on;
 * directories as blocks of sorted 12-byte entries, each followed by its names.
 *
 * Only what needs no unpacking is read: 4 KiB blocks, data flat (plain), flat with the last partial block
 * behind the inode (inline), or in chunks, of which some may be holes. Every number in the image is a
 * stranger's: each is checked against the range before it becomes a pointer, and no loop runs longer than the
 * range has bytes. A damaged image gives -EUCLEAN. */
#include "erofs.h"

#define BLOCK        4096U
#define SUPER_OFFSET 1024U
#define SUPER_MAGIC  0xe0f5e1e2U
#define NAME_LONGEST 255U
#define ENTRY_SIZE   12U
#define ENTRIES_MOST (BLOCK / ENTRY_SIZE)

#define COMPAT_CHECKSUM       0x01U
#define INCOMPAT_ZERO_PADDING 0x01U /* says something about compressed data only */
#define INCOMPAT_CHUNKS       0x04U
#define INCOMPAT_KNOWN        (INCOMPAT_ZERO_PADDING | INCOMPAT_CHUNKS)

#define CHUNK_BITS    0x1fU /* of a chunk's format: its size in blocks, as a power of two */
#define CHUNK_INDEXES 0x20U /* entries of 8 bytes: high bits, device, block */
#define NO_BLOCK      0xffffffffU

enum layout { FLAT_PLAIN = 0, FLAT_INLINE = 2, CHUNKS = 4 };

static uint8_t hole[BLOCK] __attribute__((aligned(BLOCK))); /* what is read where there is nothing */

struct super_block {
    uint32_t magic, checksum, compatible;
    uint8_t block_bits, extra_slots;
    uint16_t root_nid;
    uint64_t inodes, build_time;
    uint32_t build_nanoseconds, blocks, meta_block, xattr_block;
    uint8_t uuid[16], volume[16];
    uint32_t incompatible;
    uint16_t algorithms, extra_devices, device_slot;
    uint8_t directory_bits, reserved[37];
};
_Static_assert(sizeof(struct super_block) == 128, "as on disk");

struct inode_compact {
    uint16_t format, xattr_count, mode, links;
    uint32_t size, reserved, union_, number;
    uint16_t uid, gid;
    uint32_t reserved2;
};
_Static_assert(sizeof(struct inode_compact) == 32, "as on disk");

struct inode_extended {
    uint16_t format, xattr_count, mode, reserved;
    uint64_t size;
    uint32_t union_, number, uid, gid;
    uint64_t mtime;
    uint32_t mtime_nanoseconds, links;
    uint8_t reserved2[16];
};
_Static_assert(sizeof(struct inode_extended) == 64, "as on disk");

/* CRC-32C, four bits at a step: the block is short and is read once. */
static uint32_t crc32c(uint32_t crc, const uint8_t *p, size_t n)
{
    static const uint32_t table[16] = {0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
                                       0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
                                       0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75};

    for (size_t i = 0; i < n; i++) {
        crc = table[(crc ^ p[i]) & 15] ^ (crc >> 4);
        crc = table[(crc ^ (p[i] >> 4)) & 15] ^ (crc >> 4);
    }
    return crc;
}

/* n bytes at offset, or NULL if they are not all in the image. */
static const uint8_t *range(const struct erofs *fs, uint64_t offset, uint64_t n)
{
    return offset <= fs->size && n <= fs->size - offset ? fs->base + offset : NULL;
}

static int64_t nanoseconds(uint64_t seconds, uint32_t fraction)
{
    const uint64_t most = INT64_MAX / 1000000000;
    return (int64_t)(min(seconds, most - 1) * 1000000000 + min(fraction, 999999999U));
}

int erofs_mount(struct erofs *fs, const void *base, uint64_t size)
{
    struct super_block sb;

    *fs = (struct erofs){.base = base, .size = size};
    const uint8_t *p = range(fs, SUPER_OFFSET, sizeof(sb));
    if (!p)
        return -EINVAL;
    memcpy(&sb, p, sizeof(sb));
    if (sb.magic != SUPER_MAGIC)
        return -EINVAL;
    if (sb.block_bits != 12 || sb.directory_bits != 0 || sb.extra_devices != 0 ||
        (sb.incompatible & ~INCOMPAT_KNOWN) != 0)
        return -EOPNOTSUPP;
    if (size < BLOCK || (uint64_t)sb.blocks * BLOCK > size)
        return -EUCLEAN; /* cut off */
    if (sb.compatible & COMPAT_CHECKSUM) {
        /* Over the rest of the block, with the checksum itself as zero. */
        static const uint8_t zero[4];
        uint32_t crc = crc32c(~0U, p, 4);
        crc = crc32c(crc, zero, 4);
        if (crc32c(crc, p + 8, BLOCK - SUPER_OFFSET - 8) != sb.checksum)
            return -EUCLEAN;
    }
    fs->meta = (uint64_t)sb.meta_block * BLOCK;
    fs->root = sb.root_nid;
    fs->blocks = sb.blocks;
    fs->inodes = sb.inodes;
    fs->timestamp = nanoseconds(sb.build_time, sb.build_nanoseconds);

    struct erofs_inode root;
    int error = erofs_inode(fs, fs->root, &root);
    if (error)
        return error;
    return (root.mode & 0170000) == 0040000 ? 0 : -EUCLEAN;
}

/* The block address of a chunk; `device`: of an entry that has one, else 0. */
static uint32_t chunk_block(const struct erofs_extent *extent, uint64_t index, uint16_t *device)
{
    const uint8_t *p = extent->map + index * extent->stride;
    uint32_t block;

    *device = 0;
    if (extent->stride == 8) {
        memcpy(device, p + 2, sizeof(*device));
        p += 4;
    }
    memcpy(&block, p, sizeof(block));
    return block;
}

/* A file in chunks: the map stands behind the inode, at `offset`. All of it is checked here. */
static int chunks_read(const struct erofs *fs, struct erofs_extent *extent, uint64_t offset, uint32_t format)
{
    unsigned bits = 12 + (format & CHUNK_BITS);

    if (format & ~(CHUNK_BITS | CHUNK_INDEXES))
        return -EOPNOTSUPP;
    extent->stride = format & CHUNK_INDEXES ? 8 : 4;
    extent->chunk_bits = bits;
    extent->base = fs->base;
    uint64_t chunk = 1UL << bits, count = (extent->size >> bits) + (extent->size % chunk != 0);
    if (count > fs->size) /* so that the next product is one */
        return -EUCLEAN;
    extent->map = range(fs, align_up(offset, (uint64_t)extent->stride), count * extent->stride);
    if (!extent->map)
        return -EUCLEAN;
    for (uint64_t i = 0; i < count; i++) {
        uint16_t device;
        uint32_t block = chunk_block(extent, i, &device);
        if (block == NO_BLOCK)
            continue;
        if (device || !range(fs, (uint64_t)block * BLOCK, min(chunk, extent->size - (i << bits))))
            return -EUCLEAN;
    }
    return 0;
}

/* The image's 32-bit device number: minor in bits 0-7 and 20-31, major in 8-19, as Linux's new_encode_dev().
 */
int erofs_inode(const struct erofs *fs, uint64_t nid, struct erofs_inode *inode)
{
    struct inode_compact compact;
    uint64_t here, header;
    uint32_t where;
    uint16_t format, xattrs;

    if (nid > fs->size / 32)
        return -EUCLEAN;
    here = fs->meta + nid * 32;
    const uint8_t *p = range(fs, here, sizeof(compact));
    if (!p)
        return -EUCLEAN;
    memcpy(&compact, p, sizeof(compact));
    format = compact.format;
    xattrs = compact.xattr_count;
    *inode = (struct erofs_inode){.nid = nid, .mode = compact.mode};
    if (format & 1) {
        struct inode_extended extended;
        p = range(fs, here, sizeof(extended));
        if (!p)
            return -EUCLEAN;
        memcpy(&extended, p, sizeof(extended));
        header = sizeof(extended);
        where = extended.union_;
        inode->extent.size = extended.size;
        inode->uid = extended.uid;
        inode->gid = extended.gid;
        inode->links = extended.links;
        inode->mtime = nanoseconds(extended.mtime, extended.mtime_nanoseconds);
    } else {
        header = sizeof(compact);
        where = compact.union_;
        inode->extent.size = compact.size;
        inode->uid = compact.uid;
        inode->gid = compact.gid;
        inode->links = compact.links;
        inode->mtime = fs->timestamp;
    }
    if (xattrs)
        header += 12 + ((uint64_t)xattrs - 1) * 4;

    struct erofs_extent *extent = &inode->extent;
    switch (inode->mode & 0170000) {
    case 0100000: /* regular file */
    case 0040000: /* directory */
    case 0120000: /* symbolic link */
        break;
    case 0020000: /* devices */
    case 0060000:
        inode->rdev = where;
        /* fall through */
    case 0010000: /* fifo, socket: no data whatever the size says */
    case 0140000:
        extent->size = 0;
        return 0;
    default:
        return -EUCLEAN;
    }

    unsigned layout = (format >> 1) & 7;
    if (layout == FLAT_PLAIN)
        extent->full = extent->size;
    else if (layout == FLAT_INLINE)
        extent->full = extent->size & ~(uint64_t)(BLOCK - 1);
    else if (layout == CHUNKS)
        return extent->size ? chunks_read(fs, extent, here + header, where) : 0;
    else
        return -EOPNOTSUPP;
    if (extent->full) {
        extent->data = range(fs, (uint64_t)where * BLOCK, extent->full);
        if (!extent->data)
            return -EUCLEAN;
    }
    if (extent->size > extent->full) {
        extent->tail = range(fs, here + header, extent->size - extent->full);
        if (!extent->tail)
            return -EUCLEAN;
    }
    return 0;
}

static const uint8_t *chunk_bytes(const struct erofs_extent *extent, uint64_t offset, uint64_t *n)
{
    unsigned bits = extent->chunk_bits;
    uint64_t index = offset >> bits, chunk = 1UL << bits, within = offset & (chunk - 1);
    uint64_t together = chunk - within, last = (extent->size - 1) >> bits;
    uint16_t device;
    uint32_t block = chunk_block(extent, index, &device);

    *n = min(*n, extent->size - offset);
    if (block == NO_BLOCK) {
        *n = min(*n, BLOCK - offset % BLOCK);
        return hole + offset % BLOCK;
    }
    for (uint64_t next = block + (chunk / BLOCK); together < *n && index < last; next += chunk / BLOCK) {
        if (chunk_block(extent, ++index, &device) != next)
            break;
        together += chunk;
    }
    *n = min(*n, together);
    return extent->base + (uint64_t)block * BLOCK + within;
}

const uint8_t *erofs_bytes(const struct erofs_extent *extent, uint64_t offset, uint64_t *n)
{
    if (extent->map && offset < extent->size)
        return chunk_bytes(extent, offset, n);
    if (offset < extent->full) {
        *n = min(*n, extent->full - offset);
        return extent->data + offset;
    }
    if (offset >= extent->size)
        return NULL;
    *n = min(*n, extent->size - offset);
    return extent->tail + (offset - extent->full);
}

/* A directory block: where it is, its length, its number of entries. */
struct block {
    const uint8_t *start;
    uint32_t length, entries;
};

static uint16_t read16(const uint8_t *p)
{
    uint16_t value;
    memcpy(&value, p, sizeof(value));
    return value;
}

static int block_get(const struct erofs_extent *directory, uint64_t index, struct block *block)
{
    uint64_t n = BLOCK;
    block->start = erofs_bytes(directory, index * BLOCK, &n);
    block->length = (uint32_t)n;
    if (!block->start || n < ENTRY_SIZE)
        return -EUCLEAN;
    uint16_t first = read16(block->start + 8);
    if (first < ENTRY_SIZE || first % ENTRY_SIZE || first > block->length)
        return -EUCLEAN;
    block->entries = first / ENTRY_SIZE;
    return 0;
}

static int entry_get(const struct block *block, uint32_t i, struct erofs_entry *entry)
{
    const uint8_t *p = block->start + (size_t)i * ENTRY_SIZE;
    uint32_t from = read16(p + 8);
    uint32_t to = i + 1 < block->entries ? read16(p + ENTRY_SIZE + 8) : block->length;

    if (from < block->entries * ENTRY_SIZE || from >= to || to > block->length)
        return -EUCLEAN;
    memcpy(&entry->nid, p, sizeof(entry->nid));
    entry->name = (const char *)block->start + from;
    /* Only the last name of a block may be followed by padding. */
    entry->length = i + 1 < block->entries ? to - from : strnlen(entry->name, to - from);
    if (entry->length == 0 || entry->length > NAME_LONGEST)
        return -EUCLEAN;
    static const uint8_t types[8] = {0, 8, 4, 2, 6, 1, 12, 10}; /* DT_REG, DIR, CHR, BLK, FIFO, SOCK, LNK */
    entry->type = p[10] < sizeof(types) ? types[p[10]] : 0;
    return 0;
}

static int compare(const char *name, size_t length, const struct erofs_entry *entry)
{
    int order = memcmp(name, entry->name, min(length, entry->length));
    return order ? order : (length > entry->length) - (length < entry->length);
}

int erofs_lookup(const struct erofs_extent *directory, const char *name, size_t length,
                 struct erofs_entry *entry)
{
    struct block block;
    uint64_t low = 0, high = directory->size / BLOCK + (directory->size % BLOCK != 0);

    if (length == 0 || length > NAME_LONGEST)
        return -ENOENT;
    /* The last block whose first name is not behind `name`. */
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (block_get(directory, middle, &block) || entry_get(&block, 0, entry))
            return -EUCLEAN;
        int order = compare(name, length, entry);
        if (order == 0)
            return 0;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    if (low == 0)
        return -ENOENT;
    if (block_get(directory, low - 1, &block))
        return -EUCLEAN;
    uint32_t first = 1, last = block.entries;
    while (first < last) {
        uint32_t middle = first + (last - first) / 2;
        if (entry_get(&block, middle, entry))
            return -EUCLEAN;
        int order = compare(name, length, entry);
        if (order == 0)
            return 0;
        if (order < 0)
            last = middle;
        else
            first = middle + 1;
    }
    return -ENOENT;
}

int erofs_next(const struct erofs_extent *directory, uint64_t *position, struct erofs_entry *entry)
{
    /* A position is the block's number times 512 plus the entry's: a block holds at most 341. */
    uint64_t index = *position / 512, blocks = directory->size / BLOCK + (directory->size % BLOCK != 0);
    uint32_t i = *position % 512;
    struct block block;

    _Static_assert(ENTRIES_MOST < 512, "an entry's number fits in 9 bits");
    for (; index < blocks; index++, i = 0) {
        if (block_get(directory, index, &block))
            return -EUCLEAN;
        if (i >= block.entries)
            continue;
        if (entry_get(&block, i, entry))
            return -EUCLEAN;
        *position = index * 512 + i + 1;
        return 1;
    }
    *position = blocks * 512;
    return 0;
}
