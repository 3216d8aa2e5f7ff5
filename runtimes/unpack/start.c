/* start.c - a compressed image's first steps in C: is there memory enough, is the package whole, unpack it.
 *
 * There is no report channel yet: what goes wrong is said on the serial port, and the machine goes off with
 * the status of a boot that cannot go on (boot/panic.c).
 */
#include "kernel.h"
#include "port.h"
#include "pvh.h"
#include "unpack.h"

NEEDS(decoder);

#define STATUS_ERROR 78 /* EX_CONFIG */
#define ROOM         16 /* MiB that the program gets at least, beyond the image */

enum { COM1 = 0x3f8, LINE_STATUS = COM1 + 5, TRANSMIT_EMPTY = 0x20, DEBUG_EXIT = 0xf4 };

extern char unpack_start[], unpack_end[];
extern const char package_start[], package_end[]; /* the linker script's: its place, and where it ends */

uint32_t unpack(const struct start_info *info);

static noreturn void fail(const char *format, ...) printf_like(1, 2);
static noreturn void fail(const char *format, ...)
{
    char text[256];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    for (const char *p = text; *p; p++) {
        for (unsigned looks = 0; looks < 100000 && !(in8(LINE_STATUS) & TRANSMIT_EMPTY); looks++)
            ;
        out8(COM1, (uint8_t)*p);
    }
    out8(DEBUG_EXIT, STATUS_ERROR);
    for (;;)
        __asm__ volatile("cli; hlt");
}

static bool is_ram(const struct start_info *info, uint64_t start, uint64_t end)
{
    const struct map_entry *map = (const struct map_entry *)info->map;

    for (uint32_t i = 0; info->version >= 1 && i < info->map_entries; i++)
        if (map[i].type == MEMORY_RAM && start >= map[i].start && end <= map[i].start + map[i].size)
            return true;
    return false;
}

static void need(const struct start_info *info, uint64_t start, uint64_t end, uint64_t most)
{
    if (!is_ram(info, start, end))
        fail("unikit: The memory ends before the unpacked image does: unpacking takes %lu MiB. Start the "
             "machine "
             "with at least %lu MiB (-m).\n",
             (most >> 20) + 1, (most >> 20) + 1 + ROOM);
}

uint32_t unpack(const struct start_info *info)
{
    const struct packed *package = (const struct packed *)package_start;
    const char *wrong;
    uint64_t most = (uint64_t)package_end;

    if (info->magic != START_MAGIC)
        fail("unikit: The loader did not pass a PVH start info. Boot this image with -kernel, or any loader "
             "that knows the Xen PVH entry.\n");
    need(info, (uint64_t)unpack_start, (uint64_t)unpack_end, most);
    need(info, (uint64_t)package_start, (uint64_t)package_end, most);
    wrong = packed_check(package, (size_t)(package_end - package_start));
    if (wrong)
        fail("unikit: The compressed image is damaged (%s). Copy it here again, or build it again.\n", wrong);
    for (uint32_t i = 0; i < package->count; i++)
        most = max(most, package->segments[i].address + package->segments[i].length);
    for (uint32_t i = 0; i < package->count; i++)
        need(info, package->segments[i].address, package->segments[i].address + package->segments[i].length,
             most);
    if (!packed_unpack(package))
        fail("unikit: The compressed image cannot be unpacked. Build it again.\n");
    return package->entry;
}
