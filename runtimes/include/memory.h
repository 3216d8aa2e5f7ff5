/* memory.h - pages, the kernel heap, the address space, and user memory. */
#ifndef UNIKIT_MEMORY_H
#define UNIKIT_MEMORY_H

#include "kernel.h"

/* The address space (one for all): user code below USER_END; all physical memory is mapped from DIRECT_MAP,
 * the kernel image from KERNEL_BASE + physical. */
#define USER_END    0x00007ffffffff000UL
#define DIRECT_MAP  0xffff800000000000UL
#define KERNEL_BASE 0xffffffff80000000UL

/* ---- memory/pages.c */
#ifdef UNIKIT_HOST
uintptr_t virt_to_phys(const void *virt);
void *phys_to_virt(uintptr_t phys);
#else
static inline void *phys_to_virt(uintptr_t phys)
{
    return (void *)(phys + DIRECT_MAP);
}
/* Of a direct-map or a kernel-image address. */
static inline uintptr_t virt_to_phys(const void *virt)
{
    uintptr_t v = (uintptr_t)virt;
    return v >= KERNEL_BASE ? v - KERNEL_BASE : v - DIRECT_MAP;
}
#endif

/* The range [start, end) is RAM that nobody uses yet; called once a range before the first allocation. */
void pages_add(uintptr_t start, uintptr_t end);

/* 2^order pages, physically contiguous and naturally aligned; NULL when there are none. Order 0..10. */
void *pages_alloc(unsigned order);
void *pages_alloc_zero(unsigned order);
void pages_free(void *pages, unsigned order);

/* The order that a block was allocated with. */
unsigned pages_order(const void *pages);

/* Single pages carry a count of their users: 1 after page_alloc(); the last page_put() frees. Pages outside
 * the allocator (the image's own) are counted by nobody: get and put leave them alone and page_users() says
 * 2, "not yours". */
void *page_alloc(void);
void *page_alloc_zero(void);
void page_get(void *page);
void page_put(void *page);
unsigned page_users(const void *page);

struct page_totals {
    size_t total, free, low; /* pages: given to the allocator, free now, the least that were ever free */
};
struct page_totals pages_totals(void);
/* A frozen image. The parts of RAM that were given: [start, used) was touched, up to `end` may be; false: no
 * more.
 */
bool pages_range(unsigned i, uintptr_t *start, uintptr_t *used, uintptr_t *end);
/* Free pages become zeros, and nothing is free: the last thing before the memory is written out. */
void pages_freeze(void);
/* What was free is free again. */
void pages_thaw(void);
/* Range i ends here now (not below what was used): this machine has less memory. */
void pages_cut(unsigned i, uintptr_t end);

/* Bytes of RAM that the machine has, whoever uses them (boot/pvh.c). */
size_t machine_memory(void);

/* Device registers, mapped uncached; never unmapped. Low MMIO and anything up to 1 TiB. */
volatile void *mmio_map(uintptr_t phys, size_t size);

/* Memory is about to run out: whoever can give pages back does so; returns how many were given back (weak,
 * 0). */
size_t pages_reclaim(size_t wanted);

/* ---- memory/heap.c: 16-byte aligned; poisoned on free in debug builds */
void *kmalloc(size_t size);
void *kzalloc(size_t size);
void *krealloc(void *p, size_t size);
void kfree(void *p);
char *kstrdup(const char *s);

/* ---- memory/space.c: the user address space */
struct file;

struct mapping {
    uintptr_t start, end;
    int prot, flags; /* PROT_*, MAP_* */
    struct file *file;
    uint64_t offset; /* in the file, of start */
};

/* mmap(2). `file` NULL: anonymous. The address or -errno. */
long space_map(uintptr_t hint, size_t length, int prot, int flags, struct file *file, uint64_t offset);
int space_unmap(uintptr_t start, size_t length);
int space_protect(uintptr_t start, size_t length, int prot);
/* The mapping that holds an address, or the next one above it (for /proc/self/maps); NULL: none. */
const struct mapping *space_find(uintptr_t address);
const struct mapping *space_next(uintptr_t address);
/* A page fault of user code, or of the kernel in user memory. 0: retry; -EFAULT: no mapping; -EACCES: not
 * allowed so; -ENOMEM; -ENXIO: a file mapping beyond the file's end (SIGBUS). */
enum { FAULT_WRITE = 2, FAULT_EXEC = 16 };
int space_fault(uintptr_t address, unsigned access);
/* A page was wanted and there was none: says so, with what would have done, and ends the process. */
noreturn void space_out_of_memory(void);
/* An `oom` event if the program was ever refused memory; for when it ends badly. */
void space_tell_shortage(void);
/* A `missing` event if memory both writable and executable was refused. */
void space_tell_refused(void);
/* The file lost these pages (truncate, hole): mappings of them fault anew. */
void space_drop_file_pages(struct file *any_of_node, uint64_t first_page, uint64_t last_page);
/* The program goes on as the child of a fork: what it does not inherit is gone. */
void space_fork(void);
/* The program's break, set up by exec. */
void space_set_brk(uintptr_t start);
void space_brk_range(uintptr_t *start, uintptr_t *end);
struct space_totals {
    size_t mapped, resident; /* pages */
};
struct space_totals space_totals(void);

/* ---- memory/user.c: user memory, checked: 0 or -EFAULT */
int copy_in(void *to, const void __user *from, size_t n);
int copy_out(void __user *to, const void *from, size_t n);
int clear_out(void __user *to, size_t n);
/* A NUL-terminated string of at most size-1 bytes; its length, -EFAULT or -ENAMETOOLONG. */
long string_in(char *to, const char __user *from, size_t size);
/* Makes all of [p, p+n) present (and writable): until the next wait it can then be touched directly. */
int user_hold(const void __user *p, size_t n, bool write);
#define get_user(value, p) copy_in(&(value), (p), sizeof(value))
#define put_user(p, value)                                                                                   \
    ({                                                                                                       \
        __typeof__(*(p)) value_ = (value);                                                                   \
        copy_out((p), &value_, sizeof(value_));                                                              \
    })

#endif
