/* report.h - the report channel: docs/architecture.md has the events. (console/report.c) */
#ifndef UNIKIT_REPORT_H
#define UNIKIT_REPORT_H

#include "kernel.h"

/* One event: a JSON object a line. Members: report_number("free", n), report_string("name", s) ... between
 * begin and end. */
void report_begin(const char *event);
void report_number(const char *key, int64_t value);
void report_hex(const char *key, uint64_t value); /* as a JSON string "0x..." */
void report_string(const char *key, const char *value, size_t length);
void report_raw(const char *key, const char *json);
/* False: there was no room for it, and nobody takes it. */
bool report_end(void);
/* Is anybody listening? Else the caller says it on the console. */
bool report_connected(void);
/* The devices are known: if none of them is the report channel, what is to be reported is dropped from now
 * on. */
void report_settle(void);
/* Sends what is queued now, by polling the device: before power-off. */
void report_flush(void);

/* The frames of a backtrace: walks rbp from `frame`, at most 32: as a JSON member "frames" of the open event.
 */
void report_frames(uintptr_t ip, uintptr_t frame);
/* Module (path of the mapped file) and offset for a user address, for the members "module" and "offset". */
bool report_module(uintptr_t ip, const char **module, uint64_t *offset);
/* Does a word of a stack look like a return address: into a file's code, right behind a call instruction? */
bool report_is_return(uintptr_t word);

/* A system call without a handler: counted, told at the end. (syscalls/missing.c) */
void missing_call(unsigned long number, uintptr_t ip);
void missing_report(void);

/* console output for the kernel itself: polled, works from INIT(early) on (console/console.c) */
void console_write(const char *text, size_t length);
/* What the app writes to its standard error is also kept (the last 8 KiB) for the exit event. */
void stderr_keep(const char *text, size_t length);
/* The member "stderr" of the open event: what was kept. */
void report_stderr(void);
/* A `memory` event. */
void report_memory(void);

/* The `clock` event, after the one that is open. */
void report_clock(void);

/* The machine goes off with this status. (boot/power.c) */
noreturn void power_off(int status);
/* At once: without what waits to be told. */
noreturn void machine_off(int status);

#endif
