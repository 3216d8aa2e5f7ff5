/* lapic.c - the local APIC: the alarm, end of interrupt, and the ruler for the TSC (Intel SDM vol. 3, ch.
 * 11).
 *
 * The alarm is one-shot, by TSC deadline where the CPU has that, else by the LAPIC's own count. Programming
 * it costs an exit to the host, so an alarm that is set too early is left: the interrupt finds nothing due
 * and sets the next.
 *
 * xAPIC by memory, or x2APIC by MSR if firmware left it on. LINT0 and LINT1 are masked: nothing comes through
 * the old interrupt controllers.
 */
#include "clock.h"
#include "memory.h"
#include "thread.h"
#include "../threads/internal.h"

#define MSR_X2APIC       0x800
#define MSR_TSC_DEADLINE 0x6e0
#define APIC_ENABLED     (1UL << 11)
#define APIC_X2          (1UL << 10)

enum {
    LAPIC_TPR = 0x80,
    LAPIC_EOI = 0xb0,
    LAPIC_SPURIOUS = 0xf0,
    LAPIC_TIMER = 0x320,
    LAPIC_LINT0 = 0x350,
    LAPIC_LINT1 = 0x360,
    LAPIC_ERROR = 0x370,
    LAPIC_INITIAL = 0x380,
    LAPIC_CURRENT = 0x390,
    LAPIC_DIVIDE = 0x3e0,
};
#define LVT_MASKED   (1U << 16)
#define LVT_DEADLINE (2U << 17)
#define DIVIDE_BY_1  0xb

#define ALARM_LEAST 1000UL       /* ns: less would be over before it is set */
#define ALARM_MOST  4000000000UL /* ns: what 32 bits hold */

static volatile uint8_t *registers PER_BOOT; /* NULL: x2APIC, by MSR */
static bool deadline;
static int vector PER_BOOT;
static uint64_t programmed = NEVER;

static void write(unsigned reg, uint32_t value)
{
    if (registers)
        *(volatile uint32_t *)(registers + reg) = value;
    else
        msr_write(MSR_X2APIC + (reg >> 4), value);
}

static uint32_t read(unsigned reg)
{
    return registers ? *(volatile uint32_t *)(registers + reg) : (uint32_t)msr_read(MSR_X2APIC + (reg >> 4));
}

void lapic_eoi(void)
{
    write(LAPIC_EOI, 0);
}

void lapic_ruler_start(void)
{
    write(LAPIC_TIMER, LVT_MASKED | (uint32_t)vector);
    write(LAPIC_INITIAL, UINT32_MAX);
}

uint32_t lapic_ruler_read(void)
{
    return UINT32_MAX - read(LAPIC_CURRENT);
}

static void alarm_rings(void *data)
{
    (void)data;
    programmed = NEVER;
    kvmclock_check();
    timers_run();
    schedule_tick();
}

void clock_alarm(uint64_t when)
{
    if (when >= programmed)
        return;
    if (!deadline)
        clock_refine();
    programmed = when;
    uint64_t now = clock_now();
    uint64_t wait = when > now ? when - now : 0;
    wait = min(max(wait, ALARM_LEAST), ALARM_MOST);
    if (deadline) {
        msr_write(MSR_TSC_DEADLINE,
                  tsc_read() + (uint64_t)(((unsigned __int128)wait << 32) / clock_page.scale));
    } else {
        write(LAPIC_TIMER, (uint32_t)vector);
        write(LAPIC_INITIAL, (uint32_t)wait);
    }
}

void lapic_start(void)
{
    uint64_t base = msr_read(MSR_APIC_BASE);
    if (!(base & APIC_ENABLED))
        msr_write(MSR_APIC_BASE, base |= APIC_ENABLED);
    if (base & APIC_X2)
        registers = NULL;
    else if (!registers)
        registers = mmio_map(base & 0xffffff000UL, PAGE_SIZE);
    deadline = cpuid(1, 0).c & (1U << 24);
    if (!vector)
        vector = interrupt_vector(alarm_rings, NULL);
    assert(vector > 0);
    write(LAPIC_TPR, 0);
    write(LAPIC_SPURIOUS, 0x100 | LAPIC_SPURIOUS_VECTOR);
    write(LAPIC_LINT0, LVT_MASKED);
    write(LAPIC_LINT1, LVT_MASKED);
    write(LAPIC_ERROR, LVT_MASKED);
    write(LAPIC_DIVIDE, DIVIDE_BY_1);
    programmed = NEVER;
}

void lapic_alarm_on(void)
{
    if (!deadline)
        return; /* the count is written with each alarm */
    write(LAPIC_TIMER, LVT_DEADLINE | (uint32_t)vector);
    /* SDM 11.5.4.1: the write to the mode must be seen before one to the deadline. */
    __asm__ volatile("mfence" ::: "memory");
}
