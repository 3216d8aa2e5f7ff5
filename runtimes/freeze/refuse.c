/* refuse.c - what cannot be frozen, because it would not be there when the image resumes: other threads (as
 * in the child of a fork), connections over the network, timers that a child does not inherit.
 */
#include "../vfs/descriptors.h"
#include "freeze.h"
#include "report.h"
#include "thread.h"

enum { FAMILY_INET = 2, FAMILY_INET6 = 10 };

static void tell(const char *kind, int number, const char *name)
{
    report_begin("refused");
    report_string("kind", kind, strlen(kind));
    report_number("number", number);
    report_string("name", name, strlen(name));
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
        if (t == current)
            continue;
        tell("thread", t->tid, t->name);
        refused = true;
    }
    for (int fd = fd_next(0); fd >= 0; fd = fd_next(fd + 1)) {
        char peer[48];
        if (!connected_to(fd_peek(fd), peer, sizeof(peer)))
            continue;
        tell("socket", fd, peer);
        refused = true;
    }
    if (itimer_armed() || posix_timer_armed()) {
        tell("timer", 0, itimer_armed() ? "setitimer" : "timer_settime");
        refused = true;
    }
    return refused;
}
