/* proc_system.c - the system as such: /proc/version, filesystems, mounts, /proc/sys/kernel and /proc/sys/fs
 * (proc(5)). */
#include "descriptors.h"
#include "entropy.h"
#include "image.h"
#include "memory.h"
#include "node.h"
#include "process.h"

static void show_version(struct text_sink *sink)
{
    text_put(sink, "Linux version " SYSTEM_RELEASE " (unikit) #1 unikit\n");
}

static void show_filesystems(struct text_sink *sink)
{
    text_put(sink, "nodev\tsysfs\nnodev\ttmpfs\nnodev\tproc\nnodev\toverlay\n\terofs\n");
}

static const struct {
    const char *path, *type;
    unsigned device;
} mounts[] = {{"/", "overlay", DEVICE_ROOT},
              {"/proc", "proc", DEVICE_PROC},
              {"/sys", "sysfs", DEVICE_SYS},
              {"/dev", "tmpfs", DEVICE_DEV}};

static void show_mounts(struct text_sink *sink)
{
    for (size_t i = 0; i < array_size(mounts); i++)
        text_put(sink, "%s %s %s rw,noatime 0 0\n", mounts[i].type, mounts[i].path, mounts[i].type);
}

static void show_mountinfo(struct text_sink *sink)
{
    for (size_t i = 0; i < array_size(mounts); i++)
        text_put(sink, "%zu %u 0:%u / %s rw,noatime - %s %s rw\n", i + 2, i ? 2U : 1U, mounts[i].device,
                 mounts[i].path, mounts[i].type, mounts[i].type);
}

static void show_uuid(struct text_sink *sink, const uint8_t random[16])
{
    uint8_t b[16];
    memcpy(b, random, sizeof(b));
    b[6] = (b[6] & 0x0f) | 0x40; /* RFC 4122, version 4 */
    b[8] = (b[8] & 0x3f) | 0x80;
    for (int i = 0; i < 16; i++)
        text_put(sink, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", b[i]);
    text_put(sink, "\n");
}

static void show_new_uuid(struct text_sink *sink)
{
    uint8_t random[16];
    random_bytes(random, sizeof(random));
    show_uuid(sink, random);
}

static void show_boot_id(struct text_sink *sink)
{
    static uint8_t id[16];
    static bool chosen;
    if (!chosen)
        random_bytes(id, sizeof(id));
    chosen = true;
    show_uuid(sink, id);
}

static void show_hostname(struct text_sink *sink)
{
    text_put(sink, "%s\n", process_hostname);
}

static void show_file_nr(struct text_sink *sink)
{
    text_put(sink, "%u\t0\t9223372036854775807\n", fd_count());
}

TEXT_FILE(version) = {"/proc/version", show_version};
TEXT_FILE(filesystems) = {"/proc/filesystems", show_filesystems};
TEXT_FILE(mounts) = {"/proc/self/mounts", show_mounts};
TEXT_FILE(mountinfo) = {"/proc/self/mountinfo", show_mountinfo};
TEXT_FILE(boot_id) = {"/proc/sys/kernel/random/boot_id", show_boot_id};
TEXT_FILE(uuid) = {"/proc/sys/kernel/random/uuid", show_new_uuid};
TEXT_FILE(hostname) = {"/proc/sys/kernel/hostname", show_hostname};
TEXT_FILE(file_nr) = {"/proc/sys/fs/file-nr", show_file_nr};

static void show_cmdline(struct text_sink *sink)
{
    text_put(sink, "%s\n", boot_information.command_line ? boot_information.command_line : "");
}

/* There are no disks: readers that add up lines find none. */
static void show_nothing(struct text_sink *sink)
{
    (void)sink;
}

TEXT_FILE(kernel_cmdline) = {"/proc/cmdline", show_cmdline};
TEXT_FILE(diskstats) = {"/proc/diskstats", show_nothing};

#define CONSTANT(symbol, where, text)                                                                        \
    static void show_##symbol(struct text_sink *sink)                                                        \
    {                                                                                                        \
        text_put(sink, text "\n");                                                                           \
    }                                                                                                        \
    TEXT_FILE(symbol) = {where, show_##symbol}

CONSTANT(partitions, "/proc/partitions", "major minor  #blocks  name\n");
CONSTANT(swaps, "/proc/swaps", "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority");
CONSTANT(ostype, "/proc/sys/kernel/ostype", "Linux");
CONSTANT(osrelease, "/proc/sys/kernel/osrelease", SYSTEM_RELEASE);
CONSTANT(kernel_version, "/proc/sys/kernel/version", "#1 unikit");
CONSTANT(domainname, "/proc/sys/kernel/domainname", "(none)");
CONSTANT(pid_max, "/proc/sys/kernel/pid_max", "4194304");
CONSTANT(threads_max, "/proc/sys/kernel/threads-max", "65536");
CONSTANT(cap_last_cap, "/proc/sys/kernel/cap_last_cap", "40");
CONSTANT(ngroups_max, "/proc/sys/kernel/ngroups_max", "65536");
CONSTANT(core_pattern, "/proc/sys/kernel/core_pattern", "core");
CONSTANT(entropy_avail, "/proc/sys/kernel/random/entropy_avail", "256");
CONSTANT(poolsize, "/proc/sys/kernel/random/poolsize", "256");
CONSTANT(file_max, "/proc/sys/fs/file-max", "9223372036854775807");
CONSTANT(nr_open, "/proc/sys/fs/nr_open", "1048576");
CONSTANT(pipe_max_size, "/proc/sys/fs/pipe-max-size", "1048576");
