/* pte.h - page tables: entries, walking, flushing. (memory/pte.c)
 *
 * Intel SDM volume 3, 4.5 (4-level paging). Everything is a supervisor page: user code runs in ring 0.
 */
#ifndef UNIKIT_PTE_H
#define UNIKIT_PTE_H

#include "memory.h"

#define PTE_PRESENT  0x1UL
#define PTE_WRITE    0x2UL
#define PTE_WT       0x8UL  /* write-through and */
#define PTE_UC       0x10UL /* cache-disable: together uncached, by the CPU's default PAT */
#define PTE_ACCESSED 0x20UL
#define PTE_DIRTY    0x40UL
#define PTE_LARGE    0x80UL
#define PTE_GLOBAL   0x100UL
#define PTE_HIDDEN   0x200UL /* ours: not present, but the page is kept (PROT_NONE) */
#define PTE_OWN      0x400UL /* ours: the page belongs to this mapping alone (anonymous, copied) */
#define PTE_ADDRESS  0x000ffffffffff000UL
#define PTE_NX       0x8000000000000000UL

/* An entry refers to a page, accessible or not. */
#define PTE_USED (PTE_PRESENT | PTE_HIDDEN)

/* The table that the CPU uses from now on; its user half may be filled or empty. */
void pte_set_top(uint64_t *top);

/* The last-level entry for an address. pte_find: NULL if there is no table for it, and *next (if not NULL) is
 * the next address that could have one. pte_make: makes the tables; NULL: no memory. Entries of one table are
 * neighbours in memory, up to the next multiple of 2 MiB. */
uint64_t *pte_find(uintptr_t address, uintptr_t *next);
uint64_t *pte_make(uintptr_t address);

/* Frees the tables that lie wholly in [floor, ceiling), where nothing is mapped. */
void pte_free_tables(uintptr_t floor, uintptr_t ceiling);

/* The CPU forgets what it knows of [start, end). */
void pte_flush(uintptr_t start, uintptr_t end);

static inline void *pte_page(uint64_t entry)
{
    return phys_to_virt(entry & PTE_ADDRESS);
}

#endif
