/* memory/brk.c - brk(2): the heap that starts after the program. */
#include "space.h"

static uintptr_t heap_start, heap_end; /* the end as the program set it, any byte */

void space_set_brk(uintptr_t start)
{
    heap_start = heap_end = start;
}

void space_brk_range(uintptr_t *start, uintptr_t *end)
{
    *start = heap_start;
    *end = heap_end;
}

/* The new break, or the old one where that cannot be: brk(0) asks, and failing is no error. */
SYSCALL(brk, uintptr_t wanted)
{
    uintptr_t old = align_up(heap_end, PAGE_SIZE), new = align_up(wanted, PAGE_SIZE);
    const struct mapping *above = space_next(old);

    if (wanted < heap_start || wanted > USER_END)
        return (long)heap_end;
    if (new < old && space_unmap(new, old - new) < 0)
        return (long)heap_end;
    /* A page stays free below what lies above. */
    if (new > old && ((above && above->start < new + PAGE_SIZE) ||
                      space_map(old, new - old, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, NULL, 0) < 0))
        return (long)heap_end;
    heap_end = wanted;
    return (long)heap_end;
}
