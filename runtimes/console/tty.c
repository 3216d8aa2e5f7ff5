/* console/tty.c - a terminal's line discipline: line editing, echo, signal characters, raw mode.
 *
 * What a program sees is what termios(3) and Linux's N_TTY describe; where POSIX leaves a choice, it is
 * Linux's. Input lies in one ring; in canonical mode a bit for each character says where lines end, so that
 * switching modes with unread input works as it does there. It knows no device: output, signals and flow
 * control are callbacks.
 *
 * Left out: job control (there is one process), ECHOPRT and parity marks. The SUSP character is swallowed,
 * because nobody could continue a stopped unikernel.
 */
#include "tty.h"

#include <asm/ioctls.h>
#include <linux/eventpoll.h>
#include <linux/signal.h>

#include "memory.h"

#define INPUT(tty, flag)  ((tty)->termios.c_iflag & (flag))
#define LOCAL(tty, flag)  ((tty)->termios.c_lflag & (flag))
#define OUTPUT(tty, flag) ((tty)->termios.c_oflag & (flag))

static bool is_char(const struct tty *tty, unsigned char c, unsigned index)
{
    return c == tty->termios.c_cc[index] && c != '\0'; /* NUL disables a special character */
}

/* ---- the ring */

static char *slot(struct tty *tty, unsigned at)
{
    return &tty->buffer[at % TTY_BUFFER];
}

static bool ends_line(const struct tty *tty, unsigned at)
{
    at %= TTY_BUFFER;
    return tty->ends[at / 8] >> at % 8 & 1;
}

static void set_end(struct tty *tty, unsigned at, bool end)
{
    uint8_t bit;
    at %= TTY_BUFFER;
    bit = (uint8_t)(1u << at % 8);
    tty->ends[at / 8] = (uint8_t)(end ? tty->ends[at / 8] | bit : tty->ends[at / 8] & ~bit);
}

static void append(struct tty *tty, char c, bool end)
{
    *slot(tty, tty->filled) = c;
    set_end(tty, tty->filled, end);
    tty->filled++;
}

size_t tty_room(const struct tty *tty)
{
    return TTY_BUFFER - (tty->filled - tty->taken);
}

/* A canonical line keeps one place for the character that ends it. */
static bool has_room(const struct tty *tty)
{
    return tty_room(tty) > (LOCAL(tty, ICANON) ? 1 : 0);
}

static void flush_input(struct tty *tty)
{
    tty->taken = tty->committed = tty->filled;
    tty->quote = false;
    if (tty->room)
        tty->room(tty);
}

/* ---- output */

/* Gathers what goes to the device, so that it goes in one piece. */
struct out {
    struct tty *tty;
    char *text;
    unsigned n, room;
};

#define OUT(name, tty_)                                                                                      \
    char name##_text[256];                                                                                   \
    struct out name = {.tty = (tty_), .text = name##_text, .room = sizeof(name##_text)}

static void out_flush(struct out *out)
{
    if (out->n)
        out->tty->output(out->tty, out->text, out->n);
    out->n = 0;
}

static void out_raw(struct out *out, char c)
{
    if (out->n == out->room)
        out_flush(out);
    out->text[out->n++] = c;
}

static bool is_continuation(const struct tty *tty, unsigned char c)
{
    return INPUT(tty, IUTF8) && (c & 0xc0) == 0x80;
}

static bool is_control(unsigned char c)
{
    return c < 0x20 || c == 0x7f;
}

/* One character through the c_oflag processing. */
static void out_char(struct out *out, unsigned char c)
{
    struct tty *tty = out->tty;

    if (!OUTPUT(tty, OPOST)) {
        out_raw(out, (char)c);
        return;
    }
    switch (c) {
    case '\n':
        if (OUTPUT(tty, ONLRET))
            tty->column = 0;
        if (OUTPUT(tty, ONLCR)) {
            out_raw(out, '\r');
            tty->column = 0;
        }
        break;
    case '\r':
        if (OUTPUT(tty, ONOCR) && tty->column == 0)
            return;
        if (OUTPUT(tty, OCRNL)) {
            c = '\n';
            if (OUTPUT(tty, ONLRET))
                tty->column = 0;
        } else {
            tty->column = 0;
        }
        break;
    case '\t': {
        unsigned spaces = 8 - tty->column % 8;
        tty->column += spaces;
        if (OUTPUT(tty, TABDLY) == TAB3) {
            while (spaces--)
                out_raw(out, ' ');
            return;
        }
        break;
    }
    case '\b':
        if (tty->column)
            tty->column--;
        break;
    default:
        if (OUTPUT(tty, OLCUC) && c >= 'a' && c <= 'z')
            c = (unsigned char)(c - 'a' + 'A');
        if (!is_control(c) && !is_continuation(tty, c))
            tty->column++;
    }
    out_raw(out, (char)c);
}

void tty_write(struct tty *tty, const char *text, size_t length)
{
    static char piece[TTY_PIECE * 2]; /* nobody writes in between: the kernel is not re-entered */
    struct out out = {.tty = tty, .text = piece, .room = sizeof(piece)};

    if (tty->plain || !OUTPUT(tty, OPOST)) {
        tty->output(tty, text, length);
        return;
    }
    for (size_t i = 0; i < length; i++)
        out_char(&out, (unsigned char)text[i]);
    out_flush(&out);
}

/* ---- echo */

static bool echoes_as_caret(const struct tty *tty, unsigned char c)
{
    return LOCAL(tty, ECHOCTL) && is_control(c) && c != '\t';
}

static void echo_char(struct out *out, unsigned char c)
{
    struct tty *tty = out->tty;
    if (echoes_as_caret(tty, c)) {
        out_raw(out, '^');
        out_raw(out, (char)(c ^ 0x40));
        tty->column += 2;
    } else {
        out_char(out, c);
    }
}

static void echo(struct tty *tty, unsigned char c)
{
    OUT(out, tty);
    if (!LOCAL(tty, ECHO))
        return;
    if (tty->filled == tty->committed)
        tty->line_column = tty->column;
    echo_char(&out, c);
    out_flush(&out);
}

static void echo_newline(struct tty *tty)
{
    OUT(out, tty);
    if (!LOCAL(tty, ECHO | ECHONL))
        return;
    out_char(&out, '\n');
    out_flush(&out);
}

/* The cursor's column after [committed, end) of the line: what a tab's width depends on. */
static unsigned column_after(struct tty *tty, unsigned end)
{
    unsigned column = tty->line_column;
    for (unsigned at = tty->committed; at != end; at++) {
        unsigned char c = (unsigned char)*slot(tty, at);
        if (c == '\t')
            column += 8 - column % 8;
        else if (is_control(c))
            column += LOCAL(tty, ECHOCTL) ? 2 : 0;
        else if (!is_continuation(tty, c))
            column++;
    }
    return column;
}

/* ---- editing */

/* Where the last character begins, with all its bytes. */
static unsigned last_start(struct tty *tty)
{
    unsigned at = tty->filled;
    while (at != tty->committed && is_continuation(tty, (unsigned char)*slot(tty, at - 1)))
        at--;
    return at == tty->committed ? at : at - 1;
}

/* Takes the last character off the line and off the screen. */
static void rub_out(struct tty *tty, bool visibly)
{
    OUT(out, tty);
    unsigned end = last_start(tty), from, to;

    if (visibly) {
        from = column_after(tty, tty->filled);
        to = column_after(tty, end);
        if (*slot(tty, end) == '\t') {
            for (; from > to; from--)
                out_raw(&out, '\b');
        } else {
            for (; from > to; from--) {
                out_raw(&out, '\b');
                out_raw(&out, ' ');
                out_raw(&out, '\b');
            }
        }
        tty->column = to;
        out_flush(&out);
    }
    tty->filled = end;
}

static void erase(struct tty *tty, unsigned char c)
{
    if (tty->filled == tty->committed)
        return;
    if (LOCAL(tty, ECHO) && !LOCAL(tty, ECHOE))
        echo(tty, c);
    rub_out(tty, LOCAL(tty, ECHO) && LOCAL(tty, ECHOE));
}

/* Letters and digits, of Latin-1 too: that makes the first byte of most UTF-8 characters one. */
static bool is_word(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           (c >= 0xc0 && c != 0xd7 && c != 0xf7);
}

static void erase_word(struct tty *tty)
{
    bool visibly = LOCAL(tty, ECHO) != 0, seen = false;
    while (tty->filled != tty->committed) {
        unsigned char last = (unsigned char)*slot(tty, last_start(tty));
        if (is_word(last))
            seen = true;
        else if (seen)
            break;
        rub_out(tty, visibly);
    }
}

static void kill_line(struct tty *tty, unsigned char c)
{
    if (tty->filled == tty->committed)
        return;
    if (LOCAL(tty, ECHO) && LOCAL(tty, ECHOK) && LOCAL(tty, ECHOKE) && LOCAL(tty, ECHOE)) {
        while (tty->filled != tty->committed)
            rub_out(tty, true);
        return;
    }
    tty->filled = tty->committed;
    echo(tty, c);
    if (LOCAL(tty, ECHO) && LOCAL(tty, ECHOK))
        echo_newline(tty);
}

static void reprint(struct tty *tty, unsigned char c)
{
    OUT(out, tty);
    if (!LOCAL(tty, ECHO))
        return;
    echo_char(&out, c);
    out_char(&out, '\n');
    tty->line_column = tty->column;
    for (unsigned at = tty->committed; at != tty->filled; at++)
        echo_char(&out, (unsigned char)*slot(tty, at));
    out_flush(&out);
}

/* ---- input */

static void wake_readers(struct tty *tty)
{
    wake_all(&tty->readers, EPOLLIN | EPOLLRDNORM);
}

static void restart_output(struct tty *tty)
{
    if (!tty->stopped)
        return;
    tty->stopped = false;
    wake_all(&tty->writers, EPOLLOUT | EPOLLWRNORM);
}

/* The line is complete with c (NUL: by end of file). */
static void commit(struct tty *tty, char c)
{
    if (tty_room(tty) == 0)
        return;
    append(tty, c, true);
    tty->committed = tty->filled;
    wake_readers(tty);
}

/* INTR, QUIT, SUSP: true if c was one. */
static bool signal_char(struct tty *tty, unsigned char c)
{
    int number;

    if (!LOCAL(tty, ISIG))
        return false;
    if (is_char(tty, c, VINTR))
        number = SIGINT;
    else if (is_char(tty, c, VQUIT))
        number = SIGQUIT;
    else if (is_char(tty, c, VSUSP))
        number = 0;
    else
        return false;
    if (!LOCAL(tty, NOFLSH) && number)
        flush_input(tty);
    restart_output(tty);
    echo(tty, c);
    if (number)
        tty->signal(tty, number);
    return true;
}

/* START and STOP: true if c was one. */
static bool flow_char(struct tty *tty, unsigned char c)
{
    if (!INPUT(tty, IXON))
        return false;
    if (is_char(tty, c, VSTOP)) {
        tty->stopped = true;
        return true;
    }
    if (is_char(tty, c, VSTART)) {
        restart_output(tty);
        return true;
    }
    if (INPUT(tty, IXANY))
        restart_output(tty);
    return false;
}

/* Canonical mode's editing and line ends: true if c was taken care of. */
static bool edit_char(struct tty *tty, unsigned char c)
{
    if (is_char(tty, c, VERASE)) {
        erase(tty, c);
        return true;
    }
    if (is_char(tty, c, VKILL)) {
        kill_line(tty, c);
        return true;
    }
    if (LOCAL(tty, IEXTEN) && is_char(tty, c, VWERASE)) {
        erase_word(tty);
        return true;
    }
    if (LOCAL(tty, IEXTEN) && LOCAL(tty, ECHO) && is_char(tty, c, VREPRINT)) {
        reprint(tty, c);
        return true;
    }
    if (is_char(tty, c, VEOF)) {
        commit(tty, '\0');
        return true;
    }
    if (c == '\n') {
        echo_newline(tty);
        commit(tty, '\n');
        return true;
    }
    if (is_char(tty, c, VEOL) || (LOCAL(tty, IEXTEN) && is_char(tty, c, VEOL2))) {
        echo(tty, c);
        commit(tty, (char)c);
        return true;
    }
    return false;
}

/* `returned`: a line feed that was typed as a carriage return, and so is shown as the end of a line. */
static void ordinary_char(struct tty *tty, unsigned char c, bool returned)
{
    if (!has_room(tty)) {
        if (INPUT(tty, IMAXBEL))
            tty->output(tty, "\a", 1);
        return;
    }
    if (returned && LOCAL(tty, ECHO))
        echo_newline(tty);
    else
        echo(tty, c);
    append(tty, (char)c, false);
    if (!LOCAL(tty, ICANON)) {
        tty->committed = tty->filled;
        wake_readers(tty);
    }
}

static void receive_char(struct tty *tty, unsigned char c)
{
    bool returned = false;

    if (INPUT(tty, ISTRIP))
        c &= 0x7f;
    if (INPUT(tty, IUCLC) && LOCAL(tty, IEXTEN) && c >= 'A' && c <= 'Z')
        c = (unsigned char)(c - 'A' + 'a');
    if (tty->quote) {
        tty->quote = false;
        ordinary_char(tty, c, false);
        return;
    }
    if (flow_char(tty, c) || signal_char(tty, c))
        return;
    if (c == '\r') {
        if (INPUT(tty, IGNCR))
            return;
        if (INPUT(tty, ICRNL)) {
            c = '\n';
            returned = true;
        }
    } else if (c == '\n' && INPUT(tty, INLCR)) {
        c = '\r';
    }
    if (LOCAL(tty, ICANON) && LOCAL(tty, IEXTEN) && is_char(tty, c, VLNEXT)) {
        tty->quote = true;
        if (LOCAL(tty, ECHO) && LOCAL(tty, ECHOCTL))
            tty->output(tty, "^\b", 2);
        return;
    }
    if (!LOCAL(tty, ICANON) || !edit_char(tty, c))
        ordinary_char(tty, c, returned);
}

void tty_receive(struct tty *tty, const char *bytes, size_t n)
{
    if (!tty->plain) {
        for (size_t i = 0; i < n; i++)
            receive_char(tty, (unsigned char)bytes[i]);
        return;
    }
    for (size_t i = 0; i < n && tty_room(tty); i++)
        append(tty, bytes[i], false);
    tty->committed = tty->filled;
    wake_readers(tty);
}

void tty_end(struct tty *tty)
{
    tty->ended = true;
    wake_all(&tty->readers, EPOLLIN | EPOLLRDNORM | EPOLLHUP);
}

void tty_resize(struct tty *tty, unsigned rows, unsigned columns)
{
    if (tty->size.ws_row == rows && tty->size.ws_col == columns)
        return;
    tty->size.ws_row = (unsigned short)rows;
    tty->size.ws_col = (unsigned short)columns;
    if (!tty->plain)
        tty->signal(tty, SIGWINCH);
}

/* ---- reading */

static bool is_canonical(const struct tty *tty)
{
    return !tty->plain && LOCAL(tty, ICANON);
}

/* At most one line of the committed ones; its end-of-file mark is not part of what is read. */
static ssize_t take_line(struct tty *tty, struct io *io)
{
    ssize_t done = 0;
    while (tty->taken != tty->committed) {
        bool end = ends_line(tty, tty->taken);
        char c = *slot(tty, tty->taken);
        if (!(end && c == '\0')) {
            if (io->left == 0)
                break;
            if (io_put(io, &c, 1) < 0)
                return done ? done : -EFAULT;
            done++;
        }
        tty->taken++;
        if (end)
            break;
    }
    return done;
}

static ssize_t take_raw(struct tty *tty, struct io *io)
{
    ssize_t done = 0;
    while (tty->taken != tty->committed && io->left) {
        unsigned at = tty->taken % TTY_BUFFER;
        size_t n = min(min(tty->committed - tty->taken, TTY_BUFFER - at), (unsigned)min(io->left, 0xffffUL));
        ssize_t put = io_put(io, &tty->buffer[at], n);
        if (put < 0)
            return done ? done : put;
        tty->taken += (unsigned)put;
        done += put;
    }
    return done;
}

static unsigned available(const struct tty *tty)
{
    return tty->committed - tty->taken;
}

/* termios(3), "Canonical and noncanonical mode": the four cases of MIN and TIME. */
static int wait_raw(struct tty *tty, size_t wanted, bool nonblocking)
{
    unsigned least = tty->plain ? 1 : tty->termios.c_cc[VMIN];
    uint64_t pause = tty->plain ? 0 : tty->termios.c_cc[VTIME] * 100000000UL;
    uint64_t deadline = NEVER;
    unsigned had = available(tty);

    if (least > wanted)
        least = (unsigned)wanted;
    if (least == 0 && pause)
        deadline = clock_now() + pause;
    if (nonblocking)
        return had || tty->ended || (least == 0 && !pause) ? 0 : -EAGAIN;
    while (available(tty) < max(least, pause ? 1u : 0u) && !tty->ended) {
        int result;
        if (least && pause && available(tty)) {
            if (deadline == NEVER || available(tty) != had)
                deadline = clock_now() + pause;
            had = available(tty);
        }
        result = wait_on(&tty->readers, EPOLLIN, deadline);
        if (result == -ETIMEDOUT)
            return 0;
        if (result < 0)
            return available(tty) ? 0 : result;
    }
    return 0;
}

ssize_t tty_read(struct tty *tty, struct io *io, bool nonblocking)
{
    ssize_t done;

    if (io->left == 0)
        return 0;
    if (is_canonical(tty)) {
        if (nonblocking && !available(tty) && !tty->ended)
            return -EAGAIN;
        done = wait_for(&tty->readers, EPOLLIN, NEVER, available(tty) || tty->ended || !is_canonical(tty));
        if (done < 0)
            return done;
    }
    if (is_canonical(tty)) {
        done = take_line(tty, io);
    } else {
        done = wait_raw(tty, io->left, nonblocking);
        if (done == 0)
            done = take_raw(tty, io);
    }
    if (done > 0 && tty->room)
        tty->room(tty);
    return done;
}

unsigned tty_poll(struct tty *tty, struct poller *poller)
{
    unsigned least = 1, events = 0;

    poll_on(poller, &tty->readers);
    poll_on(poller, &tty->writers);
    if (!tty->plain && !LOCAL(tty, ICANON) && !tty->termios.c_cc[VTIME] && tty->termios.c_cc[VMIN])
        least = tty->termios.c_cc[VMIN];
    if (available(tty) >= least || tty->ended)
        events |= EPOLLIN | EPOLLRDNORM;
    if (tty->ended && !tty->plain)
        events |= EPOLLHUP;
    return events;
}

/* ---- requests */

/* Switching canonical mode with input waiting: it stays readable. */
static void set_termios(struct tty *tty, const struct termios2 *new)
{
    bool was = LOCAL(tty, ICANON) != 0;

    tty->termios = *new;
    if (was != (LOCAL(tty, ICANON) != 0)) {
        if (!was && available(tty))
            set_end(tty, tty->filled - 1, true);
        tty->committed = tty->filled;
        if (was)
            memset(tty->ends, 0, sizeof(tty->ends));
        tty->quote = false;
    }
    if (!INPUT(tty, IXON))
        restart_output(tty);
    if (available(tty))
        wake_readers(tty);
}

static long put_termios(struct tty *tty, uintptr_t to, size_t size)
{
    return copy_out((void *)to, &tty->termios, size);
}

/* struct termios is the start of struct termios2. */
static long take_termios(struct tty *tty, uintptr_t from, size_t size, bool flush)
{
    struct termios2 new = tty->termios;
    if (copy_in(&new, (const void *)from, size) < 0)
        return -EFAULT;
    if (flush)
        flush_input(tty);
    set_termios(tty, &new);
    return 0;
}

static long put_int(uintptr_t to, int value)
{
    return copy_out((void *)to, &value, sizeof(value));
}

static long flush_request(struct tty *tty, uintptr_t which)
{
    if (which > TCIOFLUSH)
        return -EINVAL;
    if (which != TCOFLUSH)
        flush_input(tty);
    return 0;
}

static long flow_request(struct tty *tty, uintptr_t which)
{
    switch (which) {
    case TCOOFF:
        tty->stopped = true;
        return 0;
    case TCOON:
        restart_output(tty);
        return 0;
    case TCIOFF:
    case TCION:
        return 0; /* there is nobody to send START and STOP to */
    default:
        return -EINVAL;
    }
}

/* What can be read now: in canonical mode without the marks of end of file. */
static int readable(struct tty *tty)
{
    int n = 0;
    if (!is_canonical(tty))
        return (int)available(tty);
    for (unsigned at = tty->taken; at != tty->committed; at++)
        n += !(ends_line(tty, at) && *slot(tty, at) == '\0');
    return n;
}

static long window_request(struct tty *tty, unsigned request, uintptr_t argument)
{
    struct winsize size;
    if (request == TIOCGWINSZ)
        return copy_out((void *)argument, &tty->size, sizeof(tty->size));
    if (copy_in(&size, (const void *)argument, sizeof(size)) < 0)
        return -EFAULT;
    tty_resize(tty, size.ws_row, size.ws_col);
    tty->size = size;
    return 0;
}

long tty_ioctl(struct tty *tty, unsigned request, uintptr_t argument)
{
    if (request == FIONREAD)
        return put_int(argument, readable(tty));
    if (tty->plain)
        return -ENOTTY;
    switch (request) {
    case TCGETS:
        return put_termios(tty, argument, sizeof(struct termios));
    case TCGETS2:
        return put_termios(tty, argument, sizeof(struct termios2));
    case TCSETS:
    case TCSETSW:
        return take_termios(tty, argument, sizeof(struct termios), false);
    case TCSETSF:
        return take_termios(tty, argument, sizeof(struct termios), true);
    case TCSETS2:
    case TCSETSW2:
        return take_termios(tty, argument, sizeof(struct termios2), false);
    case TCSETSF2:
        return take_termios(tty, argument, sizeof(struct termios2), true);
    case TIOCGWINSZ:
    case TIOCSWINSZ:
        return window_request(tty, request, argument);
    case TIOCGPGRP:
    case TIOCGSID:
        return put_int(argument, tty->group);
    case TIOCSPGRP:
        return copy_in(&tty->group, (const void *)argument, sizeof(int));
    case TIOCOUTQ:
        return put_int(argument, 0); /* output is never held back here */
    case TCFLSH:
        return flush_request(tty, argument);
    case TCXONC:
        return flow_request(tty, argument);
    case TIOCGETD:
        return put_int(argument, 0) /* N_TTY */;
    case TIOCSCTTY:
    case TIOCNOTTY:
    case TCSBRK:
    case TCSBRKP:
    case TIOCEXCL:
    case TIOCNXCL:
        return 0; /* one process, one terminal; output is drained when write returns */
    default:
        return -ENOTTY;
    }
}

void tty_init(struct tty *tty)
{
    static const struct termios2 usual = {
        .c_iflag = ICRNL | IXON | IUTF8,
        .c_oflag = OPOST | ONLCR,
        .c_cflag = B38400 | CS8 | CREAD | HUPCL,
        .c_lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
        .c_cc = {[VINTR] = 'C' & 31,
                 [VQUIT] = '\\' & 31,
                 [VERASE] = 0x7f,
                 [VKILL] = 'U' & 31,
                 [VEOF] = 'D' & 31,
                 [VMIN] = 1,
                 [VSTART] = 'Q' & 31,
                 [VSTOP] = 'S' & 31,
                 [VSUSP] = 'Z' & 31,
                 [VREPRINT] = 'R' & 31,
                 [VWERASE] = 'W' & 31,
                 [VLNEXT] = 'V' & 31},
        .c_ispeed = 38400,
        .c_ospeed = 38400,
    };
    memset(tty, 0, sizeof(*tty));
    tty->termios = usual;
    tty->group = 1;
    wait_queue_init(&tty->readers);
    wait_queue_init(&tty->writers);
}
