/* The runtime's surroundings on the host: what components find below them when they run as a library under
 * test.
 *
 * Everything is weak, so a test that builds the real component gets that one instead. Time stands still until
 * a test moves it; a wait that nothing can end returns -ERESTARTSYS, as a signal would end it, so that a test
 * sees the blocking rather than hang. Functions named host_* are for the tests.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "config.h"
#include "entropy.h"
#include "file.h"
#include "kernel.h"
#include "memory.h"
#include "report.h"
#include "thread.h"

/* ---- panic, log */
static char host_error[512];

WEAK void panic(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    abort();
}

/* A boot error ends a test unless it asked for it: host_expect_error() makes it come back here. */
static void *host_jump[5];
static bool host_expecting;

WEAK void boot_error(const char *code, const char *format, ...)
{
    va_list args;
    int n = snprintf(host_error, sizeof(host_error), "%s: ", code);
    va_start(args, format);
    vsnprintf(host_error + n, sizeof(host_error) - (size_t)n, format, args);
    va_end(args);
    if (host_expecting)
        __builtin_longjmp(host_jump, 1);
    fprintf(stderr, "boot error %s\n", host_error);
    abort();
}

/* Runs f; the text of the boot error that it ended in, or NULL. */
const char *host_expect_error(void (*f)(void))
{
    if (__builtin_setjmp(host_jump)) {
        host_expecting = false;
        return host_error;
    }
    host_expecting = true;
    f();
    host_expecting = false;
    return NULL;
}

WEAK void log_line(const char *format, ...)
{
    (void)format;
}
WEAK void console_write(const char *text, size_t length)
{
    (void)!fwrite(text, 1, length, stderr);
}

/* ---- memory: counted pages; a limit lets a test run out */
struct host_page {
    void *address;
    unsigned users;
};
static struct host_page *host_pages;
static size_t host_page_count, host_page_room;
size_t host_pages_limit = SIZE_MAX;

static struct host_page *host_page(const void *page)
{
    for (size_t i = host_page_count; i-- > 0;)
        if (host_pages[i].address == page)
            return &host_pages[i];
    return NULL;
}

size_t host_pages_live(void)
{
    size_t live = 0;
    for (size_t i = 0; i < host_page_count; i++)
        live += host_pages[i].users != 0;
    return live;
}

WEAK void *pages_alloc(unsigned order)
{
    if (host_pages_live() + (1UL << order) > host_pages_limit)
        return NULL;
    void *p = aligned_alloc(PAGE_SIZE << order, PAGE_SIZE << order);
    memset(p, 0xa5, PAGE_SIZE << order);
    if (host_page_count == host_page_room) {
        host_page_room = host_page_room ? host_page_room * 2 : 64;
        host_pages = realloc(host_pages, host_page_room * sizeof(*host_pages));
    }
    host_pages[host_page_count++] = (struct host_page){p, 1};
    return p;
}
WEAK void *pages_alloc_zero(unsigned order)
{
    void *p = pages_alloc(order);
    return p ? memset(p, 0, PAGE_SIZE << order) : NULL;
}
WEAK void pages_free(void *pages, unsigned order)
{
    (void)order;
    struct host_page *p = host_page(pages);
    assert(p);
    *p = host_pages[--host_page_count];
    free(pages);
}
WEAK void *page_alloc(void)
{
    return pages_alloc(0);
}
WEAK void *page_alloc_zero(void)
{
    return pages_alloc_zero(0);
}
WEAK void page_get(void *page)
{
    struct host_page *p = host_page(page);
    if (p)
        p->users++;
}
WEAK void page_put(void *page)
{
    struct host_page *p = host_page(page);
    if (p && --p->users == 0)
        pages_free(page, 0);
}
WEAK unsigned page_users(const void *page)
{
    struct host_page *p = host_page(page);
    return p ? p->users : 2;
}
WEAK struct page_totals pages_totals(void)
{
    return (struct page_totals){.total = 65536, .free = 65536 - host_pages_live(), .low = 0};
}
WEAK uintptr_t virt_to_phys(const void *virt)
{
    return (uintptr_t)virt;
}
WEAK void *phys_to_virt(uintptr_t phys)
{
    return (void *)phys;
}

WEAK volatile void *mmio_map(uintptr_t phys, size_t size)
{
    return (void)size, (void *)phys;
}

WEAK void *kmalloc(size_t size)
{
    return malloc(size);
}
WEAK void *kzalloc(size_t size)
{
    return calloc(1, size);
}
WEAK void *krealloc(void *p, size_t size)
{
    return realloc(p, size);
}
WEAK void kfree(void *p)
{
    free(p);
}
WEAK char *kstrdup(const char *s)
{
    return strdup(s);
}

WEAK int copy_in(void *to, const void *from, size_t n)
{
    if (!from && n)
        return -EFAULT;
    memcpy(to, from, n);
    return 0;
}
WEAK int copy_out(void *to, const void *from, size_t n)
{
    if (!to && n)
        return -EFAULT;
    memcpy(to, from, n);
    return 0;
}
WEAK int clear_out(void *to, size_t n)
{
    if (!to && n)
        return -EFAULT;
    memset(to, 0, n);
    return 0;
}
WEAK long string_in(char *to, const char *from, size_t size)
{
    if (!from)
        return -EFAULT;
    size_t n = strnlen(from, size);
    if (n == size)
        return -ENAMETOOLONG;
    memcpy(to, from, n + 1);
    return (long)n;
}
WEAK int user_hold(const void *p, size_t n, bool write)
{
    (void)write;
    return p || !n ? 0 : -EFAULT;
}
WEAK void space_drop_file_pages(struct file *f, uint64_t first, uint64_t last)
{
    (void)f, (void)first, (void)last;
}

/* ---- time and waiting */
static uint64_t host_now = 1000000000;
static struct timer *host_timers; /* linked by `next` */

WEAK uint64_t clock_now(void)
{
    return host_now;
}
WEAK int64_t clock_real(void)
{
    return 1700000000000000000 + (int64_t)host_now;
}
WEAK void timer_cancel(struct timer *t)
{
    for (struct timer **p = &host_timers; *p && t->active; p = &(*p)->next) {
        if (*p == t) {
            *p = t->next;
            break;
        }
    }
    t->active = false;
}
WEAK void timer_start(struct timer *t, uint64_t when)
{
    timer_cancel(t);
    t->when = when, t->active = true;
    t->next = host_timers;
    host_timers = t;
}

/* Moves the clock and fires what is due, in order of time. */
void host_advance(uint64_t ns)
{
    uint64_t end = host_now + ns;
    for (;;) {
        struct timer *next = NULL;
        for (struct timer *t = host_timers; t; t = t->next)
            if (t->when <= end && (!next || t->when < next->when))
                next = t;
        if (!next)
            break;
        host_now = max(host_now, next->when);
        timer_cancel(next);
        next->fire(next);
    }
    host_now = end;
}

static struct thread host_thread = {.tid = 2,
                                    .run = LIST_INIT(host_thread.run),
                                    .all = LIST_INIT(host_thread.all),
                                    .signals.queue = LIST_INIT(host_thread.signals.queue)};
WEAK struct thread *current = &host_thread;
WEAK struct list threads_all = LIST_INIT(threads_all);
WEAK int threads_count = 1;
WEAK bool reschedule, return_work;

/* What the rest of the world does while the thread under test sleeps; false: nothing more. */
bool (*host_while_waiting)(void);
unsigned host_waits;

struct host_waiter {
    struct waiter waiter;
    bool woken;
};
static void host_wake(struct waiter *w, unsigned events)
{
    (void)events;
    container_of(w, struct host_waiter, waiter)->woken = true;
}

WEAK int wait_on(struct wait_queue *q, unsigned events, uint64_t deadline)
{
    struct host_waiter w = {.waiter = {.events = events, .wake = host_wake}};
    host_waits++;
    if (q)
        wait_queue_add(q, &w.waiter);
    while (!w.woken && host_while_waiting && host_while_waiting())
        ;
    if (q)
        wait_queue_remove(&w.waiter);
    if (w.woken)
        return 0;
    if (deadline == NEVER)
        return -ERESTARTSYS;
    if (deadline > host_now)
        host_advance(deadline - host_now);
    return -ETIMEDOUT;
}
static void host_wake_some(struct wait_queue *q, unsigned events, bool one)
{
    list_for_each_safe (p, &q->waiters) {
        struct waiter *w = list_entry(p, struct waiter, link);
        if (w->events && events && !(w->events & events))
            continue;
        w->wake(w, events);
        if (one)
            return;
    }
}
WEAK void wake_all(struct wait_queue *q, unsigned events)
{
    host_wake_some(q, events, false);
}
WEAK void wake_one(struct wait_queue *q, unsigned events)
{
    host_wake_some(q, events, true);
}

int host_last_signal;
WEAK int signal_send(struct thread *t, const struct signal_info *info)
{
    (void)t;
    host_last_signal = info->number;
    return 0;
}
WEAK bool signal_pending(void)
{
    return false;
}

/* ---- random, configuration, report */
static uint64_t host_seed = 88172645463325252ULL;
WEAK uint64_t random_u64(void)
{
    host_seed ^= host_seed << 13, host_seed ^= host_seed >> 7, host_seed ^= host_seed << 17;
    return host_seed;
}
WEAK void random_bytes(void *to, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ((uint8_t *)to)[i] = (uint8_t)random_u64();
}
WEAK void entropy_add(const void *data, size_t n, unsigned bits)
{
    (void)data, (void)n, (void)bits;
}
WEAK const char *config_get(const char *key)
{
    return (void)key, NULL;
}
WEAK const char *config_each(const char *key, size_t i)
{
    return (void)key, (void)i, NULL;
}
WEAK void report_begin(const char *event)
{
    (void)event;
}
WEAK void report_number(const char *key, int64_t value)
{
    (void)key, (void)value;
}
WEAK void report_hex(const char *key, uint64_t value)
{
    (void)key, (void)value;
}
WEAK void report_string(const char *key, const char *value, size_t length)
{
    (void)key, (void)value, (void)length;
}
WEAK bool report_end(void)
{
    return true;
}
WEAK bool report_module(uintptr_t ip, const char **module, uint64_t *offset)
{
    (void)ip, (void)module, (void)offset;
    return false;
}
WEAK bool report_connected(void)
{
    return false;
}
WEAK void stderr_keep(const char *text, size_t length)
{
    (void)text, (void)length;
}
