/* exit.c - a thread ends, the process ends: exit(2), exit_group(2).
 *
 * The end of the process is the end of the machine: what the supervisor should know goes out through the
 * report channel, then the power goes off with the process's status, 128 + the signal's number as a shell has
 * it. Files are closed first, as their peers would see it on Linux; memory dies with the machine.
 */
#include "internal.h"
#include "memory.h"
#include "process.h"
#include "report.h"
#include "trace.h"

uint64_t threads_ended_time;

/* The process's status when the last thread ends by exit(2): that of the first thread. */
static int leader_status;

/* The member "stderr" of the open event: what the app said last. (console/) */
WEAK void report_stderr(void) {}
WEAK void missing_report(void) {}
WEAK void trace_report(void) {}
WEAK void space_tell_shortage(void) {}
WEAK void space_tell_refused(void) {}
/* vfs/: open files are closed, so that sockets say goodbye and nothing stays in a buffer. */
void fd_close_range(unsigned first, unsigned last, bool only_mark) WEAK;
/* network/: until what was sent is taken by its peers, or for a short while. */
WEAK void network_goodbye(void) {}
/* Without signals/ a fault is the end, and nothing else comes. */
WEAK int signal_send(struct thread *t, const struct signal_info *info)
{
    (void)t, (void)info;
    return 0;
}
WEAK void signal_fault(int number, int code, uintptr_t address)
{
    (void)code, (void)address;
    process_exit(0, number);
}
WEAK bool signal_pending(void)
{
    return false;
}
WEAK void signal_deliver(struct registers *user, bool system_call)
{
    (void)user, (void)system_call;
}
WEAK void signals_forget(struct thread *t)
{
    (void)t;
}
WEAK size_t signal_frame_size(void)
{
    return 2048;
}

/* No other thread runs from here on, so that this one may wait. */
static void stop_others(void)
{
    list_for_each (p, &threads_all) {
        struct thread *t = list_entry(p, struct thread, all);
        if (t == current)
            continue;
        list_remove(&t->run);
        t->state = THREAD_DEAD;
    }
    current->signals.blocked = ~0UL;
}

static void report_memory_totals(void)
{
    struct page_totals pages = pages_totals();
    report_begin("memory");
    report_number("total", (int64_t)(pages.total * PAGE_SIZE));
    report_number("free", (int64_t)(pages.free * PAGE_SIZE));
    report_number("high", (int64_t)((pages.total - pages.low) * PAGE_SIZE));
    report_end();
}

void process_exit(int status, int signal)
{
    static bool ending;
    if (!ending) {
        ending = true;
        stop_others();
        if (fd_close_range)
            fd_close_range(0, ~0U, false);
        network_goodbye();
        missing_report();
        trace_report();
        space_tell_refused();
        if (status || signal)
            space_tell_shortage();
        report_memory_totals();
        report_begin("exit");
        if (signal)
            report_number("signal", signal);
        else
            report_number("status", status & 0xff);
        report_stderr();
        report_end();
        report_flush();
    }
    power_off(signal ? 128 + signal : status & 0xff);
}

void thread_exit(int status)
{
    struct thread *t = current;
    if (t->tid == process_id)
        leader_status = status;
    if (threads_count == 1)
        process_exit(leader_status, 0);
    robust_release(t);
    if (t->clear_tid) {
        /* pthread_join() waits for this word (set_tid_address(2)). */
        if (put_user((int __user *)t->clear_tid, 0) == 0)
            futex_wake_address(t->clear_tid, 1);
    }
    signals_forget(t);
    fpu_forget(t);
    list_remove(&t->all);
    threads_count--;
    threads_ended_time += thread_cpu_time(t);
    t->state = THREAD_DEAD;
    schedule();
    panic("thread %d runs after its end", t->tid);
}

SYSCALL(exit, int status)
{
    thread_exit(status);
}

SYSCALL(exit_group, int status)
{
    process_exit(status, 0);
}
