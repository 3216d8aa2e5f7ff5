/* refuse.c - what cannot be frozen, because it would not be there when the image resumes: other threads (as
 * in the child of a fork), connections and listening sockets, timers that a child does not inherit.
 */
#include "../vfs/descriptors.h"
#include "freeze.h"
#include "report.h"
#include "thread.h"

enum { FAMILY_UNIX = 1 };

static void tell(const char *kind, int number, const char *name)
{
    report_begin("refused");
    report_string("kind", kind, strlen(kind));
    report_number("number", number);
    report_string("name", name, strlen(name));
    report_end();
}

/* A socket of the network; those between parts of the program are memory like any other. */
static bool is_outside(struct file *file)
{
    uint16_t address[64] = {0};
    unsigned length = sizeof(address);

    if (!file->ops->socket)
        return false;
    return !file->ops->socket->name || file->ops->socket->name(file, address, &length, false) < 0 ||
           address[0] != FAMILY_UNIX;
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
        if (!is_outside(fd_peek(fd)))
            continue;
        tell("socket", fd, "socket");
        refused = true;
    }
    if (itimer_armed() || posix_timer_armed()) {
        tell("timer", 0, itimer_armed() ? "setitimer" : "timer_settime");
        refused = true;
    }
    return refused;
}
