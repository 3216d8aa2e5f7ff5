/* console/pty.c - pseudo-terminals: /dev/ptmx, and /dev/pts/N for as long as somebody holds its master;
 * pty(7), ioctl_tty(2), ptmx(4).
 *
 * The slave is a terminal with the line discipline of console/tty.c, whose device is the master: what the
 * slave writes lies in a ring until the master reads it. Packet mode (TIOCPKT) is not there.
 */
#include <asm/ioctls.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>

#include "memory.h"
#include "process.h"
#include "../vfs/tree.h"
#include "tty.h"

enum { MAJOR_MASTER = 5, MINOR_MASTER = 2, MAJOR_SLAVE = 136, MOST = 64 };
enum { RING = 8192, WIDEST = 8 /* bytes that one character may become: a tab as spaces */ };

struct pty {
    struct tty tty;
    unsigned number, slaves;   /* slaves: open files of that side */
    bool locked, master, left; /* the master is open; the last slave went */
    unsigned taken, filled;    /* of the ring: free-running counters */
    char ring[RING];
    struct wait_queue readers, writers; /* of the master's side */
};

static struct pty *ptys[MOST];

static struct pty *of_tty(struct tty *tty)
{
    return container_of(tty, struct pty, tty);
}

static void name_of(const struct pty *p, char *to, size_t size)
{
    snprintf(to, size, "/dev/pts/%u", p->number);
}

/* ---- what the line discipline says */

static unsigned space(const struct pty *p)
{
    return RING - (p->filled - p->taken);
}

/* An echo that finds no room is lost, as on a line that nobody listens to. */
static void output(struct tty *tty, const char *text, size_t length)
{
    struct pty *p = of_tty(tty);
    for (size_t i = 0; i < length && space(p); i++)
        p->ring[p->filled++ % RING] = text[i];
    wake_all(&p->readers, EPOLLIN | EPOLLRDNORM);
}

/* Signals go to those whose terminal it is: to the program, if it took it as its own. */
static void send_signal(struct tty *tty, int number)
{
    const struct signal_info info = {.number = number, .code = 0x80 /* SI_KERNEL */};
    if (tty->group == process_id)
        signal_send(NULL, &info);
}

static void input_taken(struct tty *tty)
{
    wake_all(&of_tty(tty)->writers, EPOLLOUT | EPOLLWRNORM);
}

/* ---- the slave */

static bool slave_writable(const struct pty *p)
{
    return !p->master || (!p->tty.stopped && space(p) >= WIDEST);
}

static ssize_t slave_read(struct file *f, struct io *io, uint64_t *pos)
{
    struct pty *p = f->data;
    (void)pos;
    return tty_read(&p->tty, io, (f->flags & O_NONBLOCK) != 0);
}

static ssize_t slave_write(struct file *f, struct io *io, uint64_t *pos)
{
    struct pty *p = f->data;
    char piece[RING / WIDEST / 4];
    ssize_t done = 0;

    (void)pos;
    while (io->left) {
        ssize_t n;
        if (!slave_writable(p) && (f->flags & O_NONBLOCK))
            return done ? done : -EAGAIN;
        n = wait_for(&p->tty.writers, EPOLLOUT, NEVER, slave_writable(p));
        if (n < 0)
            return done ? done : n;
        if (!p->master)
            return done ? done : -EIO;
        n = io_take(io, piece, min(sizeof(piece), (size_t)space(p) / WIDEST));
        if (n < 0)
            return done ? done : n;
        tty_write(&p->tty, piece, (size_t)n);
        done += n;
    }
    return done;
}

static unsigned slave_poll(struct file *f, struct poller *poller)
{
    struct pty *p = f->data;
    return tty_poll(&p->tty, poller) | (slave_writable(p) ? EPOLLOUT | EPOLLWRNORM : 0);
}

static long slave_ioctl(struct file *f, unsigned request, uintptr_t argument)
{
    struct pty *p = f->data;
    return tty_ioctl(&p->tty, request, argument);
}

static void forget(struct pty *p)
{
    if (p->master || p->slaves)
        return;
    ptys[p->number] = NULL;
    kfree(p);
}

static void slave_release(struct file *f)
{
    struct pty *p = f->data;
    if (--p->slaves == 0) {
        p->left = true;
        wake_all(&p->readers, EPOLLIN | EPOLLHUP);
    }
    forget(p);
}

static const struct file_ops slave_ops = {
    .read = slave_read,
    .write = slave_write,
    .poll = slave_poll,
    .ioctl = slave_ioctl,
    .release = slave_release,
    .kind = "pty",
};

static int open_slave(struct file *f)
{
    unsigned number = f->node->rdev & 0xff;
    struct pty *p = number < MOST ? ptys[number] : NULL;

    if (!p || !p->master || p->locked)
        return -EIO;
    f->data = p;
    p->slaves++;
    p->left = false;
    return 0;
}

/* ---- the master */

static ssize_t master_read(struct file *f, struct io *io, uint64_t *pos)
{
    struct pty *p = f->data;
    ssize_t done = 0;

    (void)pos;
    if (!io->left)
        return 0;
    if (p->taken == p->filled && !p->left) {
        if (f->flags & O_NONBLOCK)
            return -EAGAIN;
        done = wait_for(&p->readers, EPOLLIN, NEVER, p->taken != p->filled || p->left);
        if (done < 0)
            return done;
    }
    if (p->taken == p->filled)
        return -EIO; /* nobody is left to write */
    while (p->taken != p->filled && io->left) {
        unsigned at = p->taken % RING;
        ssize_t n = io_put(io, p->ring + at, min(p->filled - p->taken, RING - at));
        if (n < 0)
            return done ? done : n;
        p->taken += (unsigned)n;
        done += n;
    }
    wake_all(&p->tty.writers, EPOLLOUT | EPOLLWRNORM);
    return done;
}

/* A line that is too long takes no more, and never ends for want of room: what is beyond is lost. */
static bool takes_input(const struct pty *p)
{
    return tty_room(&p->tty) > 1 || p->tty.committed == p->tty.taken;
}

static ssize_t master_write(struct file *f, struct io *io, uint64_t *pos)
{
    struct pty *p = f->data;
    char piece[256];
    ssize_t done = 0;

    (void)pos;
    while (io->left) {
        ssize_t n;
        if (!takes_input(p) && (f->flags & O_NONBLOCK))
            return done ? done : -EAGAIN;
        n = wait_for(&p->writers, EPOLLOUT, NEVER, takes_input(p));
        if (n < 0)
            return done ? done : n;
        n = io_take(io, piece, min(sizeof(piece), max(tty_room(&p->tty), (size_t)1)));
        if (n < 0)
            return done ? done : n;
        tty_receive(&p->tty, piece, (size_t)n);
        done += n;
    }
    return done;
}

static unsigned master_poll(struct file *f, struct poller *poller)
{
    struct pty *p = f->data;
    unsigned events = 0;

    poll_on(poller, &p->readers);
    poll_on(poller, &p->writers);
    if (p->taken != p->filled)
        events |= EPOLLIN | EPOLLRDNORM;
    if (takes_input(p))
        events |= EPOLLOUT | EPOLLWRNORM;
    return events | (p->left ? EPOLLHUP : 0);
}

/* TIOCGPTPEER: the slave's side without its name. */
static long open_peer(struct pty *p, int flags)
{
    char name[32];
    struct file *f;

    name_of(p, name, sizeof(name));
    int error = kernel_open(name, flags & (O_ACCMODE | O_NONBLOCK | O_NOCTTY), 0, &f);
    return error ? error : fd_install(f, 0, (flags & O_CLOEXEC) != 0);
}

static long master_ioctl(struct file *f, unsigned request, uintptr_t argument)
{
    struct pty *p = f->data;
    int value;

    switch (request) {
    case TIOCGPTN:
        return copy_out((void *)argument, &p->number, sizeof(p->number));
    case TIOCSPTLCK:
        if (copy_in(&value, (const void *)argument, sizeof(value)) < 0)
            return -EFAULT;
        p->locked = value != 0;
        return 0;
    case TIOCGPTLCK:
        value = p->locked;
        return copy_out((void *)argument, &value, sizeof(value));
    case TIOCGPTPEER:
        return open_peer(p, (int)argument);
    case FIONREAD:
        value = (int)(p->filled - p->taken);
        return copy_out((void *)argument, &value, sizeof(value));
    default:
        return tty_ioctl(&p->tty, request, argument); /* the terminal's, as seen from here */
    }
}

static void master_release(struct file *f)
{
    struct pty *p = f->data;
    struct node *directory;
    char name[16];

    if (path_find("/dev/pts", true, &directory) == 0) {
        snprintf(name, sizeof(name), "%u", p->number);
        tree_remove(directory, name, strlen(name));
        node_put(directory);
    }
    p->master = false;
    tty_end(&p->tty);
    wake_all(&p->tty.writers, EPOLLOUT | EPOLLHUP);
    forget(p);
}

static const struct file_ops master_ops = {
    .read = master_read,
    .write = master_write,
    .poll = master_poll,
    .ioctl = master_ioctl,
    .release = master_release,
    .kind = "ptmx",
};

/* The slave's name, for as long as the master is open. */
static int add_name(const struct pty *p)
{
    struct tree_node *t = tree_node_new(&tree_ops, NODE_CHARACTER | 0620);
    struct node *directory;
    char name[16];

    if (!t)
        return -ENOMEM;
    t->node.rdev = MAJOR_SLAVE << 8 | p->number;
    t->node.device = DEVICE_DEV;
    int error = tree_directory("/dev/pts", &tree_ops, DEVICE_DEV, &directory);
    if (!error) {
        snprintf(name, sizeof(name), "%u", p->number);
        error = tree_add(directory, name, strlen(name), &t->node);
        node_put(directory);
    }
    node_put(&t->node);
    return error;
}

static int open_master(struct file *f)
{
    unsigned number = 0;
    struct pty *p;

    while (number < MOST && ptys[number])
        number++;
    if (number == MOST)
        return -ENOSPC;
    p = kzalloc(sizeof(*p));
    if (!p)
        return -ENOMEM;
    tty_init(&p->tty);
    p->tty.output = output;
    p->tty.signal = send_signal;
    p->tty.room = input_taken;
    p->number = number;
    p->locked = p->master = true;
    wait_queue_init(&p->readers);
    wait_queue_init(&p->writers);
    int error = add_name(p);
    if (error) {
        kfree(p);
        return error;
    }
    ptys[number] = p;
    f->data = p;
    return 0;
}

DEVICE(ptmx) = {.name = "ptmx",
                .major = MAJOR_MASTER,
                .minor = MINOR_MASTER,
                .mode = 0666,
                .ops = &master_ops,
                .open = open_master};
DEVICE(pts) = {.major = MAJOR_SLAVE, .minors = MOST, .mode = 0620, .ops = &slave_ops, .open = open_slave};
