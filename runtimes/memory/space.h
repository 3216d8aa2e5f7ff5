/* memory/space.h - between the parts of the address space: mappings, their page-table entries, commitment. */
#ifndef UNIKIT_MEMORY_SPACE_H
#define UNIKIT_MEMORY_SPACE_H

#include <linux/mman.h>

#include "memory.h"
#include "pte.h"

#define MAP_LOWEST 0x10000UL /* as vm.mmap_min_addr: null pointers with an offset fault */

/* The index of the first mapping that ends above `address`; the number of mappings if there is none. */
size_t space_index(uintptr_t address);
struct mapping *space_at(size_t index); /* NULL beyond the last */
/* Is all of [start, end) mapped? */
bool space_covered(uintptr_t start, uintptr_t end);
/* A free range of `length` bytes, as high as possible below `limit` (0: the usual place); 0: none. */
uintptr_t space_gap(size_t length, uintptr_t limit);
/* Makes `at` a border between mappings. 0 or -ENOMEM. */
int space_split(uintptr_t at);
/* Joins a mapping with its neighbours where they differ in nothing. */
void space_merge(uintptr_t start, uintptr_t end);
/* Moves the mapping that is exactly [from, from + old) to `to`, of `length` bytes there, with its pages. The
 * target is free. `keep`: the old one stays, empty. 0 or -ENOMEM. */
int space_move(uintptr_t from, size_t old, uintptr_t to, size_t length, bool keep);
/* Makes the mapping that ends at `end` longer; what follows is free. 0 or -ENOMEM. */
int space_extend(uintptr_t end, size_t more);

/* What a fork's child does not get of a mapping, in its `flags` beside MAP_*. */
#define MAPPING_WIPED      (1 << 29) /* its content */
#define MAPPING_NOT_FORKED (1 << 30) /* the mapping */
/* Of [start, end), a part of one mapping, those `bits` become `value`. 0 or -ENOMEM. */
int space_inherit(uintptr_t start, uintptr_t end, int bits, int value);

/* Lets go of the pages in [start, end), a part of one mapping. `own_too` false: private copies stay. */
void space_zap(uintptr_t start, uintptr_t end, bool own_too);
/* Makes [start, end) present, as far as permissions and memory go: MAP_POPULATE, mlock. 0 or -errno. */
int space_populate(uintptr_t start, uintptr_t end, unsigned access);
/* Promises memory (pages; negative gives back). False: there is not so much. */
bool space_commit(long pages);
/* How many pages more would have kept all promises that were asked for; 0: none was refused. */
size_t space_lacking(void);

static inline bool is_accounted(int prot, int flags)
{
    return (prot & PROT_WRITE) && !(flags & (MAP_STACK | MAP_NORESERVE));
}
static inline bool is_accounted_mapping(const struct mapping *m)
{
    return is_accounted(m->prot, m->flags) && (!m->file || !(m->flags & MAP_SHARED));
}

/* The bits that an entry for a page of this mapping gets; write permission comes with `writable`. */
static inline uint64_t space_bits(const struct mapping *m, bool writable)
{
    uint64_t bits = m->prot & (PROT_READ | PROT_WRITE | PROT_EXEC) ? PTE_PRESENT | PTE_ACCESSED : PTE_HIDDEN;
    if (!(m->prot & PROT_EXEC))
        bits |= PTE_NX;
    if (writable && (m->prot & PROT_WRITE))
        bits |= PTE_WRITE | PTE_DIRTY;
    return bits;
}

/* Pages that entries refer to, and those of them that belong to the mapping alone. */
extern size_t space_resident, space_own;

#endif
