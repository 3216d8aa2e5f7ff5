/* boot/pvh.c - what the loader told us: memory map, command line, root file system, ACPI.
 *
 * Layout: xen/include/public/arch-x86/hvm/start_info.h. The map may hold empty entries, and RAM beyond the
 * hole below 4 GiB goes on above it. All of this lies below 1 GiB except boot modules, whose content is not
 * read here: so it runs on the first page tables.
 */
#include "boot.h"
#include "config.h"
#include "image.h"
#include "memory.h"
#include "pvh.h"

#define MAX_RANGES        32
#define MAX_TAKEN         16
#define COMMAND_LINE_SIZE (16384 + 1) /* unikit/vm/boot.py, APPEND_LIMIT */
#define LOW_MEMORY        0x100000UL  /* firmware's and the loader's own: left alone */

struct range {
    uintptr_t start, end;
};

struct boot_information boot_information PER_BOOT;

static struct range ram[MAX_RANGES], taken[MAX_TAKEN];
static unsigned ram_count PER_BOOT, taken_count PER_BOOT;
static char command_line[COMMAND_LINE_SIZE];

extern char kernel_start[], kernel_end[];

/* [start, end) is not free memory. Kept sorted. */
static void take(uintptr_t start, uintptr_t end)
{
    unsigned i = taken_count;

    if (start >= end)
        return;
    assert(taken_count < MAX_TAKEN);
    for (; i > 0 && taken[i - 1].start > start; i--)
        taken[i] = taken[i - 1];
    taken[i] = (struct range){align_down(start, PAGE_SIZE), align_up(end, PAGE_SIZE)};
    taken_count++;
}

static void add_ram(uintptr_t start, uintptr_t end)
{
    unsigned i = ram_count;

    start = align_up(max(start, LOW_MEMORY), PAGE_SIZE);
    end = align_down(end, PAGE_SIZE);
    if (start >= end || ram_count == MAX_RANGES)
        return;
    for (; i > 0 && ram[i - 1].start > start; i--)
        ram[i] = ram[i - 1];
    ram[i] = (struct range){start, end};
    ram_count++;
    boot_information.memory_end = max(boot_information.memory_end, end);
}

size_t machine_memory(void)
{
    size_t sum = LOW_MEMORY;

    for (unsigned i = 0; i < ram_count; i++)
        sum += ram[i].end - ram[i].start;
    return sum;
}

static bool is_ram(uintptr_t start, uintptr_t end)
{
    for (unsigned i = 0; i < ram_count; i++)
        if (start >= ram[i].start && end <= ram[i].end)
            return true;
    return false;
}

void pvh_read(uintptr_t address)
{
    const struct start_info *info = phys_to_virt(address);
    const struct map_entry *map;
    const struct module *module;

    if (info->magic != START_MAGIC)
        boot_error("loader", "The loader did not pass a PVH start info. Boot this image with -kernel, or any "
                             "loader that knows the Xen PVH entry.");
    if (info->command_line) {
        const char *text = phys_to_virt(info->command_line);
        size_t length = strnlen(text, sizeof(command_line) - 1);
        memcpy(command_line, text, length);
        command_line[length] = 0;
    }
    boot_information.command_line = command_line;
    boot_information.rsdp = info->rsdp;

    map = phys_to_virt(info->map);
    if (info->version >= 1 && info->map)
        for (uint32_t i = 0; i < info->map_entries; i++)
            if (map[i].type == MEMORY_RAM)
                add_ram(map[i].start, map[i].start + map[i].size);
    if (ram_count == 0)
        boot_error("loader", "The loader's memory map names no RAM. Use QEMU 4.0 or newer, or a loader that "
                             "passes a PVH memory map.");

    take(virt_to_phys(kernel_start), virt_to_phys(kernel_end));
    if (boot_image.root_start) {
        boot_information.root_start = boot_image.root_start;
        boot_information.root_size = boot_image.root_size;
    } else if (info->modules) {
        module = phys_to_virt(info->module_list);
        boot_information.root_start = module->start;
        boot_information.root_size = module->size;
    }
    if (boot_information.root_size) {
        uintptr_t start = boot_information.root_start, end = start + boot_information.root_size;
        if (!is_ram(start, end))
            boot_error("memory",
                       "The memory ends before the root file system does: it needs at least %lu MiB. Start "
                       "the machine with more memory (-m).",
                       (end >> 20) + 17);
        take(start, end);
    }
    take(address, address + sizeof(*info));
    take(info->module_list, info->module_list + info->modules * sizeof(*module));
}

void pvh_add_pages(void)
{
    for (unsigned i = 0; i < ram_count; i++) {
        uintptr_t at = ram[i].start;
        for (unsigned t = 0; t < taken_count && at < ram[i].end; t++) {
            if (taken[t].end <= at || taken[t].start >= ram[i].end)
                continue;
            if (taken[t].start > at)
                pages_add(at, taken[t].start);
            at = taken[t].end;
        }
        if (at < ram[i].end)
            pages_add(at, ram[i].end);
    }
}

/* The RAM that holds an address. */
static const struct range *ram_at(uintptr_t at)
{
    for (unsigned i = 0; i < ram_count; i++)
        if (at >= ram[i].start && at < ram[i].end)
            return &ram[i];
    return NULL;
}

static noreturn void too_small(uintptr_t end)
{
    boot_error(
        "memory",
        "The machine's memory ends before that of the frozen program: it needs at least %lu MiB. Start "
        "the machine with more memory (-m).",
        (end >> 20) + 2);
}

void pvh_fit_pages(void)
{
    uintptr_t start, used, end;

    pages_thaw();
    for (unsigned i = 0; pages_range(i, &start, &used, &end); i++) {
        const struct range *now = ram_at(start);
        if (!now || now->end < used)
            too_small(used);
        end = min(end, now->end);
        for (unsigned t = 0; t < taken_count; t++) {
            if (taken[t].end <= start || taken[t].start >= end)
                continue;
            if (taken[t].start < used)
                boot_error("loader",
                           "The loader put its own data where the frozen program's memory belongs.");
            end = taken[t].start;
        }
        pages_cut(i, end);
    }
    for (unsigned i = 0; pages_range(i, &start, &used, &end); i++)
        take(start, end);
    pvh_add_pages();
}
