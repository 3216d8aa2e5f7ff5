/* pages.c - files of the host in memory: the pages that mappings show.
 *
 * Pages are fetched a window at a time and kept as long as the file is open or mapped here. Those that a
 * shared mapping may have written go to the host at fsync(2), msync(2), before they are read by a call, and
 * at last when the mapping goes; after that the mapping faults anew, so that the next write is seen. Where
 * there is no room for more, the pages of the file are given up and fetched again. */
#include <asm/fcntl.h>

#include "memory.h"
#include "ninep.h"

#define LAST_PAGE (UINT64_MAX >> PAGE_SHIFT)

static void drop_mappings(struct ninep_node *n, uint64_t first, uint64_t last)
{
    struct file any = {.node = &n->node};
    space_drop_file_pages(&any, first, last);
}

void ninep_pages_drop(struct ninep_node *n)
{
    if (n->pages.count)
        drop_mappings(n, 0, LAST_PAGE);
    pages_clear(&n->pages, 0, LAST_PAGE);
    pages_clear(&n->dirty, 0, LAST_PAGE);
    n->dirty_count = 0;
}

static bool is_dirty(const struct ninep_node *n, uint64_t index)
{
    return n->dirty_count && pages_find(&n->dirty, index);
}

static int set_dirty(struct ninep_node *n, uint64_t index)
{
    void **slot = pages_slot(&n->dirty, index);

    if (!slot)
        return -ENOMEM;
    if (!*slot)
        n->dirty_count++;
    *slot = (void *)zero_page;
    return 0;
}

static void set_clean(struct ninep_node *n, uint64_t index)
{
    pages_clear(&n->dirty, index, index);
    n->dirty_count--;
}

static int write_page(struct ninep_node *n, const struct ninep_file *f, uint64_t index, uint8_t *page)
{
    uint64_t offset = index << PAGE_SHIFT, end = min(n->node.size, offset + PAGE_SIZE);

    while (offset < end) {
        struct virtio_buffer piece = {page + offset % PAGE_SIZE, (uint32_t)(end - offset)};
        ssize_t moved = ninep_write(n->session, f->fid, offset, &piece, 1, piece.length, NINEP_SPIN);
        if (moved <= 0)
            return moved ? (int)moved : -EIO;
        offset += (uint64_t)moved;
    }
    return 0;
}

int ninep_write_back(struct ninep_node *n, uint64_t first, uint64_t last)
{
    const struct ninep_file *f = ninep_writer(n);
    uint64_t index = first;

    while (n->dirty_count && index <= last && pages_next(&n->pages, index, &index) && index <= last) {
        if (is_dirty(n, index)) {
            int error = f ? 0 : -EIO;
            set_clean(n, index);
            drop_mappings(n, index, index);
            if (!error)
                error = write_page(n, f, index, pages_find(&n->pages, index));
            if (error) {
                set_dirty(n, index);
                return error;
            }
        }
        index++;
    }
    return 0;
}

void ninep_pages_written(struct ninep_node *n, uint64_t offset, const uint8_t *from, size_t count)
{
    while (n->pages.count && count) {
        size_t part = min(count, PAGE_SIZE - offset % PAGE_SIZE);
        uint8_t *page = pages_find(&n->pages, offset >> PAGE_SHIFT);
        if (page)
            memcpy(page + offset % PAGE_SIZE, from, part);
        offset += part, from += part, count -= part;
    }
}

void ninep_pages_cut(struct ninep_node *n, uint64_t size)
{
    uint64_t first = (size + PAGE_SIZE - 1) >> PAGE_SHIFT;
    uint8_t *last = size % PAGE_SIZE ? pages_find(&n->pages, size >> PAGE_SHIFT) : NULL;

    if (!n->pages.count)
        return;
    if (last)
        memset(last + size % PAGE_SIZE, 0, PAGE_SIZE - size % PAGE_SIZE);
    drop_mappings(n, first, LAST_PAGE);
    for (uint64_t index = first; n->dirty_count && pages_next(&n->pages, index, &index); index++)
        if (is_dirty(n, index))
            set_clean(n, index);
    pages_clear(&n->pages, first, LAST_PAGE);
}

/* Room for one more: by giving up the others, if need be. NULL: there is none. */
static uint8_t *charge(struct ninep_node *n)
{
    uint8_t *page = pages_charge(&n->pages);

    if (page || !n->pages.count || ninep_write_back(n, 0, LAST_PAGE))
        return page;
    ninep_pages_drop(n);
    return pages_charge(&n->pages);
}

/* Puts pages into [first, end) that are not there, as far as there is room; how many lie together from
 * `first`. */
static unsigned add_pages(struct ninep_node *n, uint64_t first, uint64_t end, struct virtio_buffer *pieces)
{
    unsigned count = 0;

    for (uint64_t index = first; index < end && !pages_find(&n->pages, index); index++) {
        uint8_t *page = count ? pages_charge(&n->pages) : charge(n);
        void **slot = page ? pages_slot(&n->pages, index) : NULL;
        if (!slot) {
            if (page)
                pages_discharge(&n->pages, page);
            break;
        }
        *slot = page;
        pieces[count++] = (struct virtio_buffer){page, PAGE_SIZE};
    }
    return count;
}

static int fetch(struct ninep_node *n, const struct ninep_file *f, uint64_t index)
{
    uint64_t pages = (n->node.size + PAGE_SIZE - 1) >> PAGE_SHIFT;
    uint64_t window = min((uint64_t)NINEP_PIECES, (uint64_t)(n->session->io_most >> PAGE_SHIFT));
    struct virtio_buffer pieces[NINEP_PIECES];
    bool first = !n->pages.count;
    unsigned count = add_pages(n, index, min(pages, index + window), pieces);

    if (!count)
        return -ENOMEM;
    if (first)
        n->seen_size = n->node.size, n->seen_mtime = n->node.mtime;
    size_t want = (size_t)min((uint64_t)count << PAGE_SHIFT, n->node.size - (index << PAGE_SHIFT)), done = 0;
    while (done < want) { /* a short answer is gone on with a page at a time */
        uint8_t *page = pieces[done >> PAGE_SHIFT].data;
        struct virtio_buffer one = {page + done % PAGE_SIZE,
                                    (uint32_t)min(want - done, PAGE_SIZE - done % PAGE_SIZE)};
        ssize_t got = done ? ninep_read(n->session, f->fid, (index << PAGE_SHIFT) + done, &one, 1, one.length,
                                        NINEP_SPIN)
                           : ninep_read(n->session, f->fid, index << PAGE_SHIFT, pieces, count,
                                        (size_t)count << PAGE_SHIFT, NINEP_SPIN);
        if (got < 0) {
            pages_clear(&n->pages, index, index + count - 1);
            return (int)got;
        }
        if (got == 0)
            break; /* it became shorter: zeros */
        done += (size_t)got;
    }
    return 0;
}

int ninep_page(struct file *file, uint64_t index, bool write, void **out)
{
    struct ninep_node *n = ninep_of(file->node);
    const struct ninep_file *f = file->data;
    int error = ninep_valid(n);

    if (!error && index >= (n->node.size + PAGE_SIZE - 1) >> PAGE_SHIFT)
        error = ninep_refresh(&n->node);
    if (error)
        return error;
    if (index >= (n->node.size + PAGE_SIZE - 1) >> PAGE_SHIFT)
        return -ENXIO;
    if (!pages_find(&n->pages, index))
        error = fetch(n, f, index);
    if (!error && write && !is_dirty(n, index))
        error = set_dirty(n, index);
    if (error)
        return error;
    *out = pages_find(&n->pages, index);
    page_get(*out);
    return 0;
}
