/* net_receive.h - frames out of the buffers that a network device returns. (virtio/net_receive.c) */
#ifndef UNIKIT_NET_RECEIVE_H
#define UNIKIT_NET_RECEIVE_H

#include "kernel.h"

enum { NET_HEADER = 12, NET_HEADER_SHORT = 10 }; /* short: before 1.0 and without mergeable buffers */
enum { NET_FRAME_MIN = 14, NET_FRAME_MAX = 65535 };

/* A piece of memory that the device fills. */
struct net_buffer {
    struct net_buffer *next;
    uint8_t *memory; /* what the device was given */
    uint32_t room;
    uint32_t start, length; /* of the frame's bytes in it, once they are known */
};

struct net_receiver {
    unsigned header; /* bytes in front of each frame */
    bool mergeable;  /* VIRTIO_NET_F_MRG_RXBUF: the header says over how many buffers the frame goes */
    struct net_buffer *first, *last;
    unsigned missing; /* buffers until the frame is whole */
    uint32_t total;   /* bytes of the frame */
    bool checked;     /* the device vouches for its checksums */
    bool bad;
};

enum net_received {
    NET_MORE,  /* the frame goes on in the next buffer */
    NET_FRAME, /* it is whole: the list at `first` with `total` bytes is the caller's */
    NET_DROP,  /* it makes no sense: the list at `first` is the caller's, to be used again */
};
/* The next buffer that came back, with the count of bytes that the device says it wrote. */
enum net_received net_receive(struct net_receiver *, struct net_buffer *, uint32_t written);
/* Gives up on a frame that is not whole: its buffers. */
struct net_buffer *net_receive_reset(struct net_receiver *);

#endif
