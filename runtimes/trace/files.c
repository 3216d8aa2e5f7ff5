/* trace/files.c - which files of the image a run uses, for `unikit build --trace`: a byte for each inode that
 * was looked up or opened, and at the end an event for each name that such an inode has.
 *
 * The family trace/ is linked into images that are built to be traced, and into no others. */
#include "memory.h"
#include "report.h"
#include "trace.h"

#include "../vfs/tree.h"

enum { LOOKED_UP = 1, OPENED = 2 };
#define CHUNK      PAGE_SIZE /* inodes whose marks lie together */
#define DEPTH_MOST 64

static uint8_t **chunks;
static size_t chunk_count;
static bool lost; /* no memory for marks: the trace is not whole */

void tree_used(const struct node *n, bool opened)
{
    uint64_t nid = n->number - 1;

    if (!chunks && !lost) {
        chunk_count = tree_image.size / 32 / CHUNK + 1;
        chunks = kzalloc(chunk_count * sizeof(*chunks));
    }
    if (chunks && nid / CHUNK < chunk_count && !chunks[nid / CHUNK])
        chunks[nid / CHUNK] = kzalloc(CHUNK);
    if (!chunks || nid / CHUNK >= chunk_count || !chunks[nid / CHUNK]) {
        lost = true;
        return;
    }
    chunks[nid / CHUNK][nid % CHUNK] |= opened ? LOOKED_UP | OPENED : LOOKED_UP;
}

static unsigned marks(uint64_t nid)
{
    const uint8_t *chunk = chunks && nid / CHUNK < chunk_count ? chunks[nid / CHUNK] : NULL;
    return chunk ? chunk[nid % CHUNK] : 0;
}

static void tell(const char *path, size_t length, bool opened)
{
    report_begin("trace");
    report_string("kind", "file", 4);
    report_string("path", path, length);
    report_string("how", opened ? "opened" : "seen", opened ? 6 : 4);
    report_end();
}

/* The image is a tree of bounded depth here: what was looked up has been walked to by its names. */
static void walk_directory(uint64_t nid, char *path, size_t length, unsigned depth)
{
    struct erofs_inode inode;
    struct erofs_entry entry;
    uint64_t position = 0;

    if (erofs_inode(&tree_image, nid, &inode))
        return;
    while (erofs_next(&inode.extent, &position, &entry) > 0) {
        unsigned mark = marks(entry.nid);
        bool dots = entry.name[0] == '.' && entry.length <= 2 && entry.name[entry.length - 1] == '.';
        if (!mark || dots)
            continue;
        if (length + 1 + entry.length >= PATH_LONGEST)
            continue;
        path[length] = '/';
        memcpy(path + length + 1, entry.name, entry.length);
        size_t whole = length + 1 + entry.length;
        if (entry.type != 4) /* DT_DIR */
            tell(path, whole, mark & OPENED);
        else if (depth < DEPTH_MOST)
            walk_directory(entry.nid, path, whole, depth + 1);
    }
}

void trace_files_report(void)
{
    static char path[PATH_LONGEST];

    if (chunks)
        walk_directory(tree_image.root, path, 0, 0);
    if (lost) {
        report_begin("trace");
        report_string("kind", "lost", 4);
        report_end();
    }
}
