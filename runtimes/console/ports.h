/* ports.h - named ports of the console device that belong to components of their own.
 * (console/virtio_console.c)
 *
 * PORT_USER(app) = {.name = "unikit.app", ...}; takes the port that the host calls so.
 */
#ifndef UNIKIT_PORTS_H
#define UNIKIT_PORTS_H

#include "kernel.h"

struct port;

/* All of these are called from the interrupt, or while the device comes up. */
struct port_user {
    const char *name;
    /* The device has such a port; NULL: not any more. */
    void (*found)(struct port *);
    /* Somebody is at the port's other end now, or has left it. */
    void (*host)(bool here);
    /* Bytes that arrived: never more than room() said. */
    void (*input)(const char *bytes, size_t n);
    size_t (*room)(void);
    /* port_ready() said no, and would say yes now. */
    void (*ready)(void);
};
TABLE(unikit_port_users, struct port_user);
#define PORT_USER(symbol) TABLE_RECORD(unikit_port_users, struct port_user, port_user_##symbol)

/* Tells the host whether we read and write: it holds back what it has for a port that is not open. */
void port_open(struct port *, bool open);
/* There is room for input again. */
void port_listen(struct port *);
/* Will port_send() take a page? If not, ready() is called when it will. */
bool port_ready(struct port *);
/* Takes up to a page; how many bytes. */
size_t port_send(struct port *, const char *bytes, size_t n);
/* Has the host not yet taken all that was sent? */
bool port_sending(struct port *);
/* Until when a port that was not found may still turn up; 0: it will not. */
uint64_t ports_expected(void);

#endif
