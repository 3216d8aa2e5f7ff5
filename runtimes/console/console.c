/* console/console.c - the console: the kernel's polled output, and /dev/console, which is the app's standard
 * input, output and error.
 *
 * With `tty=1` in the boot configuration it is a terminal (console/tty.c). Without, it is none: TCGETS
 * answers ENOTTY, output goes out unchanged so that logs stay plain, and input is at its end at once, or with
 * `stdin=console` the bytes that arrive. Sources: console_ioctl(4), tty(4).
 */
#include <asm/ioctls.h>
#include <asm/stat.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>
#include <linux/stat.h>

#include "config.h"
#include "console.h"
#include "exec.h"
#include "file.h"
#include "memory.h"
#include "process.h"
#include "report.h"
#include "tty.h"

#define FLUSH_TIME 10000000000UL /* a host that does not read holds up a power-off no longer than this */

static const struct console_device *device PER_BOOT;
static struct tty terminal;
static bool is_terminal, listening;
static uint64_t input_bytes, input_end = UINT64_MAX;

void console_attach(const struct console_device *new)
{
    const char *wanted = config_get("console");
    if (device && wanted && strcmp(wanted, new->name) != 0)
        return;
    device = new;
    if (listening && device->listen)
        device->listen();
}

void console_write(const char *text, size_t length)
{
    if (device)
        device->write(text, length);
}

void console_flush(void)
{
    uint64_t end = clock_now() + FLUSH_TIME;
    while (device && device->busy && device->busy() && clock_now() < end)
        ;
}

/* A terminal takes everything, for its signal characters; what its buffer cannot hold is lost. */
size_t console_room(void)
{
    return is_terminal ? TTY_BUFFER : tty_room(&terminal);
}

void console_input(const char *bytes, size_t n)
{
    tty_receive(&terminal, bytes, n);
    input_bytes += n;
    if (input_bytes >= input_end)
        tty_end(&terminal);
}

void console_input_end(uint64_t after)
{
    input_end = after;
    if (input_bytes >= input_end)
        tty_end(&terminal);
}

void console_resize(unsigned rows, unsigned columns)
{
    tty_resize(&terminal, rows, columns);
}

static void output(struct tty *tty, const char *text, size_t length)
{
    (void)tty;
    console_write(text, length);
}

static void send_signal(struct tty *tty, int number)
{
    const struct signal_info info = {.number = number, .code = 0x80 /* SI_KERNEL */};
    (void)tty;
    signal_send(NULL, &info);
}

static void room(struct tty *tty)
{
    (void)tty;
    if (listening && device->listen)
        device->listen();
}

static bool writable(void)
{
    return !terminal.stopped && (!device || !device->ready || device->ready());
}

/* Sleeps until the device takes more. 0, -EAGAIN or -ERESTARTSYS. */
static int wait_writable(struct file *f)
{
    while (!writable()) {
        struct wait_queue *queue = terminal.stopped ? &terminal.writers : device->writers;
        int result;
        if (f->flags & O_NONBLOCK)
            return -EAGAIN;
        result = wait_on(queue, EPOLLOUT, NEVER);
        if (result < 0)
            return result;
    }
    return 0;
}

static ssize_t console_file_write(struct file *f, struct io *io, uint64_t *pos)
{
    static char chunk[4096]; /* nobody comes in between while it is in use: no waiting there */
    ssize_t done = 0;

    (void)pos;
    while (io->left) {
        ssize_t n = wait_writable(f);
        if (n == 0)
            n = io_take(io, chunk, is_terminal ? TTY_PIECE : sizeof(chunk)); /* a buffer of the device */
        if (n < 0)
            return done ? done : n;
        tty_write(&terminal, chunk, (size_t)n);
        if (f->data)
            stderr_keep(chunk, (size_t)n);
        done += n;
    }
    return done;
}

static ssize_t console_file_read(struct file *f, struct io *io, uint64_t *pos)
{
    (void)pos;
    return tty_read(&terminal, io, (f->flags & O_NONBLOCK) != 0);
}

static unsigned console_file_poll(struct file *f, struct poller *poller)
{
    (void)f;
    if (device && device->writers)
        poll_on(poller, device->writers);
    return tty_poll(&terminal, poller) | (writable() ? EPOLLOUT | EPOLLWRNORM : 0);
}

static long console_file_ioctl(struct file *f, unsigned request, uintptr_t argument)
{
    (void)f;
    return tty_ioctl(&terminal, request, argument);
}

static int console_file_stat(struct file *f, struct stat *st)
{
    (void)f;
    memset(st, 0, sizeof(*st));
    st->st_dev = 5;
    st->st_ino = 3;
    st->st_mode = S_IFCHR | 0620;
    st->st_nlink = 1;
    st->st_rdev = 5 << 8 | 1;
    st->st_blksize = 1024;
    return 0;
}

static const struct file_ops console_ops = {
    .read = console_file_read,
    .write = console_file_write,
    .poll = console_file_poll,
    .ioctl = console_file_ioctl,
    .stat = console_file_stat,
    .kind = "console",
};

/* /dev/tty is there only if there is a terminal, as for a process without a controlling one. */
static int open_terminal(struct file *f)
{
    (void)f;
    return is_terminal ? 0 : -ENXIO;
}

DEVICE(console) = {.name = "console", .major = 5, .minor = 1, .mode = 0620, .ops = &console_ops};
DEVICE(tty) = {.name = "tty", .major = 5, .mode = 0666, .ops = &console_ops, .open = open_terminal};

static struct file *standard[3]; /* our own references */

/* The descriptors 0, 1 and 2; only what the app writes to 2 is kept for the report. */
void program_files(void)
{
    for (int fd = 0; fd < 3; fd++) {
        if (standard[fd])
            file_put(standard[fd]);
        struct file *f = standard[fd] = file_new(&console_ops, 0, fd == 2 ? &terminal : NULL);
        assert(f);
        f->path = kstrdup("/dev/console");
        file_get(f);
        assert(fd_install(f, fd, false) == fd);
    }
}

/* A terminal is open for both directions, whichever descriptor it is. */
static void standard_modes(void)
{
    static const int modes[3] = {O_RDONLY, O_WRONLY, O_WRONLY};
    for (int fd = 0; fd < 3; fd++)
        standard[fd]->flags = (standard[fd]->flags & ~O_ACCMODE) | (is_terminal ? O_RDWR : modes[fd]);
}

static bool configured(const char *key, const char *value)
{
    const char *is = config_get(key);
    return is && strcmp(is, value) == 0;
}

INIT(early)
{
    tty_init(&terminal);
    terminal.plain = true;
    terminal.output = output;
    terminal.signal = send_signal;
    terminal.room = room;
}

/* Nothing is known yet of what this boot's console will be. */
START(early)
{
    terminal.ended = listening = false;
    input_bytes = 0;
    input_end = UINT64_MAX;
}

INIT(services)
{
    program_files();
}

START(services)
{
    terminal.group = process_id;
    is_terminal = configured("tty", "1");
    terminal.plain = !is_terminal;
    terminal.ended |= !is_terminal && !configured("stdin", "console");
    listening = !terminal.ended;
    standard_modes();
    if (listening && device && device->listen)
        device->listen();
}
