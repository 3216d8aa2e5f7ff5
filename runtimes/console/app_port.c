/* console/app_port.c - /dev/virtio-ports/unikit.app: the application's own channel to whoever started the
 * guest.
 *
 * The port of that name of the console device, a stream of bytes in both directions, for one open file at a
 * time. Until the host is there reads and writes wait; when it has left, reads are at their end and writes
 * fail with EPIPE. Without such a port opening answers ENXIO. What was written has reached the host before
 * the machine goes off, if the host reads it. Unlike the console nothing is ever dropped: a full port makes
 * the writer wait, and a program that does not read makes the host wait.
 */
#include <asm/ioctls.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>

#include "console.h"
#include "file.h"
#include "memory.h"
#include "ports.h"

enum { RING = 16384 };
#define FLUSH_TIME 10000000000UL /* a host that does not read holds up a power-off no longer than this */

static struct port *port;
static enum { NOT_YET, HERE, LEFT } host;
static bool open;
static char *ring;
static size_t taken, put; /* bytes [taken, put) lie in the ring at their counter modulo its size */
static struct wait_queue queue = {LIST_INIT(queue.waiters)};

/* ---- from the device */

static void found(struct port *new)
{
    /* A device that comes up again, with the file still open, begins anew; one that is pulled out is gone. */
    host = port && !new &&host == HERE ? LEFT : NOT_YET;
    port = new;
    if (port && open)
        port_open(port, true);
    wake_all(&queue, 0);
}

static void host_is(bool here)
{
    if (here || host == HERE)
        host = here ? HERE : LEFT;
    wake_all(&queue, 0);
}

static size_t room(void)
{
    return open ? RING - (put - taken) : 0;
}

static void input(const char *bytes, size_t n)
{
    for (n = min(n, room()); n;) {
        size_t at = put % RING, piece = min(n, RING - at);
        memcpy(ring + at, bytes, piece);
        put += piece, bytes += piece, n -= piece;
    }
    wake_all(&queue, EPOLLIN | EPOLLRDNORM);
}

static void ready(void)
{
    wake_all(&queue, EPOLLOUT | EPOLLWRNORM);
}

PORT_USER(app) = {
    .name = "unikit.app", .found = found, .host = host_is, .input = input, .room = room, .ready = ready};

void app_port_flush(void)
{
    uint64_t end = clock_now() + FLUSH_TIME;
    while (port && host == HERE && port_sending(port) && clock_now() < end)
        ;
}

/* ---- the file */

static bool readable(void)
{
    return put != taken || host == LEFT;
}

static bool writable(void)
{
    return host == LEFT || (host == HERE && port_ready(port));
}

static ssize_t app_read(struct file *f, struct io *io, uint64_t *pos)
{
    ssize_t done = 0;

    (void)pos;
    if (!io->left)
        return 0;
    if (!readable() && f->flags & O_NONBLOCK)
        return -EAGAIN;
    done = wait_for(&queue, EPOLLIN, NEVER, readable());
    if (done < 0)
        return done;
    while (put != taken && io->left) {
        size_t at = taken % RING;
        ssize_t n = io_put(io, ring + at, min(put - taken, RING - at));
        if (n <= 0)
            return done ? done : n;
        taken += (size_t)n;
        done += n;
    }
    if (port)
        port_listen(port);
    return done;
}

static ssize_t app_write(struct file *f, struct io *io, uint64_t *pos)
{
    static char page[PAGE_SIZE]; /* nobody comes in between while it is in use: no waiting there */
    ssize_t done = 0;

    (void)pos;
    while (io->left) {
        ssize_t n = 0;
        if (!writable() && f->flags & O_NONBLOCK)
            n = -EAGAIN;
        else
            n = wait_for(&queue, EPOLLOUT, NEVER, writable());
        if (n == 0)
            n = host == LEFT ? -EPIPE : io_take(io, page, sizeof(page));
        if (n > 0 && port_send(port, page, (size_t)n) != (size_t)n)
            n = -EIO;
        if (n <= 0)
            return done ? done : n;
        done += n;
    }
    return done;
}

static unsigned app_poll(struct file *f, struct poller *poller)
{
    (void)f;
    poll_on(poller, &queue);
    return (readable() ? EPOLLIN | EPOLLRDNORM : 0) | (writable() ? EPOLLOUT | EPOLLWRNORM : 0) |
           (host == LEFT ? EPOLLHUP : 0);
}

static long app_ioctl(struct file *f, unsigned request, uintptr_t argument)
{
    int n = (int)(put - taken);
    (void)f;
    return request == FIONREAD ? copy_out((void *)argument, &n, sizeof(n)) : -ENOTTY;
}

static void app_release(struct file *f)
{
    (void)f;
    open = false;
    kfree(ring);
    ring = NULL;
    if (port)
        port_open(port, false);
}

static const struct file_ops app_ops = {
    .read = app_read,
    .write = app_write,
    .poll = app_poll,
    .ioctl = app_ioctl,
    .release = app_release,
    .kind = "unikit.app",
};

static int app_open(struct file *f)
{
    int result;

    (void)f;
    if (open)
        return -EBUSY;
    /* A busy host tells late of what there is. */
    result = wait_for(&queue, 0, ports_expected(), port || !ports_expected());
    if (result == -ERESTARTSYS)
        return result;
    if (!port)
        return -ENXIO;
    if (open) /* meanwhile */
        return -EBUSY;
    ring = kmalloc(RING);
    if (!ring)
        return -ENOMEM;
    taken = put = 0;
    open = true;
    port_open(port, true);
    return 0;
}

DEVICE(app_port) = {.name = "virtio-ports/unikit.app",
                    .major = 244,
                    .minor = 1,
                    .mode = 0600,
                    .ops = &app_ops,
                    .open = app_open};
