/* vdso.c - maps the vDSO (runtimes/vdso/) and, right below it, the clock's page, into the program: vdso(7).
 *
 * Both are pages of the kernel's own image, given out by a file that has no name but the one in
 * /proc/self/maps; nothing is copied.
 */
#include <linux/fcntl.h>
#include <linux/mman.h>
#include "clock.h"
#include "file.h"
#include "memory.h"

extern uint8_t vdso_start[], vdso_end[];

/* Page 0 is the clock's, the vDSO follows. */
static int vdso_page(struct file *file, uint64_t index, bool write, void **page)
{
    (void)file;
    if (write)
        return -EACCES;
    if (index > (size_t)(vdso_end - vdso_start + PAGE_SIZE - 1) / PAGE_SIZE)
        return -ENXIO;
    *page = index ? vdso_start + (index - 1) * PAGE_SIZE : (void *)&clock_page;
    return 0;
}

static const struct file_ops vdso_ops = {.page = vdso_page, .kind = "[vdso]"};

int vdso_map(uintptr_t *address)
{
    size_t code = align_up((size_t)(vdso_end - vdso_start), PAGE_SIZE);
    struct file *file = file_new(&vdso_ops, O_RDONLY, NULL);
    if (!file)
        return -ENOMEM;
    file->path = kstrdup("[vdso]");
    long start = space_map(0, PAGE_SIZE + code, PROT_READ | PROT_EXEC, MAP_PRIVATE, file, 0);
    if (start >= 0)
        (void)space_protect((uintptr_t)start, PAGE_SIZE, PROT_READ);
    file_put(file);
    if (start < 0)
        return (int)start;
    *address = (uintptr_t)start + PAGE_SIZE;
    return 0;
}
