/* file_pages.c - a sparse table from page numbers to pages, and what all files together may take: half of the
 * memory.
 *
 * As in page tables, 512 pointers make a level, and there are as many levels as the highest page needs: a
 * small file is a single pointer, a hole of terabytes costs nothing. */
#include "file_pages.h"
#include "memory.h"

#define TABLE_SIZE 512U
#define TABLE_BITS 9U

const uint8_t zero_page[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
static uint64_t pages_used;

struct data_totals data_totals(void)
{
    return (struct data_totals){.used = pages_used, .limit = pages_totals().total / 2};
}

void *pages_charge(struct pages *pages)
{
    if (pages_used >= pages_totals().total / 2)
        return NULL;
    void *page = page_alloc_zero();
    if (page) {
        pages_used++;
        pages->count++;
    }
    return page;
}

void pages_discharge(struct pages *pages, void *page)
{
    if (page == zero_page)
        return;
    page_put(page);
    pages_used--;
    pages->count--;
}

static bool covers(unsigned height, uint64_t index)
{
    return height * TABLE_BITS >= 64 || index >> (height * TABLE_BITS) == 0;
}

void *pages_find(const struct pages *pages, uint64_t index)
{
    void *here = pages->root;

    if (!covers(pages->height, index))
        return NULL;
    for (unsigned level = pages->height; here && level > 0; level--)
        here = ((void **)here)[index >> ((level - 1) * TABLE_BITS) & (TABLE_SIZE - 1)];
    return here;
}

void **pages_slot(struct pages *pages, uint64_t index)
{
    while (!covers(pages->height, index)) {
        if (pages->root) {
            void **table = pages_charge(pages);
            if (!table)
                return NULL;
            table[0] = pages->root;
            pages->root = table;
        }
        pages->height++;
    }
    void **slot = &pages->root;
    for (unsigned level = pages->height; level > 0; level--) {
        if (!*slot)
            *slot = pages_charge(pages);
        if (!*slot)
            return NULL;
        slot = &((void **)*slot)[index >> ((level - 1) * TABLE_BITS) & (TABLE_SIZE - 1)];
    }
    return slot;
}

/* Drops what lies in [first, last] below `here`, which covers from `base` on; says whether nothing is left.
 */
static bool pages_drop(struct pages *pages, void *here, unsigned level, uint64_t base, uint64_t first,
                       uint64_t last)
{
    uint64_t span;
    bool empty = true;

    if (level == 0) {
        if (base < first || base > last)
            return false;
        pages_discharge(pages, here);
        return true;
    }
    span = 1UL << ((level - 1) * TABLE_BITS);
    void **table = here;
    for (unsigned i = 0; i < TABLE_SIZE; i++) {
        uint64_t from = base + i * span;
        if (!table[i])
            continue;
        if (from <= last && from + span - 1 >= first &&
            pages_drop(pages, table[i], level - 1, from, first, last))
            table[i] = NULL;
        else
            empty = false;
    }
    if (empty)
        pages_discharge(pages, here);
    return empty;
}

void pages_clear(struct pages *pages, uint64_t first, uint64_t last)
{
    if (pages->root && first <= last && pages_drop(pages, pages->root, pages->height, 0, first, last)) {
        pages->root = NULL;
        pages->height = 0;
    }
}

static bool next_below(void *here, unsigned level, uint64_t base, uint64_t index, uint64_t *found)
{
    if (!here || here == zero_page)
        return false;
    if (level == 0) {
        *found = base;
        return base >= index;
    }
    uint64_t span = 1UL << ((level - 1) * TABLE_BITS);
    unsigned i = index > base ? (unsigned)min((index - base) / span, (uint64_t)TABLE_SIZE) : 0;
    for (; i < TABLE_SIZE; i++) {
        if (next_below(((void **)here)[i], level - 1, base + i * span, index, found))
            return true;
    }
    return false;
}

bool pages_next(const struct pages *pages, uint64_t index, uint64_t *found)
{
    return covers(pages->height, index) && next_below(pages->root, pages->height, 0, index, found);
}
