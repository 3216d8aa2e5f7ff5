/* check.h - a guest program's own verdict: the first check that does not hold says where and ends with
 * status 1. */
#ifndef CHECK_H
#define CHECK_H
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            fprintf(stderr, "%s:%d: %s does not hold (errno %d: %s)\n", __FILE__, __LINE__, #condition,      \
                    errno, strerror(errno));                                                                 \
            exit(1);                                                                                         \
        }                                                                                                    \
    } while (0)
#define CHECK_ERRNO(call, expected)                                                                          \
    do {                                                                                                     \
        errno = 0;                                                                                           \
        CHECK((long)(call) == -1 && errno == (expected));                                                    \
    } while (0)
#endif
