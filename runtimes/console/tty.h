/* tty.h - a terminal's line discipline, apart from any device. (console/tty.c) */
#ifndef UNIKIT_TTY_H
#define UNIKIT_TTY_H

#include <asm/termbits.h>
#include <asm/termios.h>

#include "file.h"
#include "kernel.h"
#include "thread.h"

#define TTY_BUFFER 4096u
#define TTY_PIECE  2048u

struct tty {
    /* Not a terminal: bytes pass as they are, terminal requests answer ENOTTY. */
    bool plain;
    bool ended;   /* no more input will come */
    bool stopped; /* output held by the STOP character */
    bool quote;   /* the next character is taken literally */
    struct termios2 termios;
    struct winsize size;
    int group;
    /* Input: [taken, committed) can be read, [committed, filled) is the line being edited. Free-running
     * counters. A bit in `ends` says that the line ends with this character; if that is NUL, by an
     * end-of-file character. */
    unsigned taken, committed, filled;
    unsigned column, line_column; /* of the cursor; where the line being edited began */
    char buffer[TTY_BUFFER];
    uint8_t ends[TTY_BUFFER / 8];
    struct wait_queue readers, writers;
    /* To the device. */
    void (*output)(struct tty *, const char *text, size_t length);
    void (*signal)(struct tty *, int number);
    /* Input was taken and there is room again. */
    void (*room)(struct tty *);
};

void tty_init(struct tty *);
/* Characters from the device; what there is no room for is lost. */
void tty_receive(struct tty *, const char *bytes, size_t n);
size_t tty_room(const struct tty *);
/* No more input: reads answer 0 when the buffer is empty. */
void tty_end(struct tty *);
void tty_resize(struct tty *, unsigned rows, unsigned columns);
/* The bytes read, 0 at the end, -EAGAIN, -ERESTARTSYS, -EFAULT. */
ssize_t tty_read(struct tty *, struct io *, bool nonblocking);
/* Output processing (ONLCR ...) into output(): in one piece for up to TTY_PIECE characters. */
void tty_write(struct tty *, const char *text, size_t length);
long tty_ioctl(struct tty *, unsigned request, uintptr_t argument);
/* Events for reading; and for writing, apart from the device. */
unsigned tty_poll(struct tty *, struct poller *);

#endif
