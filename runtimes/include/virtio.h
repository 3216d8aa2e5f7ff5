/* virtio.h - devices and queues, whatever the transport (virtio 1.2). (virtio/) */
#ifndef UNIKIT_VIRTIO_H
#define UNIKIT_VIRTIO_H

#include "kernel.h"

#define VIRTIO_F_RING_INDIRECT_DESC 28
#define VIRTIO_F_RING_EVENT_IDX     29
#define VIRTIO_F_VERSION_1          32

struct virtio_queue;

struct virtio_transport {
    uint8_t (*config_read8)(struct virtio_device *, unsigned offset);
    void (*config_write8)(struct virtio_device *, unsigned offset, uint8_t value);
    uint64_t (*features)(struct virtio_device *);
    void (*set_features)(struct virtio_device *, uint64_t features);
    uint8_t (*status)(struct virtio_device *);
    void (*set_status)(struct virtio_device *, uint8_t status);
    /* Sizes and enables a queue whose rings are in memory; 0 or -errno. */
    int (*queue_enable)(struct virtio_device *, struct virtio_queue *);
    unsigned (*queue_size_max)(struct virtio_device *, unsigned index);
    void (*notify)(struct virtio_device *, struct virtio_queue *);
};

struct virtio_device {
    struct list link;
    const struct virtio_transport *transport;
    uint32_t id;       /* virtio device id: 1 net, 3 console, 4 rng */
    uint64_t features; /* negotiated */
    void *private;     /* the transport's */
    void *driver_data; /* the driver's */
    void (*config_changed)(struct virtio_device *);
    struct virtio_queue *queues[32];
    unsigned queue_count;
};

/* Driver side. Negotiates `wanted` (bit masks; VERSION_1 and what the transport needs are added): 0 or
 * -ENOTSUP. */
int virtio_negotiate(struct virtio_device *, uint64_t wanted);
/* A queue of at most `size` entries; `used` is called from the interrupt when buffers came back (NULL: polled
 * only). */
struct virtio_queue *virtio_queue_create(struct virtio_device *, unsigned index, unsigned size,
                                         void (*used)(struct virtio_queue *));
void virtio_ready(struct virtio_device *); /* DRIVER_OK */

struct virtio_buffer {
    void *data; /* direct-map or kernel address */
    uint32_t length;
};
/* Adds a chain: `out` buffers that the device reads, then `in` that it writes. `token` comes back. 0 or
 * -ENOSPC. */
int virtio_queue_add(struct virtio_queue *, const struct virtio_buffer *, unsigned out, unsigned in,
                     void *token);
/* Tells the device about what was added, unless it asked not to be told. */
void virtio_queue_kick(struct virtio_queue *);
/* The next finished chain's token and the bytes written; NULL: none. */
void *virtio_queue_take(struct virtio_queue *, uint32_t *written);
unsigned virtio_queue_room(const struct virtio_queue *);
/* Interrupts for used buffers on or off; enabling says true if some came in the meantime (look again). */
void virtio_queue_interrupts_off(struct virtio_queue *);
bool virtio_queue_interrupts_on(struct virtio_queue *);
void *virtio_queue_data(const struct virtio_queue *); /* driver's own pointer */
void virtio_queue_set_data(struct virtio_queue *, void *);
struct virtio_device *virtio_queue_device(const struct virtio_queue *);

#endif
