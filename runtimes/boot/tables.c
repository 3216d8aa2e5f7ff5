/* boot/tables.c - the final page tables of the kernel half.
 *
 * The kernel image: text read-only and executable, constants read-only, data no-execute, in small pages. All
 * physical memory up to the end of RAM (and the low 4 GiB, for firmware tables) at DIRECT_MAP, no-execute, in
 * the largest pages that the CPU has. The user half starts empty, so that a null pointer faults.
 */
#include "boot.h"
#include "cpu.h"
#include "image.h"
#include "memory.h"
#include "pte.h"

#define GIB  (1UL << 30)
#define MIB2 (2UL << 20)

extern char kernel_start[], kernel_end[], kernel_text_start[], kernel_text_end[], kernel_rodata_start[],
    kernel_rodata_end[];

static void *table_new(void)
{
    void *table = page_alloc_zero();
    if (!table)
        boot_error("memory",
                   "The memory is too small for the page tables. Start the machine with more (-m).");
    return table;
}

static uint64_t *next_table(uint64_t *entry)
{
    if (!(*entry & PTE_PRESENT))
        *entry = virt_to_phys(table_new()) | PTE_PRESENT | PTE_WRITE;
    return phys_to_virt(*entry & PTE_ADDRESS);
}

static uint64_t *kernel_top;
static uintptr_t direct_end; /* of what is mapped at DIRECT_MAP */

static void map_direct(uint64_t *top)
{
    uintptr_t end = align_up(max(boot_information.memory_end, 4 * GIB), GIB);
    const uint64_t bits = PTE_PRESENT | PTE_WRITE | PTE_LARGE | PTE_GLOBAL | PTE_NX;

    for (uintptr_t p = direct_end; p < end; p += GIB) {
        uintptr_t v = p + DIRECT_MAP;
        uint64_t *entry = next_table(&top[v >> 39 & 511]) + (v >> 30 & 511);
        if (cpu.gigabyte_pages) {
            *entry = p | bits;
            continue;
        }
        uint64_t *directory = next_table(entry);
        for (unsigned i = 0; i < 512; i++)
            directory[i] = (p + i * MIB2) | bits;
    }
    direct_end = max(direct_end, end);
}

static void map_kernel(uint64_t *top)
{
    for (uintptr_t v = (uintptr_t)kernel_start; v < (uintptr_t)kernel_end; v += PAGE_SIZE) {
        uint64_t bits = PTE_PRESENT | PTE_GLOBAL | PTE_NX;
        if (v >= (uintptr_t)kernel_text_start && v < (uintptr_t)kernel_text_end)
            bits &= ~PTE_NX;
        else if (v >= (uintptr_t)kernel_rodata_end)
            bits |= PTE_WRITE;
        uint64_t *table =
            next_table(next_table(next_table(&top[v >> 39 & 511]) + (v >> 30 & 511)) + (v >> 21 & 511));
        table[v >> 12 & 511] = virt_to_phys((void *)v) | bits;
    }
}

void tables_build(void)
{
    uint64_t *top = table_new();

    map_direct(top);
    map_kernel(top);
    kernel_top = top;
    pte_set_top(top);
}

void tables_use(void)
{
    pte_set_top(kernel_top);
}

void tables_extend(void)
{
    map_direct(kernel_top);
}
