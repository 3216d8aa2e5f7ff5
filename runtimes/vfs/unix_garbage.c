/* vfs/unix_garbage.c - AF_UNIX sockets that nobody can reach any more.
 *
 * A socket sent through a socket (SCM_RIGHTS) lives on in the receiver's queue. Closed everywhere else, it
 * may wait in its own queue, or in a ring of queues, for ever. So as long as sockets are in flight, each
 * socket that is closed or sent makes us look: a socket all of whose references are in flight is reachable
 * only through a queue; from the others we mark what their queues hold, and the queues of unmarked ones are
 * emptied, which closes what is in them.
 */
#include "unix.h"

static size_t flying; /* references to AF_UNIX sockets in queues */

void unix_in_flight(struct file *f, int change)
{
    if (unix_is_socket(f))
        flying += (size_t)(long)change;
}

/* Calls visit for each AF_UNIX socket whose file lies in a queue of s, or of a connection that waits to be
 * accepted there. */
static void each_held(struct unix_socket *s, void (*visit)(struct unix_socket *, void *), void *data)
{
    list_for_each (p, &s->packets) {
        const struct rights *rights = list_entry(p, struct packet, link)->rights;
        for (unsigned i = 0; rights && i < rights->count; i++)
            if (unix_is_socket(rights->files[i]))
                visit(rights->files[i]->data, data);
    }
    list_for_each (p, &s->pending)
        each_held(list_entry(p, struct unix_socket, in_pending), visit, data);
}

static void count(struct unix_socket *s, void *data)
{
    (void)data;
    s->held++;
}

static void mark(struct unix_socket *s, void *data)
{
    bool *more = data;
    *more |= !s->marked;
    s->marked = true;
}

/* Marks everything that can be reached, a layer of queues at a time (no recursion: the chains may be long).
 */
static void mark_reachable(void)
{
    bool more = true;

    list_for_each (p, &unix_sockets)
        list_entry(p, struct unix_socket, all)->held = 0;
    list_for_each (p, &unix_sockets) {
        struct unix_socket *s = list_entry(p, struct unix_socket, all);
        if (list_empty(&s->in_pending)) /* a waiting connection is looked at through its listener */
            each_held(s, count, NULL);
    }
    list_for_each (p, &unix_sockets) {
        struct unix_socket *s = list_entry(p, struct unix_socket, all);
        s->marked = s->file && s->file->users > s->held;
    }
    while (more) {
        more = false;
        list_for_each (p, &unix_sockets) {
            struct unix_socket *s = list_entry(p, struct unix_socket, all);
            if (s->marked)
                each_held(s, mark, &more);
        }
    }
}

void unix_collect(void)
{
    static bool collecting;
    bool found = true;

    if (collecting || flying == 0)
        return;
    collecting = true;
    mark_reachable();
    while (found) { /* from the start after each: emptying a queue frees sockets */
        found = false;
        list_for_each (p, &unix_sockets) {
            struct unix_socket *s = list_entry(p, struct unix_socket, all);
            if (!s->marked && s->file && !list_empty(&s->packets)) {
                struct file *f = file_get(s->file);
                s->marked = found = true;
                unix_drop_packets(s);
                file_put(f);
                break;
            }
        }
    }
    collecting = false;
}
