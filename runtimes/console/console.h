/* console.h - between the console, the devices that carry it and the terminal in between. */
#ifndef UNIKIT_CONSOLE_H
#define UNIKIT_CONSOLE_H

#include "kernel.h"
#include "thread.h"

/* What carries the console's bytes: the serial port, a virtio console. */
struct console_device {
    const char *name;
    /* All of it, waiting for room by polling: works with interrupts off, and from a panic. */
    void (*write)(const char *text, size_t length);
    /* From now on what arrives is handed to console_input(), as long as console_room() says that there is
     * room; called again when there is room again. NULL: output only. */
    void (*listen)(void);
    /* Can write() go on without polling? If not, `writers` is woken when it can. NULL: always. */
    bool (*ready)(void);
    struct wait_queue *writers;
    /* Is something on its way out still? NULL: never. */
    bool (*busy)(void);
};

/* The device takes over the console, unless the configuration asks for another one by name. */
void console_attach(const struct console_device *);
/* Waits, for a moment at most, until all that was written is out: before power-off. */
void console_flush(void);
/* The same for the application's own port, if there is one. (console/app_port.c) */
void app_port_flush(void);
/* How many bytes console_input() will take now, the rest would be lost. */
size_t console_room(void);
/* Bytes that arrived; from the interrupt. */
void console_input(const char *bytes, size_t n);
/* Nothing will arrive any more after so many bytes in all: readers get end of file then. */
void console_input_end(uint64_t after);
/* The terminal on the other side has this size now. */
void console_resize(unsigned rows, unsigned columns);

#endif
