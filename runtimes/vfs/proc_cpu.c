/* proc_cpu.c - the CPU and its time: /proc/cpuinfo, stat, uptime, loadavg, /sys/devices/system/cpu (proc(5)).
 *
 * What the CPU can do is read from CPUID (Intel SDM volume 2; AMD APM volume 3, appendix E), with the names
 * that Linux gives the bits. */
#include "clock.h"
#include "cpu.h"
#include "memory.h"
#include "proc.h"
#include "process.h"
#include "thread.h"

#define TICK (1000000000 / 100)

/* Names of the bits 0..31 of one register, "" where a bit has none. */
struct names {
    uint32_t leaf, sub;
    char which; /* a, b, c or d */
    const char *bits[32];
};

static const struct names features[] = {
    {1, 0, 'd', {"fpu",  "vme",  "de",   "pse", "tsc",  "msr", "pae",   "mce", "cx8",     "apic", "",
                 "sep",  "mtrr", "pge",  "mca", "cmov", "pat", "pse36", "pn",  "clflush", "",     "dts",
                 "acpi", "mmx",  "fxsr", "sse", "sse2", "ss",  "ht",    "tm",  "ia64",    "pbe"}},
    {1, 0, 'c', {"pni",    "pclmulqdq", "dtes64", "monitor", "ds_cpl",
                 "vmx",    "smx",       "est",    "tm2",     "ssse3",
                 "cid",    "sdbg",      "fma",    "cx16",    "xtpr",
                 "pdcm",   "",          "pcid",   "dca",     "sse4_1",
                 "sse4_2", "x2apic",    "movbe",  "popcnt",  "tsc_deadline_timer",
                 "aes",    "xsave",     "",       "avx",     "f16c",
                 "rdrand", "hypervisor"}},
    {0x80000001,
     0,
     'd',
     {[11] = "syscall",
      [19] = "mp",
      [20] = "nx",
      [22] = "mmxext",
      [25] = "fxsr_opt",
      [26] = "pdpe1gb",
      [27] = "rdtscp",
      [29] = "lm",
      [30] = "3dnowext",
      [31] = "3dnow"}},
    {0x80000001,
     0,
     'c',
     {"lahf_lm",       "cmp_legacy", "svm", "extapic",    "cr8_legacy", "abm", "sse4a",  "misalignsse",
      "3dnowprefetch", "osvw",       "ibs", "xop",        "skinit",     "wdt", "",       "lwp",
      "fma4",          "tce",        "",    "nodeid_msr", "",           "tbm", "topoext"}},
    {7, 0, 'b', {"fsgsbase",   "tsc_adjust", "sgx",        "bmi1",     "hle",      "avx2",     "",
                 "smep",       "bmi2",       "erms",       "invpcid",  "rtm",      "cqm",      "",
                 "mpx",        "rdt_a",      "avx512f",    "avx512dq", "rdseed",   "adx",      "smap",
                 "avx512ifma", "",           "clflushopt", "clwb",     "intel_pt", "avx512pf", "avx512er",
                 "avx512cd",   "sha_ni",     "avx512bw",   "avx512vl"}},
    {7,
     0,
     'c',
     {"", "avx512vbmi", "umip", "pku", "ospke", "waitpkg", "avx512_vbmi2", "", "gfni", "vaes", "vpclmulqdq",
      "avx512_vnni", "avx512_bitalg", "tme", "avx512_vpopcntdq", "", "la57", [22] = "rdpid"}},
    {7,
     0,
     'd',
     {[2] = "avx512_4vnniw",
      [3] = "avx512_4fmaps",
      [4] = "fsrm",
      [8] = "avx512_vp2intersect",
      [10] = "md_clear",
      [14] = "serialize",
      [23] = "avx512_fp16"}},
    {7, 1, 'a', {[4] = "avx_vnni", [5] = "avx512_bf16"}},
    {13, 1, 'a', {"xsaveopt", "xsavec", "xgetbv1", "xsaves"}},
};

static uint32_t bits_of(const struct names *n)
{
    if (cpuid(n->leaf & 0x80000000, 0).a < n->leaf)
        return 0;
    struct cpuid r = cpuid(n->leaf, n->sub);
    uint32_t bits = n->which == 'a' ? r.a : n->which == 'b' ? r.b : n->which == 'c' ? r.c : r.d;
    /* Extensions of the register set are of use only if they are saved. */
    if (n->leaf == 7 && n->which == 'b' && !(cpu.xcr0 & 4))
        bits &= ~(1U << 5);
    if (n->leaf == 1 && n->which == 'c' && !(cpu.xcr0 & 4))
        bits &= ~(1U << 28 | 1U << 12 | 1U << 29);
    return bits;
}

static bool is_avx512(const char *name)
{
    return strncmp(name, "avx512", 6) == 0;
}

/* A register's four bytes as text. */
static char *put_register(char *to, uint32_t value)
{
    memcpy(to, &value, 4);
    return to + 4;
}

static void show_cpuinfo(struct text_sink *sink)
{
    struct cpuid vendor = cpuid(0, 0), version = cpuid(1, 0), sizes = {0};
    char id[13] = "", brand[49] = "unknown", *p = id;
    uint32_t most = cpuid(0x80000000, 0).a;

    p = put_register(p, vendor.b);
    p = put_register(p, vendor.d);
    p = put_register(p, vendor.c);
    *p = 0;
    if (most >= 0x80000004) {
        p = brand;
        for (uint32_t leaf = 0x80000002; leaf <= 0x80000004; leaf++) {
            struct cpuid r = cpuid(leaf, 0);
            p = put_register(p, r.a);
            p = put_register(p, r.b);
            p = put_register(p, r.c);
            p = put_register(p, r.d);
        }
        brand[48] = 0;
    }
    if (most >= 0x80000008)
        sizes = cpuid(0x80000008, 0);
    uint32_t family = version.a >> 8 & 15, model = version.a >> 4 & 15;
    if (family == 6 || family == 15)
        model += (version.a >> 16 & 15) << 4;
    if (family == 15)
        family += version.a >> 20 & 255;
    const char *name = brand;
    while (*name == ' ')
        name++;
    text_put(sink,
             "processor\t: 0\nvendor_id\t: %s\ncpu family\t: %u\nmodel\t\t: %u\nmodel name\t: "
             "%s\nstepping\t: %u\n",
             id, family, model, name, version.a & 15);
    text_put(sink, "microcode\t: 0x1\n");
    uint64_t khz = clock_page.scale ? (1000000UL << 32) / clock_page.scale : 0; /* ns per tick, times 2^32 */
    if (khz)
        text_put(sink, "cpu MHz\t\t: %lu.%03lu\n", khz / 1000, khz % 1000);
    text_put(sink,
             "physical id\t: 0\nsiblings\t: 1\ncore id\t\t: 0\ncpu cores\t: 1\napicid\t\t: %u\ninitial "
             "apicid\t: %u\n",
             version.b >> 24, version.b >> 24);
    text_put(sink,
             "fpu\t\t: yes\nfpu_exception\t: yes\ncpuid level\t: %u\nwp\t\t: yes\nflags\t\t:", vendor.a);
    for (size_t i = 0; i < array_size(features); i++) {
        uint32_t bits = bits_of(&features[i]);
        for (unsigned bit = 0; bit < 32; bit++) {
            const char *feature = features[i].bits[bit];
            if (!(bits >> bit & 1) || !feature || !*feature ||
                (is_avx512(feature) && (cpu.xcr0 & 0xe0) != 0xe0))
                continue;
            text_put(sink, " %s", feature);
        }
    }
    if (cpu.invariant_tsc)
        text_put(sink, " constant_tsc nonstop_tsc");
    text_put(sink, "\nbugs\t\t:\nbogomips\t: %lu.%02lu\nclflush size\t: %u\ncache_alignment\t: 64\n",
             khz / 500, khz / 5 % 100, (version.b >> 8 & 255) * 8);
    text_put(sink, "address sizes\t: %u bits physical, %u bits virtual\npower management:\n\n",
             sizes.a & 255 ? sizes.a & 255 : 36, sizes.a >> 8 & 255 ? sizes.a >> 8 & 255 : 48);
}

static uint64_t busy(void)
{
    uint64_t sum = 0;
    list_for_each (p, &threads_all) {
        const struct thread *t = list_entry(p, struct thread, all);
        sum += t->ran + (t == current ? clock_now() - t->since : 0);
    }
    return sum;
}

static void show_stat(struct text_sink *sink)
{
    uint64_t now = clock_now(), used = min(busy(), now);
    int64_t boot = clock_real() - (int64_t)now;

    for (int i = 0; i < 2; i++)
        text_put(sink, "cpu%s %lu 0 0 %lu 0 0 0 0 0 0\n", i ? "0" : " ", used / TICK, (now - used) / TICK);
    text_put(sink, "intr 0\nctxt 0\nbtime %ld\nprocesses 1\nprocs_running 1\nprocs_blocked 0\n",
             boot / 1000000000);
}

static void show_uptime(struct text_sink *sink)
{
    uint64_t now = clock_now() / (TICK), idle = (clock_now() - min(busy(), clock_now())) / (TICK);
    text_put(sink, "%lu.%02lu %lu.%02lu\n", now / 100, now % 100, idle / 100, idle % 100);
}

static void show_loadavg(struct text_sink *sink)
{
    unsigned running = 0;
    int last = process_id;
    list_for_each (p, &threads_all) {
        const struct thread *t = list_entry(p, struct thread, all);
        running += t == current || t->state == THREAD_READY;
        last = max(last, t->tid);
    }
    text_put(sink, "0.00 0.00 0.00 %u/%d %d\n", running, threads_count, last);
}

static void show_first(struct text_sink *sink)
{
    text_put(sink, "0\n");
}

static void show_one(struct text_sink *sink)
{
    text_put(sink, "1\n");
}

TEXT_FILE(cpuinfo) = {"/proc/cpuinfo", show_cpuinfo};
TEXT_FILE(stat) = {"/proc/stat", show_stat};
TEXT_FILE(uptime) = {"/proc/uptime", show_uptime};
TEXT_FILE(loadavg) = {"/proc/loadavg", show_loadavg};
TEXT_FILE(cpu_online) = {"/sys/devices/system/cpu/online", show_first};
TEXT_FILE(cpu_possible) = {"/sys/devices/system/cpu/possible", show_first};
TEXT_FILE(cpu_present) = {"/sys/devices/system/cpu/present", show_first};
TEXT_FILE(cpu_kernel_max) = {"/sys/devices/system/cpu/kernel_max", show_first};
TEXT_FILE(cpu0_online) = {"/sys/devices/system/cpu/cpu0/online", show_one};
TEXT_FILE(cpu0_core) = {"/sys/devices/system/cpu/cpu0/topology/core_id", show_first};
TEXT_FILE(cpu0_package) = {"/sys/devices/system/cpu/cpu0/topology/physical_package_id", show_first};
TEXT_FILE(cpu0_siblings) = {"/sys/devices/system/cpu/cpu0/topology/thread_siblings_list", show_first};
TEXT_FILE(cpu0_siblings_map) = {"/sys/devices/system/cpu/cpu0/topology/thread_siblings", show_one};
TEXT_FILE(cpu0_cores) = {"/sys/devices/system/cpu/cpu0/topology/core_siblings_list", show_first};
TEXT_FILE(cpu0_cores_map) = {"/sys/devices/system/cpu/cpu0/topology/core_siblings", show_one};
TEXT_FILE(cpu0_core_cpus) = {"/sys/devices/system/cpu/cpu0/topology/core_cpus_list", show_first};
