/* missing.c - system calls that are not in this image: each is told to the host once, at the end, with how
 * often it was made and by which module, so that nothing fails silently.
 */
#include "memory.h"
#include "report.h"
#include "syscall_names.h"

#define MOST                                                                                                 \
    64 /* different calls; a program that makes more is probing, and the first ones tell the story           \
        */

static struct {
    unsigned long number, times;
    uintptr_t ip; /* of the first time */
} missing[MOST];
static size_t known;

/* Calls that programs make only to learn whether they are there, and do without as a matter of course. */
WEAK bool missing_expected(unsigned long number)
{
    return number == __NR_rseq;
}

void missing_call(unsigned long number, uintptr_t ip)
{
    if (missing_expected(number))
        return;
    for (size_t i = 0; i < known; i++) {
        if (missing[i].number == number) {
            missing[i].times++;
            return;
        }
    }
    if (known == MOST)
        return;
    missing[known].number = number, missing[known].times = 1, missing[known].ip = ip;
    known++;
    const char *name = syscall_name(number);
    log_line("system call %s (%lu) is not in this image; called from %#lx", name ? name : "?", number, ip);
}

void missing_report(void)
{
    for (size_t i = 0; i < known; i++) {
        const char *name = syscall_name(missing[i].number), *module;
        uint64_t offset;
        if (!name)
            name = "unknown";
        report_begin("missing");
        report_string("kind", "syscall", 7);
        report_string("name", name, strlen(name));
        report_number("number", (int64_t)missing[i].number);
        report_number("count", (int64_t)missing[i].times);
        if (report_module(missing[i].ip, &module, &offset)) {
            report_string("module", module, strlen(module));
            report_hex("offset", offset);
        }
        report_end();
    }
    known = 0;
}
