/* trace/calls.c - which system calls a run makes, for `unikit build --trace`: every handler of the table is
 * reached through one that counts. */
#include "config.h"
#include "report.h"
#include "syscall_names.h"
#include "thread.h"
#include "trace.h"

#define TABLE_SIZE 512 /* SYSCALL_TABLE_SIZE of boot/registers.h */

typedef long (*syscall_handler)(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t);

extern syscall_handler syscall_table[TABLE_SIZE];
long syscall_missing(void);

static syscall_handler handlers[TABLE_SIZE];
static uint64_t times[TABLE_SIZE];

static long counted(uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f)
{
    uint64_t number = current->user->number;
    times[number]++;
    return handlers[number](a, b, c, d, e, f);
}

/* After the table was filled. Calls that are not there are told as missing, not counted. */
INIT(time)
{
    for (size_t i = 0; i < TABLE_SIZE; i++) {
        if (syscall_table[i] == (syscall_handler)(void *)syscall_missing)
            continue;
        handlers[i] = syscall_table[i];
        syscall_table[i] = counted;
    }
}

void trace_report(void)
{
    static bool busy; /* the host asks while the end is being told */

    if (busy)
        return;
    busy = true;
    for (size_t i = 0; i < TABLE_SIZE; i++) {
        const char *name = syscall_name(i);
        if (!times[i] || !name)
            continue;
        report_begin("trace");
        report_string("kind", "call", 4);
        report_string("name", name, strlen(name));
        report_number("count", (int64_t)times[i]);
        report_end();
    }
    trace_files_report();
    report_begin("trace");
    report_string("kind", "end", 3);
    report_end();
    busy = false;
}
