/* kernel.h - what every component may use: types, lists, logging, strings.
 *
 * Conventions of the whole runtime:
 *   - functions return 0 or a value on success and -errno on failure;
 *   - one CPU, one address space, everything in ring 0. The kernel runs with interrupts off, except in the
 * idle loop: an interrupt arrives only while user code runs or the CPU idles, so kernel code is never
 * re-entered and takes no locks. It gives up the CPU only in the waiting functions of thread.h;
 *   - no floating point: user registers stay in the CPU across a system call;
 *   - times are nanoseconds in uint64_t, sizes bytes in size_t, user addresses uintptr_t or __user pointers.
 */
#ifndef UNIKIT_KERNEL_H
#define UNIKIT_KERNEL_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <asm/errno.h>

#include "component.h"

typedef long ssize_t;

/* Internal results that never reach user code: the call is restarted, or ends with EINTR, as the signal's
 * action says. */
#define ERESTARTSYS           512 /* restart if SA_RESTART or no handler ran, else EINTR */
#define ERESTARTNOHAND        514 /* restart only if no handler ran, else EINTR */
#define ERESTART_RESTARTBLOCK 516 /* as NOHAND, but through thread->restart (relative time-outs) */

#define PAGE_SHIFT 12
#define PAGE_SIZE  4096UL
#define PAGE_MASK  (~(PAGE_SIZE - 1))

#define __user

#define min(a, b)                                                                                            \
    ({                                                                                                       \
        __typeof__(a) a_ = (a);                                                                              \
        __typeof__(b) b_ = (b);                                                                              \
        a_ < b_ ? a_ : b_;                                                                                   \
    })
#define max(a, b)                                                                                            \
    ({                                                                                                       \
        __typeof__(a) a_ = (a);                                                                              \
        __typeof__(b) b_ = (b);                                                                              \
        a_ > b_ ? a_ : b_;                                                                                   \
    })
#define array_size(a)              (sizeof(a) / sizeof((a)[0]))
#define container_of(p, type, mem) ((type *)((char *)(p)-offsetof(type, mem)))
#define align_up(x, a)             (((x) + (a)-1) & ~((__typeof__(x))(a)-1))
#define align_down(x, a)           ((x) & ~((__typeof__(x))(a)-1))
#define likely(x)                  __builtin_expect(!!(x), 1)
#define unlikely(x)                __builtin_expect(!!(x), 0)
#define noreturn                   __attribute__((noreturn))
#define printf_like(f, a)          __attribute__((format(printf, f, a)))
#define compiler_barrier()         __asm__ volatile("" ::: "memory")

/* boot/panic.c: the kernel itself cannot go on: report, backtrace, power-off with status 70 */
noreturn void panic(const char *format, ...) printf_like(1, 2);
#define assert(condition)                                                                                    \
    do {                                                                                                     \
        if (unlikely(!(condition)))                                                                          \
            panic("%s:%d: %s does not hold", __FILE__, __LINE__, #condition);                                \
    } while (0)

/* boot/panic.c: the boot cannot go on for a reason that is the user's to mend: an `error` event, power-off,
 * status 78. `code` is one word ("no-entropy"); the message is a sentence with the next step. */
noreturn void boot_error(const char *code, const char *format, ...) printf_like(2, 3);

/* console/log.c: a line for the kernel log; shown with verbose=1 */
void log_line(const char *format, ...) printf_like(1, 2);

/* memory/string.c (the host's libc under test) */
void *memcpy(void *restrict to, const void *restrict from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int byte, size_t n);
int memcmp(const void *a, const void *b, size_t n);
void *memchr(const void *s, int c, size_t n);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t n);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);
char *strrchr(const char *s, int c);
/* memory/format.c: %d %i %u %x %X %lx %zu %p %s %c %.*s %-8s %08x %%, no floating point; the result as C99's
 */
int snprintf(char *to, size_t size, const char *format, ...) printf_like(3, 4);
int vsnprintf(char *to, size_t size, const char *format, va_list args);

/* Doubly linked circular list with a head. */
struct list {
    struct list *next, *prev;
};
#define LIST_INIT(name)                                                                                      \
    {                                                                                                        \
        &(name), &(name)                                                                                     \
    }
static inline void list_init(struct list *l)
{
    l->next = l->prev = l;
}
static inline bool list_empty(const struct list *l)
{
    return l->next == l;
}
static inline void list_insert_(struct list *n, struct list *prev, struct list *next)
{
    n->prev = prev, n->next = next;
    prev->next = next->prev = n;
}
static inline void list_push(struct list *l, struct list *n)
{
    list_insert_(n, l, l->next);
} /* at the front */
static inline void list_append(struct list *l, struct list *n)
{
    list_insert_(n, l->prev, l);
} /* at the end */
static inline void list_remove(struct list *n)
{
    n->prev->next = n->next, n->next->prev = n->prev;
    list_init(n);
}
#define list_entry(p, type, mem) container_of(p, type, mem)
#define list_first(l, type, mem) list_entry((l)->next, type, mem)
#define list_for_each(p, l)      for (struct list *p = (l)->next; p != (l); p = p->next)
#define list_for_each_safe(p, l)                                                                             \
    for (struct list *p = (l)->next, *p##_next = p->next; p != (l); p = p##_next, p##_next = p->next)

#endif
