/* kvmclock.c - the paravirtual clock of KVM (Linux Documentation/virt/kvm/x86/cpuid.rst and msr.rst): the
 * host says the exact rate of the TSC and the wall clock, so that nothing needs measuring.
 *
 * The page is not read for the time itself: the TSC goes on at the told rate, and the version is looked at
 * with each alarm. It changes when the machine was moved or suspended.
 */
#include "clock.h"
#include "memory.h"

#define CPUID_HYPERVISOR 0x40000000U
#define FEATURE_CLOCK    (1U << 3) /* the second pair of MSRs */
#define MSR_WALL         0x4b564d00U
#define MSR_SYSTEM       0x4b564d01U

/* Filled by the host while `version` is odd. */
static volatile struct {
    uint32_t version, pad;
    uint64_t tsc_timestamp, system_time;
    uint32_t multiplier;
    int8_t shift;
    uint8_t flags, rest[2];
} page __attribute__((aligned(64)));

static volatile struct {
    uint32_t version, seconds, nanoseconds;
} wall __attribute__((aligned(16)));

static bool present;
static uint32_t seen;

static bool find(void)
{
    if (!cpu.hypervisor)
        return false;
    for (uint32_t leaf = CPUID_HYPERVISOR; leaf < CPUID_HYPERVISOR + 0x10000; leaf += 0x100) {
        struct cpuid name = cpuid(leaf, 0);
        if (memcmp(&name.b, "KVMKVMKVM\0\0\0", 12) == 0)
            return cpuid(leaf + 1, 0).a & FEATURE_CLOCK;
    }
    return false;
}

/* ns per tick times 2^32, from the host's ((ticks << shift) * multiplier) >> 32. */
static uint64_t scale_now(uint64_t *system, uint64_t *tsc)
{
    uint32_t version;
    uint64_t scale;
    do {
        version = page.version;
        compiler_barrier();
        scale = page.shift < 0 ? (uint64_t)page.multiplier >> -page.shift
                               : (uint64_t)page.multiplier << page.shift;
        *system = page.system_time;
        *tsc = page.tsc_timestamp;
        compiler_barrier();
    } while (version & 1 || version != page.version);
    seen = version;
    return scale;
}

bool kvmclock_scale(uint64_t *scale)
{
    present = find();
    if (!present)
        return false;
    msr_write(MSR_SYSTEM, virt_to_phys((const void *)&page) | 1);
    uint64_t system, tsc;
    *scale = scale_now(&system, &tsc);
    return *scale != 0;
}

bool kvmclock_real(int64_t *ns)
{
    if (!present)
        return false;
    msr_write(MSR_WALL, virt_to_phys((const void *)&wall));
    compiler_barrier();
    /* The wall clock is that of the moment when the system time was zero. */
    uint64_t system, tsc;
    uint64_t scale = scale_now(&system, &tsc);
    uint64_t since = system + (uint64_t)((unsigned __int128)(tsc_read() - tsc) * scale >> 32);
    *ns = (int64_t)((uint64_t)wall.seconds * 1000000000U + wall.nanoseconds + since);
    return wall.seconds != 0;
}

void kvmclock_check(void)
{
    if (!present || page.version == seen)
        return;
    uint64_t system, tsc;
    clock_set_scale(scale_now(&system, &tsc));
    int64_t real;
    if (kvmclock_real(&real))
        clock_start_real(real);
}
