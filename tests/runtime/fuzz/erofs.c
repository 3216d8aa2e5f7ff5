/* The EROFS reader on any bytes: mounts, lists and looks up everything that it can reach.
 *
 * The bytes lie at the end of their own allocation, so reading behind them is seen. The checksum is switched
 * off: no mutation would get past it. */
// components: vfs/erofs
#include <stdlib.h>
#include <string.h>

#include "../../../runtimes/vfs/erofs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned budget;

static void touch(const struct erofs_extent *extent)
{
    volatile uint8_t sum = 0;

    for (uint64_t at = 0, n; at < extent->size; at += n) {
        n = extent->size - at;
        const uint8_t *p = erofs_bytes(extent, at, &n);
        if (!p || n == 0)
            abort();
        sum = (uint8_t)(sum + p[0] + p[n - 1]);
    }
}

static void visit(const struct erofs *fs, uint64_t nid, unsigned depth)
{
    struct erofs_inode inode;
    struct erofs_entry entry, found;
    uint64_t position = 0, before = 0;

    if (depth > 8 || budget == 0 || erofs_inode(fs, nid, &inode))
        return;
    budget--;
    touch(&inode.extent);
    if ((inode.mode & 0170000) != 0040000)
        return;
    while (budget && erofs_next(&inode.extent, &position, &entry) == 1) {
        if (position <= before)
            abort();
        before = position;
        budget--;
        /* In a damaged directory the name need not be found, but nothing else may be. */
        if (erofs_lookup(&inode.extent, entry.name, entry.length, &found) == 0 &&
            (found.length != entry.length || memcmp(found.name, entry.name, entry.length)))
            abort();
        visit(fs, entry.nid, depth + 1);
    }
    erofs_lookup(&inode.extent, "name", 4, &found);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t magic[4] = {0xe2, 0xe1, 0xf5, 0xe0};
    struct erofs fs;

    if (size < 1024 + 128)
        return 0;
    uint8_t *image = malloc(size);
    memcpy(image, data, size);
    memcpy(image + 1024, magic, sizeof(magic));
    image[1024 + 8] &= 0xfe;
    budget = 3000;
    if (erofs_mount(&fs, image, size) == 0)
        visit(&fs, fs.root, 0);
    free(image);
    return 0;
}
