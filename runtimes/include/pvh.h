/* pvh.h - what the loader passes at the PVH entry (xen/include/public/arch-x86/hvm/start_info.h). */
#ifndef UNIKIT_PVH_H
#define UNIKIT_PVH_H

#include <stdint.h>

#define START_MAGIC 0x336ec578U
#define MEMORY_RAM  1U

struct start_info {
    uint32_t magic, version, flags, modules;
    uint64_t module_list, command_line, rsdp, map;
    uint32_t map_entries, reserved;
};
struct module {
    uint64_t start, size, command_line, reserved;
};
struct map_entry {
    uint64_t start, size;
    uint32_t type, reserved;
};

#endif
