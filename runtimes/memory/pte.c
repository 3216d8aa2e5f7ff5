/* memory/pte.c - page tables: walking, making, freeing, flushing. The tables are the same on the host under
 * test; there only the instructions that tell the CPU are missing.
 */
#include "cpu.h"
#include "memory.h"
#include "pte.h"

#define LEVEL_BITS  9
#define TABLE_SPAN  (PAGE_SIZE << LEVEL_BITS)
#define FLUSH_PAGES 32 /* beyond so many, forgetting everything is cheaper */

static uint64_t *top;

void pte_set_top(uint64_t *new_top)
{
    top = new_top;
#ifndef UNIKIT_HOST
    cr3_write(virt_to_phys(top));
#endif
}

static unsigned index_at(uintptr_t address, unsigned level)
{
    return address >> (PAGE_SHIFT + LEVEL_BITS * level) & 511;
}

uint64_t *pte_find(uintptr_t address, uintptr_t *next)
{
    uint64_t *table = top;

    for (unsigned level = 3; level > 0; level--) {
        uint64_t entry = table[index_at(address, level)];
        if (!(entry & PTE_PRESENT)) {
            if (next) {
                uintptr_t span = PAGE_SIZE << (LEVEL_BITS * level);
                *next = align_down(address, span) + span;
            }
            return NULL;
        }
        table = pte_page(entry);
    }
    return &table[index_at(address, 0)];
}

uint64_t *pte_make(uintptr_t address)
{
    uint64_t *table = top;

    for (unsigned level = 3; level > 0; level--) {
        uint64_t *entry = &table[index_at(address, level)];
        if (!(*entry & PTE_PRESENT)) {
            void *fresh = page_alloc_zero();
            if (!fresh)
                return NULL;
            *entry = virt_to_phys(fresh) | PTE_PRESENT | PTE_WRITE;
        }
        table = pte_page(*entry);
    }
    return &table[index_at(address, 0)];
}

/* Frees what lies in [floor, ceiling) below a table of `level` whose first address is `base`. Was there any?
 */
static bool free_below(uint64_t *table, unsigned level, uintptr_t base, uintptr_t floor, uintptr_t ceiling)
{
    uintptr_t span = PAGE_SIZE << (LEVEL_BITS * level);
    uintptr_t first = max(floor, base), last = min(ceiling, base + (span << LEVEL_BITS));
    bool any = false;

    for (uintptr_t at = align_down(first, span); at < last; at += span) {
        uint64_t *entry = &table[index_at(at, level)];
        if (!(*entry & PTE_PRESENT))
            continue;
        uint64_t *below = pte_page(*entry);
        if (level > 1)
            any |= free_below(below, level - 1, at, floor, ceiling);
        if (at >= floor && at + span <= ceiling) {
            *entry = 0;
            page_put(below);
            any = true;
        }
    }
    return any;
}

void pte_free_tables(uintptr_t floor, uintptr_t ceiling)
{
    if (align_up(floor, TABLE_SPAN) >= align_down(ceiling, TABLE_SPAN))
        return;
    if (free_below(top, 3, 0, floor, ceiling))
        pte_flush(floor, ceiling);
}

void pte_flush(uintptr_t start, uintptr_t end)
{
#ifdef UNIKIT_HOST
    (void)start, (void)end;
#else
    if ((end - start) >> PAGE_SHIFT > FLUSH_PAGES) {
        cr3_write(cr3_read());
        return;
    }
    for (; start < end; start += PAGE_SIZE)
        __asm__ volatile("invlpg (%0)" : : "r"(start) : "memory");
#endif
}
