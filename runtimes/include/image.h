/* image.h - what the image stage writes into the linked kernel (docs/architecture.md, "The image"). */
#ifndef UNIKIT_IMAGE_H
#define UNIKIT_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#define BOOT_IMAGE_MAGIC 0x3174696b696e75UL /* "unikit1" */

struct boot_image {
    uint64_t magic;
    uint64_t root_start; /* physical; 0: the first boot module is the root */
    uint64_t root_size;
};
extern struct boot_image boot_image; /* boot/start.c, in .data */

/* This memory was frozen: the boot resumes it (freeze/freeze.c). */
extern bool boot_frozen;

/* PVH start info as found at boot (boot/pvh.c). */
struct boot_information {
    const char *command_line;
    uintptr_t rsdp;       /* physical, 0: none */
    uintptr_t root_start; /* physical start and size of the root file system, wherever it came from */
    uint64_t root_size;
    uintptr_t memory_end; /* end of the highest RAM range */
};
extern struct boot_information boot_information;

#endif
