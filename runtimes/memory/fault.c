/* memory/fault.c - pages on demand: zeros, file pages in place, copies on write.
 *
 * A fault costs about as much as mapping thirty pages, so a read of a file mapping maps a whole window of it:
 * the pages are there already, in the image or in the page cache. Memory that is only read maps one page of
 * zeros. A write to an anonymous range right after the page of the last one takes a few pages at once.
 */
#include "file.h"
#include "report.h"
#include "space.h"
#include "thread.h"

#define WINDOW_PAGES 32UL /* of a file */
#define AHEAD_PAGES  8UL  /* at most, of zeros */

static uint8_t zeros[PAGE_SIZE] __attribute__((aligned(4096)));
static uintptr_t expected; /* where a program that fills memory in order faults next */
static size_t ahead = 1;

/* All of the machine's memory, the image's own included: what the user gave (boot/pvh.c). */
WEAK size_t machine_memory(void)
{
    return pages_totals().total * PAGE_SIZE;
}

/* Memory ran out, by so many pages: told once, with the size that would have done. */
static void tell(size_t lacking)
{
    static bool told;
    size_t total = machine_memory(), wanted = total + lacking * PAGE_SIZE;
    size_t enough = align_up(wanted + wanted / 8, 8UL << 20);

    if (told)
        return;
    told = true;
    if (report_connected()) {
        report_begin("oom");
        report_number("total", (int64_t)total);
        report_number("wanted", (int64_t)wanted);
        report_number("enough", (int64_t)enough);
        report_end();
    } else {
        char line[160];
        int n = snprintf(
            line, sizeof(line),
            "unikit: out of memory: the program wanted more than %zu MiB; %zu MiB would probably do (-m).\n",
            total >> 20, enough >> 20);
        console_write(line, (size_t)n);
    }
}

/* The program touched memory of which there is no more: nobody can tell it, so it ends. */
void space_out_of_memory(void)
{
    tell(max(space_lacking(), pages_totals().total / 4));
    process_exit(0, 9);
}

/* The program ends badly: perhaps because it was refused memory. */
void space_tell_shortage(void)
{
    if (space_lacking())
        tell(space_lacking());
}

static void set_entry(uint64_t *entry, const void *page, uint64_t bits)
{
    if (!(*entry & PTE_USED))
        space_resident++;
    if (bits & PTE_OWN && !(*entry & PTE_OWN))
        space_own++;
    *entry = virt_to_phys(page) | bits;
}

/* A page of the mapping's own instead of `old`, or of zeros (NULL). */
static int own_page(const struct mapping *m, uint64_t *entry, const void *old)
{
    void *page = old ? page_alloc() : page_alloc_zero();

    if (!page)
        return -ENOMEM;
    if (old)
        memcpy(page, old, PAGE_SIZE);
    set_entry(entry, page, space_bits(m, true) | PTE_OWN);
    return 0;
}

/* The entry is there and says no to a write that the mapping allows. */
static int write_fault(const struct mapping *m, uintptr_t address, uint64_t *entry)
{
    void *old = pte_page(*entry), *page;
    int error;

    if (*entry & PTE_OWN) {
        *entry |= PTE_WRITE | PTE_DIRTY;
        pte_flush(address, address + PAGE_SIZE);
        return 0;
    }
    if (m->file && (m->flags & MAP_SHARED)) {
        error = m->file->ops->page(m->file, (m->offset + (address - m->start)) >> PAGE_SHIFT, true, &page);
        if (error)
            return error;
        set_entry(entry, page, space_bits(m, true));
    } else {
        bool zero = virt_to_phys(old) == virt_to_phys(zeros);
        error = own_page(m, entry, zero ? NULL : old);
        if (error)
            return error;
    }
    page_put(old);
    pte_flush(address, address + PAGE_SIZE);
    return 0;
}

/* Maps the pages around a read fault, as far as they are there; the faulting one is mapped already. */
static void map_window(const struct mapping *m, uintptr_t address)
{
    uintptr_t start = max(align_down(address, WINDOW_PAGES * PAGE_SIZE), m->start);
    uintptr_t end = min(align_down(address, WINDOW_PAGES * PAGE_SIZE) + WINDOW_PAGES * PAGE_SIZE, m->end);
    uint64_t *entry = pte_find(start, NULL); /* a window does not cross a table */
    uint64_t bits = space_bits(m, false);

    for (; start < end; start += PAGE_SIZE, entry++) {
        void *page;
        if (*entry & PTE_USED)
            continue;
        if (m->file->ops->page(m->file, (m->offset + (start - m->start)) >> PAGE_SHIFT, false, &page) < 0)
            break;
        set_entry(entry, page, bits);
    }
}

static int file_fault(const struct mapping *m, uintptr_t address, uint64_t *entry, bool write)
{
    bool shared_write = write && (m->flags & MAP_SHARED);
    void *page;
    int error;

    error =
        m->file->ops->page(m->file, (m->offset + (address - m->start)) >> PAGE_SHIFT, shared_write, &page);
    if (error)
        return error;
    if (write && !shared_write) {
        error = own_page(m, entry, page);
        page_put(page);
        return error;
    }
    set_entry(entry, page, space_bits(m, shared_write));
    if (!write && (!(m->flags & MAP_SHARED) || !(m->prot & PROT_WRITE)))
        map_window(m, address);
    return 0;
}

static int zero_fault(const struct mapping *m, uintptr_t address, uint64_t *entry, bool write)
{
    int error;

    if (!write) {
        set_entry(entry, zeros, space_bits(m, false));
        return 0;
    }
    error = own_page(m, entry, NULL);
    if (error)
        return error;
    ahead = address == expected ? min(ahead * 2, AHEAD_PAGES) : 1;
    expected = address + PAGE_SIZE;
    for (size_t i = 1; i < ahead && expected < m->end; i++, expected += PAGE_SIZE) {
        entry++;
        if ((uintptr_t)entry % PAGE_SIZE == 0 || (*entry & PTE_USED) || own_page(m, entry, NULL))
            break;
    }
    return 0;
}

int space_fault(uintptr_t address, unsigned access)
{
    struct mapping *m = space_at(space_index(address));
    bool write = access & FAULT_WRITE;
    uint64_t *entry;

    if (!m || m->start > address)
        return -EFAULT;
    if (!(m->prot & (write                 ? PROT_WRITE
                     : access & FAULT_EXEC ? PROT_EXEC
                                           : PROT_READ | PROT_WRITE | PROT_EXEC)))
        return -EACCES;
    address = align_down(address, PAGE_SIZE);
    entry = pte_make(address);
    if (!entry)
        return -ENOMEM;
    if (*entry & PTE_USED) {
        if (write && !(*entry & PTE_WRITE))
            return write_fault(m, address, entry);
        pte_flush(address, address + PAGE_SIZE); /* the CPU remembered an older entry */
        return 0;
    }
    return m->file ? file_fault(m, address, entry, write) : zero_fault(m, address, entry, write);
}

int space_populate(uintptr_t start, uintptr_t end, unsigned access)
{
    for (uintptr_t at = start; at < end; at += PAGE_SIZE) {
        const uint64_t *entry = pte_find(at, NULL);
        int error;
        if (entry && (*entry & PTE_PRESENT) && (!(access & FAULT_WRITE) || (*entry & PTE_WRITE)))
            continue;
        error = space_fault(at, access);
        if (error)
            return error;
    }
    return 0;
}
