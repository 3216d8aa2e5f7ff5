/* data.c - the bytes of regular files: a table of the pages that were written, over the image's bytes in
 * place.
 *
 * A page is, in this order: one of our own; a hole (also the zero page, which hides a page of the image); the
 * image's page, if it lies below `image_pages`; else a hole. Pages are copied when first written. Mappings
 * get the very pages, so that what is written through one is read through the other. All pages together stay
 * below half of the memory (ENOSPC beyond), so that files alone cannot starve the application. */
#include <asm/fcntl.h>
#include <linux/falloc.h>
#include <linux/fcntl.h>
#include <linux/fs.h>

#include "memory.h"
#include "file_pages.h"

#define SIZE_MOST ((uint64_t)INT64_MAX & PAGE_MASK)

/* ---- pages of a file */

/* The image's bytes in a page: how many; 0: none show there. */
static uint64_t image_part(const struct tree_node *t, uint64_t index)
{
    uint64_t offset = index << PAGE_SHIFT;

    if (index >= t->file.image_pages || offset >= t->image.size)
        return 0;
    return min(PAGE_SIZE, t->image.size - offset);
}

static void image_copy(const struct tree_node *t, uint64_t index, uint8_t *to)
{
    uint64_t n = image_part(t, index), done = 0;

    while (done < n) {
        uint64_t part = n - done;
        const uint8_t *from = erofs_bytes(&t->image, (index << PAGE_SHIFT) + done, &part);
        memcpy(to + done, from, part);
        done += part;
    }
}

/* Mappings of the page as it was fault anew. */
static void drop_mappings(struct node *n, uint64_t first, uint64_t last)
{
    struct file any = {.node = n};
    space_drop_file_pages(&any, first, last);
}

/* A page of the file's own; NULL: no room. */
static uint8_t *own_page(struct tree_node *t, uint64_t index)
{
    void *page = pages_find(&t->file.pages, index);

    if (page && page != zero_page)
        return page;
    if (t->node.ops->changing)
        t->node.ops->changing(&t->node);
    uint8_t *fresh = pages_charge(&t->file.pages);
    if (!fresh)
        return NULL;
    void **slot = pages_slot(&t->file.pages, index);
    if (!slot) {
        pages_discharge(&t->file.pages, fresh);
        return NULL;
    }
    if (!page)
        image_copy(t, index, fresh);
    *slot = fresh;
    if (t->file.mapped)
        drop_mappings(&t->node, index, index);
    return fresh;
}

/* An image page that can be mapped as it is: aligned, and zero behind the file's end. */
static const uint8_t *mappable(const struct tree_node *t, uint64_t index)
{
    uint64_t n = image_part(t, index), together = n;

    if (n == 0)
        return NULL;
    const uint8_t *p = erofs_bytes(&t->image, index << PAGE_SHIFT, &together);
    if (!p || together < n || (uintptr_t)p % PAGE_SIZE)
        return NULL;
    while (n % sizeof(uint64_t) && p[n] == 0)
        n++;
    if (n % sizeof(uint64_t))
        return NULL;
    for (const uint64_t *word = (const void *)(p + n); word < (const uint64_t *)(p + PAGE_SIZE); word++) {
        if (*word)
            return NULL;
    }
    return p;
}

static int data_page(struct file *file, uint64_t index, bool write, void **out)
{
    struct tree_node *t = tree_of(file->node);

    if (index >= (t->node.size + PAGE_SIZE - 1) >> PAGE_SHIFT)
        return -ENXIO;
    void *page = pages_find(&t->file.pages, index);
    if ((page == NULL || page == zero_page) && !write) {
        if (!page)
            page = (void *)mappable(t, index);
        if (!page && !image_part(t, index))
            page = (void *)zero_page;
        if (page)
            t->file.mapped = true;
    }
    if (!page || (write && page == zero_page)) {
        page = own_page(t, index);
        if (!page)
            return -ENOMEM;
    }
    page_get(page);
    *out = page;
    return 0;
}

static ssize_t data_read(struct file *file, struct io *io, uint64_t *pos)
{
    struct tree_node *t = tree_of(file->node);
    ssize_t total = 0, moved;

    while (io->left && *pos < t->node.size) {
        uint64_t index = *pos >> PAGE_SHIFT, offset = *pos % PAGE_SIZE;
        uint64_t n = min((uint64_t)io->left, t->node.size - *pos);
        const uint8_t *page = NULL;
        if (!t->file.pages.root && *pos < min(t->file.image_pages << PAGE_SHIFT, t->image.size)) {
            n = min(n, (t->file.image_pages << PAGE_SHIFT) - *pos);
            page = erofs_bytes(&t->image, *pos, &n); /* unchanged: all that lies together */
            moved = io_put(io, page, n);
        } else {
            n = min(n, PAGE_SIZE - offset);
            page = pages_find(&t->file.pages, index);
            uint64_t part = image_part(t, index);
            if (page) {
                moved = io_put(io, page + offset, n);
            } else if (offset < part) {
                n = min(n, part - offset);
                page = erofs_bytes(&t->image, *pos, &n);
                moved = io_put(io, page, n);
            } else {
                moved = io_put_zero(io, n);
            }
        }
        if (moved < 0)
            return total ? total : moved;
        total += moved;
        *pos += (uint64_t)moved;
        if ((uint64_t)moved < n)
            break;
    }
    return total;
}

/* What lies behind the end in its page becomes zero: the file is about to grow, or shrank. */
static int clear_tail(struct tree_node *t, uint64_t size)
{
    uint64_t index = size >> PAGE_SHIFT, offset = size % PAGE_SIZE;
    uint8_t *page = pages_find(&t->file.pages, index);

    if (!offset || page == zero_page)
        return 0;
    if (!page) {
        if (image_part(t, index) <= offset)
            return 0;
        page = own_page(t, index);
        if (!page)
            return -ENOSPC;
    }
    memset(page + offset, 0, PAGE_SIZE - offset);
    return 0;
}

static void touched(struct node *n)
{
    n->mtime = n->ctime = clock_real();
}

static ssize_t data_write(struct file *file, struct io *io, uint64_t *pos)
{
    struct tree_node *t = tree_of(file->node);
    ssize_t total = 0, moved = 0;

    if (!io->left)
        return 0;
    if (file->flags & O_APPEND)
        *pos = t->node.size;
    if (*pos >= SIZE_MOST)
        return -EFBIG;
    if (t->file.seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))
        return -EPERM;
    if ((t->file.seals & F_SEAL_GROW) && *pos + io->left > t->node.size) {
        if (*pos >= t->node.size)
            return -EPERM;
    }
    if (*pos > t->node.size)
        moved = clear_tail(t, t->node.size);
    while (moved >= 0 && io->left && *pos < SIZE_MOST) {
        uint64_t offset = *pos % PAGE_SIZE;
        uint64_t n = min((uint64_t)io->left, PAGE_SIZE - offset);
        if (t->file.seals & F_SEAL_GROW) {
            if (*pos >= t->node.size)
                break;
            n = min(n, t->node.size - *pos);
        }
        uint8_t *page = own_page(t, *pos >> PAGE_SHIFT);
        if (!page) {
            moved = -ENOSPC;
            break;
        }
        moved = io_take(io, page + offset, n);
        if (moved <= 0)
            break;
        total += moved;
        *pos += (uint64_t)moved;
        if (*pos > t->node.size)
            t->node.size = *pos;
        if ((uint64_t)moved < n)
            break;
    }
    if (total)
        touched(&t->node);
    return total ? total : moved;
}

int data_truncate(struct node *n, uint64_t size)
{
    struct tree_node *t = tree_of(n);

    if (size > SIZE_MOST)
        return -EFBIG;
    if ((size < n->size && t->file.seals & F_SEAL_SHRINK) || (size > n->size && t->file.seals & F_SEAL_GROW))
        return -EPERM;
    if (n->ops->changing)
        n->ops->changing(n);
    uint64_t old = n->size, last = (size + PAGE_SIZE - 1) >> PAGE_SHIFT;
    int error = clear_tail(t, min(old, size));
    if (error)
        return error;
    n->size = size;
    if (size < old) {
        t->file.image_pages = min(t->file.image_pages, last);
        pages_clear(&t->file.pages, last, UINT64_MAX >> PAGE_SHIFT);
        drop_mappings(n, last, UINT64_MAX >> PAGE_SHIFT);
    }
    touched(n);
    return 0;
}

static int punch(struct tree_node *t, uint64_t offset, uint64_t end)
{
    uint64_t first = (offset + PAGE_SIZE - 1) >> PAGE_SHIFT,
             last = end >> PAGE_SHIFT; /* whole pages: [first, last) */
    uint64_t edges[2][2] = {{offset, min(end, first << PAGE_SHIFT)}, {max(offset, last << PAGE_SHIFT), end}};

    for (int i = 0; i < 2; i++) {
        uint64_t from = edges[i][0], to = edges[i][1], index = from >> PAGE_SHIFT;
        if (from >= to || (i == 1 && first > last))
            continue; /* nothing, or both ends lie in one page: done by the first */
        if (!pages_find(&t->file.pages, index) && !image_part(t, index))
            continue;
        if (pages_find(&t->file.pages, index) == zero_page)
            continue;
        uint8_t *page = own_page(t, index);
        if (!page)
            return -ENOSPC;
        memset(page + from % PAGE_SIZE, 0, to - from);
    }
    if (first >= last)
        return 0;
    if (t->node.ops->changing)
        t->node.ops->changing(&t->node);
    pages_clear(&t->file.pages, first, last - 1);
    for (uint64_t index = first; index < min(last, t->file.image_pages); index++) {
        void **slot = pages_slot(&t->file.pages, index);
        if (!slot)
            return -ENOSPC;
        *slot = (void *)zero_page;
    }
    drop_mappings(&t->node, first, last - 1);
    return 0;
}

int data_allocate(struct node *n, int mode, uint64_t offset, uint64_t length)
{
    struct tree_node *t = tree_of(n);
    uint64_t end = offset + length;
    int error = 0;

    if (node_type(n) != NODE_REGULAR)
        return -ENODEV;
    if (end < offset || end > SIZE_MOST)
        return -EFBIG;
    if (mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
        return -EOPNOTSUPP;
    if ((mode & FALLOC_FL_PUNCH_HOLE) && (mode & FALLOC_FL_ZERO_RANGE || !(mode & FALLOC_FL_KEEP_SIZE)))
        return -EOPNOTSUPP;
    bool grows = !(mode & FALLOC_FL_KEEP_SIZE) && end > n->size;
    if (grows && t->file.seals & F_SEAL_GROW)
        return -EPERM;
    if (mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) {
        if (t->file.seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))
            return -EPERM;
        error = punch(t, offset, end);
    } else {
        /* Room is promised: the pages are there from now on. Too much is refused before any is taken. */
        uint64_t first = offset >> PAGE_SHIFT, last = (end + PAGE_SIZE - 1) >> PAGE_SHIFT;
        struct data_totals totals = data_totals();
        if (last - first > totals.limit - min(totals.used, totals.limit))
            return -ENOSPC;
        for (uint64_t index = first; index < last && !error; index++) {
            if (!image_part(t, index) && !own_page(t, index))
                error = -ENOSPC;
        }
    }
    if (!error && grows) {
        error = clear_tail(t, n->size);
        if (!error)
            n->size = end;
    }
    touched(n);
    return error;
}

uint64_t data_blocks(struct node *n)
{
    const struct tree_node *t = tree_of(n);
    uint64_t image = 0;

    if (node_type(n) == NODE_REGULAR)
        image = min(t->file.image_pages << PAGE_SHIFT, t->image.size);
    return (image + 511) / 512 + (node_type(n) == NODE_REGULAR ? t->file.pages.count * (PAGE_SIZE / 512) : 0);
}

void data_release(struct tree_node *t)
{
    pages_clear(&t->file.pages, 0, UINT64_MAX >> PAGE_SHIFT);
}

/* ---- lseek */

static int64_t seek_data(const struct tree_node *t, uint64_t offset, bool hole)
{
    uint64_t size = t->node.size, index = offset >> PAGE_SHIFT;

    if (offset >= size)
        return -ENXIO;
    if (hole) {
        /* No longer than there are pages. */
        while (index << PAGE_SHIFT < size) {
            const void *page = pages_find(&t->file.pages, index);
            if (page == zero_page || (!page && !image_part(t, index)))
                break;
            index++;
        }
        return (int64_t)min(size, max(offset, index << PAGE_SHIFT));
    }
    while (index < t->file.image_pages) { /* the image's pages, except those that were punched */
        if (pages_find(&t->file.pages, index) != zero_page && image_part(t, index))
            return (int64_t)max(offset, index << PAGE_SHIFT);
        index++;
    }
    uint64_t found;
    if (!pages_next(&t->file.pages, index, &found) || found << PAGE_SHIFT >= size)
        return -ENXIO;
    return (int64_t)max(offset, found << PAGE_SHIFT);
}

static int64_t data_seek(struct file *file, int64_t offset, int whence)
{
    struct tree_node *t = tree_of(file->node);
    int64_t base = 0;

    switch (whence) {
    case SEEK_SET:
        break;
    case SEEK_CUR:
        base = (int64_t)file->pos;
        break;
    case SEEK_END:
        base = (int64_t)t->node.size;
        break;
    case SEEK_DATA:
    case SEEK_HOLE:
        if (offset < 0)
            return -ENXIO;
        offset = seek_data(t, (uint64_t)offset, whence == SEEK_HOLE);
        if (offset < 0)
            return offset;
        break;
    default:
        return -EINVAL;
    }
    return file_seek_from(file, base, offset);
}

static int data_sync(struct file *file)
{
    (void)file; /* memory is as far as it goes */
    return 0;
}

const struct file_ops tree_file_ops = {
    .read = data_read,
    .write = data_write,
    .seek = data_seek,
    .page = data_page,
    .sync = data_sync,
    .kind = "file",
};
