/* usage.c - what was used: getrusage(2), times(2), sysinfo(2).
 *
 * CPU time is not split into user and system: a system call here is little more than a function call, so all
 * is counted as the program's own.
 */
#include <linux/resource.h>
#include <linux/sysinfo.h>
#include <linux/times.h>
#include "../clock/calls.h"
#include "../threads/internal.h"

#define TICK (SECOND / 100) /* sysconf(_SC_CLK_TCK) */

SYSCALL(getrusage, int who, struct rusage __user *to)
{
    struct rusage usage = {0};
    uint64_t ns;
    switch (who) {
    case RUSAGE_SELF:
        ns = process_cpu_time();
        break;
    case RUSAGE_THREAD:
        ns = thread_cpu_time(current);
        break;
    case RUSAGE_CHILDREN:
        ns = 0;
        break;
    default:
        return -EINVAL;
    }
    usage.ru_utime.tv_sec = (int64_t)(ns / SECOND);
    usage.ru_utime.tv_usec = (int64_t)(ns % SECOND / 1000);
    if (who != RUSAGE_CHILDREN) {
        struct page_totals pages = pages_totals();
        usage.ru_maxrss = (int64_t)((pages.total - pages.low) * (PAGE_SIZE / 1024));
    }
    return copy_out(to, &usage, sizeof(usage));
}

SYSCALL(times, struct tms __user *to)
{
    struct tms t = {.tms_utime = (int64_t)process_cpu_time() / TICK};
    if (to && copy_out(to, &t, sizeof(t)))
        return -EFAULT;
    return (long)(clock_now() / TICK);
}

SYSCALL(sysinfo, struct sysinfo __user *to)
{
    struct page_totals pages = pages_totals();
    struct sysinfo info = {.uptime = (int64_t)clock_now() / SECOND,
                           .totalram = pages.total * PAGE_SIZE,
                           .freeram = pages.free * PAGE_SIZE,
                           .procs = (uint16_t)threads_count,
                           .mem_unit = 1};
    return copy_out(to, &info, sizeof(info));
}
