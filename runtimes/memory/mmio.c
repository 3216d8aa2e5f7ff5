/* memory/mmio.c - device registers in the kernel's half: each at one fixed address, uncached, never unmapped.
 */
#include "memory.h"
#include "pte.h"

#define MMIO_MAP 0xffffc00000000000UL
#define MMIO_END (1UL << 40)

volatile void *mmio_map(uintptr_t phys, size_t size)
{
    uintptr_t end = phys + size;

    if (size == 0 || end < phys || end > MMIO_END)
        return NULL;
    for (uintptr_t at = align_down(phys, PAGE_SIZE); at < end; at += PAGE_SIZE) {
        uint64_t *entry = pte_make(MMIO_MAP + at);
        if (!entry)
            return NULL;
        *entry = at | PTE_PRESENT | PTE_WRITE | PTE_WT | PTE_UC | PTE_GLOBAL | PTE_NX;
    }
    return (volatile void *)(MMIO_MAP + phys);
}
