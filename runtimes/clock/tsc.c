/* tsc.c - CLOCK_MONOTONIC by the time-stamp counter.
 *
 * The rate comes, best first, from KVM's paravirtual clock, CPUID.15h (crystal and ratio), or by comparing
 * with the LAPIC timer. The comparison takes SHORT_NS at boot and is repeated over the long stretch until the
 * first alarm is wanted, when the error of reading both has become small against it; the time itself does not
 * jump then, only its rate changes by parts in ten thousand. CPUID.16h is not used: it tells the marketing
 * frequency.
 *
 * Products are taken in 128 bits, so no stretch of time overflows and the base need never move.
 */
#include "clock.h"
#include "thread.h"

#define SHORT_NS 1000000U
#define LONG_NS  4000000U
#define RULER_NS 4000000000U /* its end is near */

static struct {
    struct clock_page page;
    uint8_t rest[4096 - sizeof(struct clock_page)];
} shared __attribute__((aligned(4096)));

extern struct clock_page clock_page __attribute__((alias("shared")));

/* One look at both counters, the TSC's value being the middle of the fastest of some tries. */
struct sight {
    uint64_t tsc;
    uint32_t ns;
};
static struct sight ruler_start;
static bool refine;

static struct sight look(void)
{
    struct sight best = {0, 0};
    uint64_t least = UINT64_MAX;
    for (int i = 0; i < 8; i++) {
        uint64_t before = tsc_read();
        uint32_t ns = lapic_ruler_read();
        uint64_t after = tsc_read();
        if (after - before < least) {
            least = after - before;
            best = (struct sight){before + least / 2, ns};
        }
    }
    return best;
}

static uint64_t ruler_scale(struct sight now)
{
    return ((uint64_t)(now.ns - ruler_start.ns) << 32) / (now.tsc - ruler_start.tsc);
}

static bool cpuid_scale(uint64_t *scale)
{
    struct cpuid crystal = cpuid(0, 0).a >= 0x15 ? cpuid(0x15, 0) : (struct cpuid){0};
    if (!crystal.a || !crystal.b || !crystal.c)
        return false;
    /* ticks a second = crystal * b / a */
    *scale =
        (uint64_t)(((unsigned __int128)1000000000U << 32) * crystal.a / ((uint64_t)crystal.c * crystal.b));
    return true;
}

uint64_t clock_now(void)
{
    return clock_page_ns(&clock_page, tsc_read());
}

void clock_set_scale(uint64_t scale)
{
    uint64_t tsc = tsc_read();
    uint64_t ns = clock_page_ns(&clock_page, tsc);
    clock_page.sequence++;
    compiler_barrier();
    clock_page.base_tsc = tsc;
    clock_page.base_ns = ns;
    clock_page.scale = scale;
    compiler_barrier();
    clock_page.sequence++;
}

/* Before the ruler is put to its other use, the alarm: the better rate (clock/lapic.c calls). */
void clock_refine(void)
{
    if (!refine)
        return;
    refine = false;
    struct sight now = look();
    if (now.ns - ruler_start.ns >= LONG_NS && now.ns < RULER_NS)
        clock_set_scale(ruler_scale(now));
}

uint64_t clock_power_on;

/* The memory is written out: a resumed boot goes on from here. Until its clock has been started no time
 * passes. */
void clock_freeze(void)
{
    clock_set_scale(0);
    clock_power_on = clock_page.base_ns;
}

/* Cold and resumed boots: base_ns holds the time that the image had when it was frozen (0 when cold), and
 * time goes on from there. */
void clock_start(void)
{
    uint64_t scale;
    if (!kvmclock_scale(&scale) && !cpuid_scale(&scale)) {
        lapic_ruler_start();
        ruler_start = look();
        struct sight now;
        do {
            now = look();
        } while (now.ns - ruler_start.ns < SHORT_NS);
        scale = ruler_scale(now);
        refine = true;
    }
    clock_page.sequence++;
    compiler_barrier();
    /* The TSC started at power-on, so a cold boot's clock does too. */
    uint64_t tsc = tsc_read();
    uint64_t since = (uint64_t)((unsigned __int128)tsc * scale >> 32);
    if (clock_page.base_ns == 0)
        clock_page.base_ns = since;
    clock_power_on = clock_page.base_ns - since;
    clock_page.base_tsc = tsc;
    clock_page.scale = scale;
    compiler_barrier();
    clock_page.sequence++;
}
