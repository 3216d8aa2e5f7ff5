/* network.h - between network devices and the stack, and the stack and the rest. */
#ifndef UNIKIT_NETWORK_H
#define UNIKIT_NETWORK_H

#include "kernel.h"

struct pbuf;

/* What a device driver offers to the stack (network/interface.c). */
struct network_device {
    uint8_t mac[6];
    uint16_t mtu;
    unsigned offload; /* NETWORK_* below */
    /* Sends one frame (a chain of pbufs); takes its own reference while the device reads it. 0 or -ENOBUFS.
     */
    int (*send)(struct network_device *, struct pbuf *);
    /* Frames queued by send() since the last call are told to the device. */
    void (*flush)(struct network_device *);
    /* Hands received frames to network_input(); called from the interrupt and before the CPU idles. */
    void (*poll)(struct network_device *);
    /* The device is reset and gives back its buffers: it will not be used again. */
    void (*leave)(struct network_device *);
    void *driver_data;
    void *interface; /* the stack's */
};
enum { NETWORK_CSUM_TX = 1, NETWORK_CSUM_RX = 2, NETWORK_TSO4 = 4 };

int network_device_add(struct network_device *);
/* A received frame; takes over the pbuf. `checked`: the device vouches for the checksums. */
void network_input(struct network_device *, struct pbuf *, bool checked);

/* The memory is frozen: no interface and no connection stays; listening sockets do. (network/freeze.c) */
void network_freeze(void);

/* Called before the CPU idles and on the way out of socket calls: transmit what is queued (weak no-op without
 * a network). */
void network_flush(void);

#endif
