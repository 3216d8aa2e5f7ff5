/* exec.h - the program that runs. (boot/exec.c) */
#ifndef UNIKIT_EXEC_H
#define UNIKIT_EXEC_H

#include "kernel.h"

/* Where exec put things: for /proc/self and for crash reports. User addresses; ranges are [start, end). */
struct exec_information {
    const char *path; /* of the program, as configured */
    uintptr_t code_start, code_end;
    uintptr_t stack_start, stack_end; /* the mapping; the guard page lies below */
    uintptr_t stack_top;              /* rsp at the start */
    uintptr_t arguments_start, arguments_end;
    uintptr_t environment_start, environment_end;
    uintptr_t auxiliary_start, auxiliary_end;
};
extern struct exec_information exec_information;

/* Environment and arguments as the boot configuration has them, each with a NUL behind. */
struct text_sink;
void exec_show_environment(struct text_sink *);
void exec_show_arguments(struct text_sink *);

/* Descriptors 0 to 2 lead to the console (console/console.c). */
void program_files(void);
/* The working directory is the configured one (vfs/cwd.c). */
void program_folder(void);

/* Loads the configured program and makes its first thread ready. Says what is wrong with boot_error(). */
void exec(void);

#endif
