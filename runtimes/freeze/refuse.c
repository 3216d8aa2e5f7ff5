/* refuse.c - what cannot be frozen, because it would not be there when the image resumes: other threads (as
 * in the child of a fork), connections over the network, timers that a child does not inherit.
 */
#include "../vfs/descriptors.h"
#include "../vfs/proc.h"
#include "freeze.h"
#include "memory.h"
#include "report.h"
#include "thread.h"

enum { FAMILY_INET = 2, FAMILY_INET6 = 10 };

#define SCANNED 2048 /* words of a stack */

/* Code that is in every thread: not whose it is. */
static bool is_common(const char *path)
{
    static const char *const common[] = {"libc.so",   "libpthread", "ld-linux", "libstdc++",
                                         "libgcc_s.", "libpython",  "python"};
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;

    for (size_t i = 0; i < array_size(common); i++)
        if (strncmp(name, common[i], strlen(common[i])) == 0)
            return true;
    return false;
}

/* The library that a thread is in, by the return addresses on its stack; NULL: Python, or nobody knows. */
static const char *library_of(const struct thread *t)
{
    uintptr_t at = align_up(t->user->rsp, sizeof(uintptr_t)), word;

    for (int i = 0; i < SCANNED; i++, at += sizeof(word)) {
        const char *module;
        uint64_t offset;
        if (get_user(word, (const uintptr_t __user *)at))
            break;
        if (report_is_return(word) && report_module(word, &module, &offset) && !is_common(module))
            return module;
    }
    return NULL;
}

static char forgotten[64];

void freeze_forget(const char *part, size_t length)
{
    long tid = proc_number(part, length);

    if (tid >= 0) {
        struct thread *t = thread_by_tid((int)tid);
        if (t)
            t->restarted = true;
        return;
    }
    length = min(length, sizeof(forgotten) - 1);
    memcpy(forgotten, part, length);
    forgotten[length] = '\0';
}

/* Of a library's threads one that works has work to lose: it is not in a futex. */
static bool is_forgotten(const struct thread *t)
{
    const char *module;

    if (t == current || t->state != THREAD_WAITING)
        return false;
    if (t->restarted)
        return true;
    if (!forgotten[0] || t->user->number != __NR_futex)
        return false;
    module = library_of(t);
    for (const char *at = module; at && *at; at++)
        if (strncmp(at, forgotten, strlen(forgotten)) == 0)
            return true;
    return false;
}

void freeze_end_forgotten(void)
{
    list_for_each (p, &threads_all) {
        struct thread *t = list_entry(p, struct thread, all);
        if (!is_forgotten(t))
            continue;
        t->ending = true;
        t->clear_tid = t->robust_list = 0; /* in the child nobody hears of its end */
        thread_wake(t);
    }
    while (threads_count > 1)
        schedule();
}

static void tell(const char *kind, int number, const char *name, const char *module)
{
    report_begin("refused");
    report_string("kind", kind, strlen(kind));
    report_number("number", number);
    report_string("name", name, strlen(name));
    if (module)
        report_string("module", module, strlen(module));
    report_end();
}

/* The other end of a connection over the network; those between parts of the program are memory like any
 * other, and so are sockets that wait for others. */
static bool connected_to(struct file *file, char *text, size_t size)
{
    uint8_t a[128] = {0};
    unsigned length = sizeof(a), family, port;

    if (!file->ops->socket || !file->ops->socket->name || file->ops->socket->name(file, a, &length, true) < 0)
        return false;
    family = a[0] | (unsigned)a[1] << 8;
    port = (unsigned)a[2] << 8 | a[3];
    if (family == FAMILY_INET)
        snprintf(text, size, "%u.%u.%u.%u:%u", a[4], a[5], a[6], a[7], port);
    else if (family == FAMILY_INET6)
        snprintf(text, size, "port %u (IPv6)", port);
    else
        return false;
    return true;
}

WEAK bool itimer_armed(void)
{
    return false;
}
WEAK bool posix_timer_armed(void)
{
    return false;
}

bool freeze_refused(void)
{
    bool refused = false;

    list_for_each (p, &threads_all) {
        const struct thread *t = list_entry(p, struct thread, all);
        if (t == current || is_forgotten(t))
            continue;
        tell("thread", t->tid, t->name, library_of(t));
        refused = true;
    }
    for (int fd = fd_next(0); fd >= 0; fd = fd_next(fd + 1)) {
        char peer[48];
        if (!connected_to(fd_peek(fd), peer, sizeof(peer)))
            continue;
        tell("socket", fd, peer, NULL);
        refused = true;
    }
    if (itimer_armed() || posix_timer_armed()) {
        tell("timer", 0, itimer_armed() ? "setitimer" : "timer_settime", NULL);
        refused = true;
    }
    return refused;
}
