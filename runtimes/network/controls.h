/* controls.h - the control messages of a datagram that is sent. (controls.c) */
#ifndef UNIKIT_CONTROLS_H
#define UNIKIT_CONTROLS_H

#include "inet.h"

struct datagram_controls {
    uint8_t ttl, tos;
    bool from; /* `source` is the address to send from */
    ip_addr_t source;
    struct netif *interface; /* NULL: as the way to the destination says */
};

/* The message's wishes over the socket's own; -EINVAL, -ENODEV, -ENETUNREACH. */
int datagram_controls(const struct inet_socket *, const struct socket_message *, struct datagram_controls *);

#endif
