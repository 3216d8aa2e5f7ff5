/* calls.c - the vDSO: reading clocks without entering the kernel (vdso(7)). glibc finds these by name and
 * version.
 *
 * The clock's page lies right below this object (vdso.lds). Its sequence number is odd while the kernel
 * changes it; a reader that was interrupted looks again.
 */
#define UNIKIT_VDSO
#include <asm/unistd_64.h>
#include <linux/time.h>
#include <linux/time_types.h>
#include <stddef.h>
#include "clock.h"

#define SECOND    1000000000L
#define EXPORT    __attribute__((visibility("default")))
#define ALIAS(of) __attribute__((visibility("default"), weak, alias(#of)))
#define FENCE     __asm__ volatile("" ::: "memory")

extern const volatile struct clock_page vdso_clock_page __attribute__((visibility("hidden")));

struct moment {
    uint64_t monotonic;
    int64_t real;
};

static inline struct moment now(void)
{
    struct moment m;
    uint32_t sequence;
    do {
        sequence = vdso_clock_page.sequence;
        FENCE;
        struct clock_page page = {.base_tsc = vdso_clock_page.base_tsc,
                                  .base_ns = vdso_clock_page.base_ns,
                                  .scale = vdso_clock_page.scale};
        /* Not before what came before: two threads that agree on an order must see it in the time. */
        __asm__ volatile("lfence" ::: "memory");
        m.monotonic = clock_page_ns(&page, tsc_read());
        m.real = (int64_t)m.monotonic + vdso_clock_page.real_offset;
        FENCE;
    } while (sequence & 1 || sequence != vdso_clock_page.sequence);
    return m;
}

static long call2(long number, long a, long b)
{
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "0"(number), "D"(a), "S"(b) : "rcx", "r11", "memory");
    return result;
}

EXPORT int __vdso_clock_gettime(int id, struct __kernel_timespec *to)
{
    int64_t ns;
    switch (id) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
    case CLOCK_TAI:
        ns = now().real;
        break;
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_BOOTTIME:
        ns = (int64_t)now().monotonic;
        break;
    default: /* CPU time, and what is not a clock */
        return (int)call2(__NR_clock_gettime, id, (long)to);
    }
    /* The real time is never set to before 1970. */
    to->tv_sec = (int64_t)((uint64_t)ns / SECOND);
    to->tv_nsec = (int64_t)((uint64_t)ns % SECOND);
    return 0;
}

EXPORT int __vdso_clock_getres(int id, struct __kernel_timespec *to)
{
    return (int)call2(__NR_clock_getres, id, (long)to);
}

EXPORT int __vdso_gettimeofday(struct __kernel_old_timeval *time, struct timezone *zone)
{
    if (time) {
        uint64_t ns = (uint64_t)now().real;
        time->tv_sec = (__kernel_long_t)(ns / SECOND);
        time->tv_usec = (__kernel_long_t)(ns % SECOND / 1000);
    }
    if (zone)
        *zone = (struct timezone){0, 0};
    return 0;
}

EXPORT __kernel_old_time_t __vdso_time(__kernel_old_time_t *to)
{
    __kernel_old_time_t seconds = (__kernel_old_time_t)((uint64_t)now().real / SECOND);
    if (to)
        *to = seconds;
    return seconds;
}

EXPORT long __vdso_getcpu(unsigned *cpu, unsigned *node, void *unused)
{
    (void)unused;
    if (cpu)
        *cpu = 0;
    if (node)
        *node = 0;
    return 0;
}

ALIAS(__vdso_clock_gettime) int clock_gettime(int id, struct __kernel_timespec *to);
ALIAS(__vdso_clock_getres) int clock_getres(int id, struct __kernel_timespec *to);
ALIAS(__vdso_gettimeofday) int gettimeofday(struct __kernel_old_timeval *time, struct timezone *zone);
ALIAS(__vdso_time) __kernel_old_time_t time(__kernel_old_time_t *to);
ALIAS(__vdso_getcpu) long getcpu(unsigned *cpu, unsigned *node, void *unused);
