/* memory/pages.c - the page allocator: buddies over the part of RAM that was ever used, and a frontier.
 *
 * Each range of RAM starts with an array of one small record a page. Nothing of a range is touched before its
 * first use: pages beyond the range's frontier are free without a record, so giving 6 GiB to the allocator
 * costs as much as giving 6 MiB. Freed blocks are taken before the frontier moves, which keeps the part of
 * memory that was ever touched (and that the host must back) small.
 */
#include "memory.h"

#define ORDERS     11
#define MAX_RANGES 48

struct page {
    uint32_t users;
    uint8_t order; /* of the block that starts here */
    bool free;     /* a free block starts here */
};

struct range {
    uintptr_t start, end, frontier; /* physical */
    struct page *pages;
};

static struct range ranges[MAX_RANGES];
static unsigned range_count;
static struct list free_blocks[ORDERS];
static unsigned free_orders; /* bit n: free_blocks[n] is not empty */
static struct page_totals totals;

WEAK size_t pages_reclaim(size_t wanted)
{
    (void)wanted;
    return 0;
}

#ifdef UNIKIT_HOST
WEAK uintptr_t virt_to_phys(const void *virt)
{
    return (uintptr_t)virt;
}
WEAK void *phys_to_virt(uintptr_t phys)
{
    return (void *)phys;
}
#endif

static struct range *range_of(uintptr_t phys)
{
    for (unsigned i = 0; i < range_count; i++)
        if (phys < ranges[i].end)
            return phys >= ranges[i].start ? &ranges[i] : NULL;
    return NULL;
}

static struct page *record_in(const struct range *range, uintptr_t phys)
{
    return &range->pages[(phys - range->start) >> PAGE_SHIFT];
}

void pages_add(uintptr_t start, uintptr_t end)
{
    unsigned i = range_count;
    size_t count, records;

    start = align_up(start, PAGE_SIZE);
    end = align_down(end, PAGE_SIZE);
    if (start >= end)
        return;
    count = (end - start) >> PAGE_SHIFT;
    records = align_up(count * sizeof(struct page), PAGE_SIZE) >> PAGE_SHIFT;
    if (records >= count || range_count == MAX_RANGES)
        return;
    if (range_count == 0)
        for (unsigned order = 0; order < ORDERS; order++)
            list_init(&free_blocks[order]);
    for (; i > 0 && ranges[i - 1].start > start; i--)
        ranges[i] = ranges[i - 1];
    ranges[i].pages = phys_to_virt(start);
    start += records << PAGE_SHIFT;
    ranges[i].start = ranges[i].frontier = start;
    ranges[i].end = end;
    range_count++;
    totals.total += count - records;
    totals.free += count - records;
    totals.low = totals.free;
}

/* Into and out of the lists of free blocks. */
static void block_put(struct range *range, uintptr_t phys, unsigned order)
{
    *record_in(range, phys) = (struct page){.order = (uint8_t)order, .free = true};
    list_push(&free_blocks[order], phys_to_virt(phys));
    free_orders |= 1U << order;
}

static void block_take(struct list *block, unsigned order)
{
    list_remove(block);
    if (list_empty(&free_blocks[order]))
        free_orders &= ~(1U << order);
}

static void block_free(struct range *range, uintptr_t phys, unsigned order)
{
    for (; order < ORDERS - 1; order++) {
        uintptr_t size = PAGE_SIZE << order, buddy = phys ^ size;
        struct page *other;

        if (buddy < range->start || buddy + size > range->frontier)
            break;
        other = record_in(range, buddy);
        if (!other->free || other->order != order)
            break;
        block_take(phys_to_virt(buddy), order);
        other->free = false;
        phys = min(phys, buddy);
    }
    block_put(range, phys, order);
}

/* Takes a block that was never used; pages skipped for alignment become free blocks. */
static bool frontier_take(unsigned order, uintptr_t *phys, struct range **from)
{
    uintptr_t size = PAGE_SIZE << order;

    for (unsigned i = 0; i < range_count; i++) {
        struct range *range = &ranges[i];
        uintptr_t block = align_up(range->frontier, size);

        if (block + size > range->end)
            continue;
        while (range->frontier < block) {
            uintptr_t skipped = range->frontier;
            record_in(range, skipped)->free = false;
            range->frontier += PAGE_SIZE;
            block_free(range, skipped, 0);
        }
        for (uintptr_t p = block; p < block + size; p += PAGE_SIZE)
            *record_in(range, p) = (struct page){0};
        range->frontier = block + size;
        *phys = block;
        *from = range;
        return true;
    }
    return false;
}

static void *block_alloc(unsigned order)
{
    struct range *range = NULL;
    uintptr_t phys = 0;
    unsigned larger = free_orders >> order, have;
    struct page *record;

    if (larger) {
        struct list *block;
        have = order + (unsigned)__builtin_ctz(larger);
        block = free_blocks[have].next;
        block_take(block, have);
        phys = virt_to_phys(block);
        range = range_of(phys);
        record_in(range, phys)->free = false;
        while (have > order) { /* the upper half stays free */
            have--;
            uintptr_t half = phys + (PAGE_SIZE << have);
            block_put(range, half, have);
        }
    } else if (!frontier_take(order, &phys, &range)) {
        return NULL;
    }
    record = record_in(range, phys);
    *record = (struct page){.users = 1, .order = (uint8_t)order};
    totals.free -= 1UL << order;
    totals.low = min(totals.low, totals.free);
    return phys_to_virt(phys);
}

void *pages_alloc(unsigned order)
{
    void *block;

    if (order >= ORDERS)
        return NULL;
    block = block_alloc(order);
    if (unlikely(!block) && pages_reclaim(1UL << order))
        block = block_alloc(order);
    return block;
}

void *pages_alloc_zero(unsigned order)
{
    void *block = pages_alloc(order);
    if (block)
        memset(block, 0, PAGE_SIZE << order);
    return block;
}

void pages_free(void *pages, unsigned order)
{
    uintptr_t phys;
    struct range *range;

    if (!pages)
        return;
    phys = virt_to_phys(pages);
    range = range_of(phys);
    if (!range)
        return;
    assert(phys < range->frontier && !record_in(range, phys)->free);
    assert(record_in(range, phys)->order == order);
    totals.free += 1UL << order;
    block_free(range, phys, order);
}

unsigned pages_order(const void *pages)
{
    uintptr_t phys = virt_to_phys(pages);
    return record_in(range_of(phys), phys)->order;
}

void *page_alloc(void)
{
    return pages_alloc(0);
}

void *page_alloc_zero(void)
{
    return pages_alloc_zero(0);
}

void page_get(void *page)
{
    uintptr_t phys = virt_to_phys(page);
    struct range *range = range_of(phys);
    if (range)
        record_in(range, phys)->users++;
}

void page_put(void *page)
{
    uintptr_t phys = virt_to_phys(page);
    struct range *range = range_of(phys);
    struct page *record;

    if (!range)
        return;
    record = record_in(range, phys);
    assert(record->users > 0 && !record->free);
    if (--record->users == 0) {
        totals.free++;
        block_free(range, phys, 0);
    }
}

unsigned page_users(const void *page)
{
    uintptr_t phys = virt_to_phys(page);
    const struct range *range = range_of(phys);
    return range ? record_in(range, phys)->users : 2;
}

/* ---- a frozen image */

bool pages_range(unsigned i, uintptr_t *start, uintptr_t *used, uintptr_t *end)
{
    if (i >= range_count)
        return false;
    *start = virt_to_phys(ranges[i].pages);
    *used = ranges[i].frontier;
    *end = ranges[i].end;
    return true;
}

void pages_freeze(void)
{
    for (unsigned order = 0; order < ORDERS; order++) {
        while (!list_empty(&free_blocks[order])) {
            struct list *block = free_blocks[order].next;
            block_take(block, order);
            memset(block, 0, PAGE_SIZE << order);
        }
    }
}

void pages_thaw(void)
{
    for (unsigned i = 0; i < range_count; i++) {
        struct range *range = &ranges[i];
        for (uintptr_t at = range->start; at < range->frontier;) {
            const struct page *record = record_in(range, at);
            unsigned order = record->order;
            if (record->free)
                block_put(range, at, order);
            at += PAGE_SIZE << order;
        }
    }
}

void pages_cut(unsigned i, uintptr_t end)
{
    size_t less;

    assert(i < range_count && end >= ranges[i].frontier && end <= ranges[i].end);
    less = (ranges[i].end - end) >> PAGE_SHIFT;
    ranges[i].end = end;
    totals.total -= less;
    totals.free -= less;
    totals.low = totals.free;
}

struct page_totals pages_totals(void)
{
    return totals;
}
