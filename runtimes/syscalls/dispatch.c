/* syscalls/dispatch.c - from the records that components leave to a flat table by number.
 *
 * boot/vectors.S calls through the table. A number that no component handles is told (syscalls/missing.c) and
 * answers ENOSYS.
 */
#include "report.h"
#include "thread.h"

#define TABLE_SIZE 512 /* SYSCALL_TABLE_SIZE of boot/registers.h */

typedef long (*syscall_handler)(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t);

extern syscall_handler syscall_table[TABLE_SIZE];
syscall_handler syscall_table[TABLE_SIZE];

WEAK void missing_call(unsigned long number, uintptr_t ip)
{
    (void)number, (void)ip;
}

long syscall_missing(void);
long syscall_missing(void)
{
    missing_call(current->user->number, current->user->rip);
    return -ENOSYS;
}

INIT(memory)
{
    for (size_t i = 0; i < TABLE_SIZE; i++)
        syscall_table[i] = (syscall_handler)(void *)syscall_missing;
    for_each_record(unikit_syscalls, record) if (record->number < TABLE_SIZE) syscall_table[record->number] =
        (syscall_handler)record->handler;
}
