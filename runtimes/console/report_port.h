/* report_port.h - between the report channel and the device that carries it. (console/report.c) */
#ifndef UNIKIT_REPORT_PORT_H
#define UNIKIT_REPORT_PORT_H

#include "kernel.h"

struct report_port {
    /* Takes as many bytes as there is room for, without waiting; how many. */
    size_t (*send)(const char *bytes, size_t n);
    /* Polls the device: frees room, and hands in what arrived. False: all that was sent has arrived. */
    bool (*poll)(void);
};

/* Until this time a port may still turn out to be the report channel: polling it tells. */
void report_expect(const struct report_port *, uint64_t until);
/* There is a port, and somebody is at its other end (or no longer: NULL). */
void report_attach(const struct report_port *);
/* The port has room again. */
void report_send(void);
/* Bytes from the host: commands, a line each. */
void report_receive(const char *bytes, size_t n);

#endif
