/* clock.h - the page of time that kernel and vDSO share, and what the clock's sources tell each other. */
#ifndef UNIKIT_CLOCK_H
#define UNIKIT_CLOCK_H

#include <stdint.h>

/* monotonic ns = base_ns + ((tsc - base_tsc) * scale >> 32); real = monotonic + real_offset. Read by user
 * code too (vdso/calls.c): `sequence` is odd while the kernel changes it, so a reader looks twice. */
struct clock_page {
    uint32_t sequence;
    uint32_t reserved;
    uint64_t base_tsc;
    uint64_t base_ns;
    uint64_t scale;
    int64_t real_offset;
};

static inline uint64_t tsc_read(void)
{
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high)::"memory");
    return (uint64_t)high << 32 | low;
}

static inline uint64_t clock_page_ns(const struct clock_page *page, uint64_t tsc)
{
    int64_t ticks = (int64_t)(tsc - page->base_tsc);
    if (ticks < 0)
        ticks = 0; /* a TSC that was set back (migration): time stands rather than jumps */
    return page->base_ns + (uint64_t)((unsigned __int128)(uint64_t)ticks * page->scale >> 32);
}

#ifndef UNIKIT_VDSO
#include "cpu.h"
#include "thread.h"

/* Page aligned and alone in its page. (clock/tsc.c) */
extern struct clock_page clock_page;

/* From now on the TSC advances the time at this rate: ns per tick, times 2^32. Time does not jump. */
void clock_set_scale(uint64_t scale);
/* The real time at this moment, as the host has it. */
void clock_start_real(int64_t ns);
/* Does the real time come from KVM or from the program, so that the host need not be asked? */
bool clock_real_known(void);

/* The event that asks the host for its time, and the answer: ns since 1970, and the time of the question that
 * it is for. True: one more question would tell more. (clock/host.c, for console/report.c) */
void clock_ask(void);
bool clock_told(uint64_t real, uint64_t asked);
/* The clock stood still or was set: what was learned about its rate says nothing now. */
void clock_ask_anew(void);

/* Woken when the real time was set: whoever waits for a real time looks again. (clock/rtc.c) */
extern struct wait_queue clock_real_changes;

/* All clocks, cold or resumed (clock/start.c); its steps are the functions below. */
void clocks_start(void);
void lapic_start(void);      /* clock/lapic.c */
void lapic_alarm_on(void);   /* after clock_start(), which uses the timer as a ruler */
void clock_real_start(void); /* clock/rtc.c */
/* Finds the rate; time goes on from where it was (clock/tsc.c). */
void clock_start(void);
/* The ruler is about to be used for the alarm: takes the better rate first. */
void clock_refine(void);

/* KVM's paravirtual clock (clock/kvmclock.c): the TSC's rate, and the wall clock. False: not there. */
bool kvmclock_scale(uint64_t *scale);
bool kvmclock_real(int64_t *ns);
/* Now and then, from the timer interrupt: the host may have changed the rate (migration). */
void kvmclock_check(void);

/* The LAPIC's timer as a ruler for the TSC (clock/lapic.c). It counts 1 ns a tick under QEMU, KVM,
 * Firecracker and Cloud Hypervisor alike. */
void lapic_ruler_start(void);
uint32_t lapic_ruler_read(void); /* ns since the start, up to 4 s */
#endif

#endif
