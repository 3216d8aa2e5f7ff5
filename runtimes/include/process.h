/* process.h - the one process: who it is and what it may use. */
#ifndef UNIKIT_PROCESS_H
#define UNIKIT_PROCESS_H

#include "kernel.h"

#define PROCESS_ID 100
/* The Linux that the calls are modelled on: uname(2), /proc/version. Programs compare it (glibc, libuv,
 * psutil). */
#define SYSTEM_RELEASE "6.1.0-unikit"

extern int process_id; /* getpid(2), also the first thread's tid */

/* The limits of getrlimit(2), for those who enforce them (process/limits.c): RLIMIT_* */
uint64_t process_limit(int resource);

/* uname(2)'s node name, at most 64 bytes and a NUL (process/names.c) */
extern char process_hostname[65];

#endif
