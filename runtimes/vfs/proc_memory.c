/* proc_memory.c - memory as a whole and of the process: /proc/meminfo, /proc/self/maps, statm, NUMA's one
 * node (proc(5), sysfs-devices-node). */
#include <linux/mman.h>

#include "exec.h"
#include "memory.h"
#include "proc.h"
#include "pte.h"

#define KB (PAGE_SIZE / 1024)

static void show_meminfo(struct text_sink *sink)
{
    struct page_totals pages = pages_totals();
    struct data_totals files = data_totals();
    struct space_totals space = space_totals();
    const struct {
        const char *name;
        size_t kb;
    } lines[] = {
        {"MemTotal", pages.total * KB},
        {"MemFree", pages.free * KB},
        {"MemAvailable", pages.free * KB},
        {"Buffers", 0},
        {"Cached", files.used * KB},
        {"SwapCached", 0},
        {"Active", space.resident * KB},
        {"Inactive", 0},
        {"SwapTotal", 0},
        {"SwapFree", 0},
        {"Dirty", 0},
        {"Writeback", 0},
        {"AnonPages", space.resident * KB},
        {"Mapped", space.resident * KB},
        {"Shmem", files.used * KB},
        {"Slab", 0},
        {"SReclaimable", 0},
        {"SUnreclaim", 0},
        {"CommitLimit", pages.total * KB},
        {"Committed_AS", space.mapped * KB},
        {"VmallocTotal", 0},
        {"VmallocUsed", 0},
        {"AnonHugePages", 0},
    };

    for (size_t i = 0; i < array_size(lines); i++) {
        char name[24];
        snprintf(name, sizeof(name), "%s:", lines[i].name);
        text_put(sink, "%-16s%8zu kB\n", name, lines[i].kb);
    }
    text_put(sink, "HugePages_Total:       0\nHugePages_Free:        0\nHugePages_Rsvd:        "
                   "0\nHugePages_Surp:        0\n"
                   "Hugepagesize:       2048 kB\n");
}

static void show_mapping(struct text_sink *sink, const struct mapping *m)
{
    const struct node *n = m->file ? m->file->node : NULL;
    const char *name = m->file && m->file->path ? m->file->path : "";
    uintptr_t brk_start, brk_end;
    char head[96];

    space_brk_range(&brk_start, &brk_end);
    if (m->start >= exec_information.stack_start && m->end <= exec_information.stack_end)
        name = "[stack]";
    else if (!m->file && m->start >= brk_start && m->end <= align_up(brk_end, PAGE_SIZE) &&
             brk_end > brk_start)
        name = "[heap]";
    int length = snprintf(head, sizeof(head), "%lx-%lx %c%c%c%c %08lx %02x:%02x %lu ", m->start, m->end,
                          m->prot & PROT_READ ? 'r' : '-', m->prot & PROT_WRITE ? 'w' : '-',
                          m->prot & PROT_EXEC ? 'x' : '-', m->flags & MAP_SHARED ? 's' : 'p',
                          m->file ? m->offset : 0UL, 0, n ? n->device : 0, n ? n->number : 0UL);
    text_put(sink, *name && length < 73 ? "%-73s%s%s\n" : "%s%s%s\n", head, name,
             n && !n->links && *name == '/' ? " (deleted)" : "");
}

static void show_maps(struct text_sink *sink)
{
    uintptr_t at = 0;

    for (const struct mapping *m; (m = space_next(at)) != NULL; at = m->end)
        show_mapping(sink, m);
}

/* Pages of mappings, by whose they are. */
struct usage {
    size_t mapped, private_pages, shared_pages;
};

static void count(const struct mapping *m, struct usage *usage)
{
    usage->mapped += (m->end - m->start) / PAGE_SIZE;
    for (uintptr_t at = m->start, next; at < m->end; at = next) {
        const uint64_t *entry = pte_find(at, &next);
        if (!entry)
            continue; /* a whole table is not there */
        next = at + PAGE_SIZE;
        if (*entry & PTE_OWN)
            usage->private_pages++;
        else if (*entry & PTE_USED)
            usage->shared_pages++; /* the image's, or the file's too */
    }
}

static void show_usage(struct text_sink *sink, const struct usage *u, bool anonymous)
{
    size_t resident = u->private_pages + u->shared_pages;

    text_put(sink, "Rss:            %8zu kB\nPss:            %8zu kB\n", resident * KB, resident * KB);
    text_put(sink, "Shared_Clean:   %8zu kB\nShared_Dirty:          0 kB\nPrivate_Clean:         0 kB\n",
             u->shared_pages * KB);
    text_put(sink, "Private_Dirty:  %8zu kB\nReferenced:     %8zu kB\nAnonymous:      %8zu kB\n",
             u->private_pages * KB, resident * KB, (anonymous ? resident : u->private_pages) * KB);
    text_put(sink, "LazyFree:              0 kB\nAnonHugePages:         0 kB\nSwap:                  0 kB\n"
                   "SwapPss:               0 kB\nLocked:                0 kB\n");
}

static void show_smaps(struct text_sink *sink)
{
    uintptr_t at = 0;

    for (const struct mapping *m; (m = space_next(at)) != NULL; at = m->end) {
        struct usage usage = {0};
        count(m, &usage);
        show_mapping(sink, m);
        text_put(sink, "Size:           %8zu kB\nKernelPageSize:        4 kB\nMMUPageSize:           4 kB\n",
                 usage.mapped * KB);
        show_usage(sink, &usage, !m->file);
        text_put(sink, "VmFlags:%s%s%s\n", m->prot & PROT_READ ? " rd" : "",
                 m->prot & PROT_WRITE ? " wr" : "", m->prot & PROT_EXEC ? " ex" : "");
    }
}

static void show_rollup(struct text_sink *sink)
{
    struct usage usage = {0};
    uintptr_t at = 0;

    for (const struct mapping *m; (m = space_next(at)) != NULL; at = m->end)
        count(m, &usage);
    text_put(sink, "%08lx-%08lx ---p 00000000 00:00 0                          [rollup]\n", 0UL, at);
    show_usage(sink, &usage, false);
}

/* Nothing is ever swapped. */
static void show_vmstat(struct text_sink *sink)
{
    text_put(sink, "nr_free_pages %zu\npgpgin 0\npgpgout 0\npswpin 0\npswpout 0\n", pages_totals().free);
}

static void show_statm(struct text_sink *sink)
{
    struct space_totals space = space_totals();
    size_t code = (exec_information.code_end - exec_information.code_start) / PAGE_SIZE;
    text_put(sink, "%zu %zu 0 %zu 0 %zu 0\n", space.mapped, space.resident, code,
             space.mapped - min(code, space.mapped));
}

TEXT_FILE(meminfo) = {"/proc/meminfo", show_meminfo};
TEXT_FILE(maps) = {"/proc/self/maps", show_maps};
TEXT_FILE(smaps) = {"/proc/self/smaps", show_smaps};
TEXT_FILE(smaps_rollup) = {"/proc/self/smaps_rollup", show_rollup};
TEXT_FILE(vmstat) = {"/proc/vmstat", show_vmstat};
TEXT_FILE(statm) = {"/proc/self/statm", show_statm};

static void show_overcommit(struct text_sink *sink)
{
    text_put(sink, "0\n");
}

static void show_map_count(struct text_sink *sink)
{
    text_put(sink, "65530\n");
}

static void show_mmap_min(struct text_sink *sink)
{
    text_put(sink, "65536\n");
}

static void show_randomize(struct text_sink *sink)
{
    text_put(sink, "2\n");
}

/* Pages are 4 KiB, always. */
static void show_huge(struct text_sink *sink)
{
    text_put(sink, "always madvise [never]\n");
}

static void show_node(struct text_sink *sink)
{
    text_put(sink, "0\n");
}

static void show_node_map(struct text_sink *sink)
{
    text_put(sink, "1\n");
}

static void show_distance(struct text_sink *sink)
{
    text_put(sink, "10\n");
}

static void show_node_memory(struct text_sink *sink)
{
    struct page_totals pages = pages_totals();
    text_put(
        sink,
        "Node 0 MemTotal:       %8zu kB\nNode 0 MemFree:        %8zu kB\nNode 0 MemUsed:        %8zu kB\n",
        pages.total * KB, pages.free * KB, (pages.total - pages.free) * KB);
}

TEXT_FILE(overcommit) = {"/proc/sys/vm/overcommit_memory", show_overcommit};
TEXT_FILE(map_count) = {"/proc/sys/vm/max_map_count", show_map_count};
TEXT_FILE(mmap_min) = {"/proc/sys/vm/mmap_min_addr", show_mmap_min};
TEXT_FILE(randomize) = {"/proc/sys/kernel/randomize_va_space", show_randomize};
TEXT_FILE(huge) = {"/sys/kernel/mm/transparent_hugepage/enabled", show_huge};
TEXT_FILE(node_online) = {"/sys/devices/system/node/online", show_node};
TEXT_FILE(node_possible) = {"/sys/devices/system/node/possible", show_node};
TEXT_FILE(node_cpulist) = {"/sys/devices/system/node/node0/cpulist", show_node};
TEXT_FILE(node_cpumap) = {"/sys/devices/system/node/node0/cpumap", show_node_map};
TEXT_FILE(node_distance) = {"/sys/devices/system/node/node0/distance", show_distance};
TEXT_FILE(node_meminfo) = {"/sys/devices/system/node/node0/meminfo", show_node_memory};
