/* console/serial.c - the 16550 UART at 0x3f8 (COM1): the console that is always there and works first.
 *
 * Output is polled: 16 bytes, the transmit queue's size, each time the line status register says that the
 * queue is empty (National Semiconductor PC16550D data sheet, "Line Status Register"). Under a hypervisor
 * every port access is an exit, so a burst is one string instruction. Input comes by interrupt (ISA line 4),
 * once somebody wants it.
 */
#include "console.h"
#include "port.h"
#include "thread.h"

enum {
    COM1 = 0x3f8,
    DATA = COM1, /* divisor, low byte, while LINE_CONTROL's bit 7 is set */
    INTERRUPT_ENABLE = COM1 + 1,
    FIFO_CONTROL = COM1 + 2,
    LINE_CONTROL = COM1 + 3,
    MODEM_CONTROL = COM1 + 4,
    LINE_STATUS = COM1 + 5,
    SCRATCH = COM1 + 7,
};
enum { STATUS_DATA = 1, STATUS_TRANSMIT_EMPTY = 0x20 };
enum { BURST = 16, LINE = 4 };

static bool present PER_BOOT;
static bool starved PER_BOOT; /* input waits for the reader */

/* A stuck line must not hang the machine: what cannot be sent after this many looks is lost. */
static void wait_for_room(void)
{
    for (unsigned looks = 0; looks < 1000000; looks++)
        if (in8(LINE_STATUS) & STATUS_TRANSMIT_EMPTY)
            return;
}

static void serial_write(const char *text, size_t length)
{
    while (present && length) {
        size_t n = min(length, (size_t)BURST);
        wait_for_room();
        out8_string(DATA, text, n);
        text += n, length -= n;
    }
}

static void interrupt(void *data)
{
    char bytes[64];
    size_t n = 0;

    (void)data;
    starved = false;
    while (in8(LINE_STATUS) & STATUS_DATA) {
        if (console_room() <= n) { /* the UART's other side holds it back */
            starved = true;
            break;
        }
        bytes[n++] = (char)in8(DATA);
        if (n == sizeof(bytes)) {
            console_input(bytes, n);
            n = 0;
        }
    }
    if (n)
        console_input(bytes, n);
}

static void serial_listen(void)
{
    static bool listening PER_BOOT;
    if (listening) {
        if (starved)
            interrupt(NULL);
        return;
    }
    if (!present || interrupt_line(LINE, false, false, interrupt, NULL) < 0)
        return;
    listening = true;
    out8(MODEM_CONTROL, 0x0b); /* DTR, RTS, and OUT2, which gates the interrupt */
    out8(INTERRUPT_ENABLE, 1);
    interrupt(NULL); /* what came before: the edge is gone */
}

static const struct console_device serial = {
    .name = "serial", .write = serial_write, .listen = serial_listen};

START(early)
{
    out8(SCRATCH, 0x5a);
    present = in8(SCRATCH) == 0x5a;
    if (!present)
        return;
    out8(INTERRUPT_ENABLE, 0);
    out8(LINE_CONTROL, 0x80);
    out8(DATA, 1); /* 115200 baud */
    out8(INTERRUPT_ENABLE, 0);
    out8(LINE_CONTROL, 3); /* 8 data bits, no parity, one stop bit */
    out8(FIFO_CONTROL, 0x07);
    out8(MODEM_CONTROL, 0x03);
    console_attach(&serial);
}
