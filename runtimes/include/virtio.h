/* virtio.h - devices and queues, whatever the transport (virtio 1.2). (virtio/) */
#ifndef UNIKIT_VIRTIO_H
#define UNIKIT_VIRTIO_H

#include "kernel.h"

#define VIRTIO_F_RING_INDIRECT_DESC 28
#define VIRTIO_F_RING_EVENT_IDX     29
#define VIRTIO_F_VERSION_1          32

struct virtio_device;
struct virtio_queue;

/* Initial bits of the device status. */
enum {
    VIRTIO_ACKNOWLEDGE = 1,
    VIRTIO_DRIVER = 2,
    VIRTIO_DRIVER_OK = 4,
    VIRTIO_FEATURES_OK = 8,
    VIRTIO_FAILED = 128
};

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
    bool legacy;       /* virtio 0.9: no VERSION_1, rings of page-aligned parts */
    uint64_t features; /* negotiated */
    void *private;     /* the transport's */
    void *driver_data; /* the driver's */
    void (*config_changed)(struct virtio_device *);
    struct virtio_queue *queues[32];
    unsigned queue_count;
};

/* A queue: shared with the device (rings) and our own notes about it. (virtio/queue.c) */
struct virtio_queue {
    struct virtio_device *device;
    uint16_t index, size, align;
    uint16_t free_head, free_count;
    uint16_t next_available, kicked, last_used;
    bool broken;      /* the device broke the rules: it is not listened to any more */
    bool event_index; /* VIRTIO_F_RING_EVENT_IDX */
    struct descriptor *descriptors;
    struct available *available;
    struct used *used;
    struct slot *slots;
    void *rings;
    void (*callback)(struct virtio_queue *);
    void *data;                /* the driver's */
    volatile void *notify;     /* the transport's */
    unsigned interrupt_vector; /* the transport's: MSI-X entry */
};

/* Transport side (virtio/device.c). What is at a place; then the device is added. */
void virtio_device_is(struct virtio_device *, const struct virtio_transport *, uint32_t id);
/* A device that was found, or found again on a resumed boot: its driver, if
 * there is one, takes it. */
void virtio_device_add(struct virtio_device *);
/* Looks for devices, at power-on and when a frozen image resumes. (virtio/mmio.c, virtio/pci.c) */
void virtio_mmio_discover(void);
void virtio_pci_discover(void);
/* What an interrupt does: callbacks of the queues that have something. True if there was any. */
bool virtio_interrupt(struct virtio_device *);
/* Physical addresses of the three parts. */
void virtio_queue_addresses(const struct virtio_queue *, uint64_t *descriptors, uint64_t *available,
                            uint64_t *used);

/* Driver side. A driver's probe is also called when the device comes up again after a freeze: driver_data is
 * then what it was, the device was reset, and buffers that were in flight are fetched with
 * virtio_queue_drain() before virtio_queue_create() makes the queue anew. */

/* Negotiates `wanted` (bit masks; VERSION_1 and what the transport needs are added): 0 or
 * -EOPNOTSUPP. */
int virtio_negotiate(struct virtio_device *, uint64_t wanted);
/* A queue of at most `size` entries; `used` is called from the interrupt when buffers came back (NULL: polled
 * only). */
struct virtio_queue *virtio_queue_create(struct virtio_device *, unsigned index, unsigned size,
                                         void (*used)(struct virtio_queue *));
void virtio_ready(struct virtio_device *); /* DRIVER_OK */
/* Device configuration, little-endian, n bytes. */
void virtio_config_read(struct virtio_device *, unsigned offset, void *to, size_t n);
static inline bool virtio_has(const struct virtio_device *d, unsigned feature)
{
    return d->features >> feature & 1;
}

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
/* Has anything come back? */
bool virtio_queue_pending(const struct virtio_queue *);
/* The token of a chain that the device, now reset, will never return; NULL: no more. */
void *virtio_queue_drain(struct virtio_queue *);
/* Descriptors that are free; one chain takes as many as it has buffers. */
unsigned virtio_queue_room(const struct virtio_queue *);
unsigned virtio_queue_size(const struct virtio_queue *);
/* Chains that the device has. */
unsigned virtio_queue_in_flight(const struct virtio_queue *);
/* Interrupts for used buffers on or off; enabling says true if some came in the meantime (look again). */
void virtio_queue_interrupts_off(struct virtio_queue *);
bool virtio_queue_interrupts_on(struct virtio_queue *);
/* An interrupt only once n chains came back (n >= 1; at once where the device has no event index). */
bool virtio_queue_interrupts_after(struct virtio_queue *, unsigned n);
void *virtio_queue_data(const struct virtio_queue *); /* driver's own pointer */
void virtio_queue_set_data(struct virtio_queue *, void *);
struct virtio_device *virtio_queue_device(const struct virtio_queue *);

#endif
