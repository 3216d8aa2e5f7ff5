/* syscall_names.h - the names of all Linux x86-64 system calls, for reports about calls that are not there.
 *
 * The tables are generated when the kernel is linked, from the build machine's asm/unistd_64.h. */
#ifndef UNIKIT_SYSCALL_NAMES_H
#define UNIKIT_SYSCALL_NAMES_H

#include <stddef.h>
#include <stdint.h>

extern const uint32_t syscall_names_count;
extern const uint16_t syscall_name_offsets[]; /* into syscall_name_text; 0xffff: no call has this number */
extern const char syscall_name_text[];

/* The call's name, or NULL if no call has this number. */
static inline const char *syscall_name(unsigned long number)
{
    if (number >= syscall_names_count || syscall_name_offsets[number] == 0xffff)
        return NULL;
    return syscall_name_text + syscall_name_offsets[number];
}

#endif
