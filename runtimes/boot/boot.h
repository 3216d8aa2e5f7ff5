/* boot/boot.h - between the parts of boot/. */
#ifndef UNIKIT_BOOT_BOOT_H
#define UNIKIT_BOOT_BOOT_H

#include "kernel.h"

/* Reads the start info at a physical address into boot_information and the memory map. */
void pvh_read(uintptr_t address);
/* Gives the RAM that nothing occupies to the page allocator. */
void pvh_add_pages(void);
/* The same when a frozen image resumes: what the allocator had is fitted to the RAM that there is now. */
void pvh_fit_pages(void);

/* The final page tables: kernel image with its permissions, all RAM at DIRECT_MAP, nothing in the user half.
 */
void tables_build(void);
/* They are there already (a frozen image): the CPU uses them from now on. */
void tables_use(void);
/* RAM beyond the end of what they map is mapped too. */
void tables_extend(void);

#endif
