// components: virtio/queue virtio/net_receive
/* The receive path of virtio/net.c on top of a hostile device: it writes what it likes into the used ring,
 * and into the buffers that it was given. Whatever it does, a buffer has one owner at a time, and every byte
 * of a frame that is delivered lies inside its buffers (which the address sanitizer watches: each is an
 * allocation of its own). */
#include <stdlib.h>
#include <string.h>

#include "../../../runtimes/virtio/net_receive.h"
#include "memory.h"
#include "virtio.h"

enum { SIZE = 16, BUFFERS = 24, ROOM = 96 };

static unsigned size_max(struct virtio_device *d, unsigned index)
{
    return (void)d, (void)index, SIZE;
}
static int enable(struct virtio_device *d, struct virtio_queue *q)
{
    return (void)d, (void)q, 0;
}
static void notify(struct virtio_device *d, struct virtio_queue *q)
{
    (void)d, (void)q;
}
static const struct virtio_transport transport = {
    .queue_size_max = size_max, .queue_enable = enable, .notify = notify};

struct used_view {
    uint16_t flags, index;
    struct {
        uint32_t id, length;
    } ring[SIZE];
};

enum owner { FREE, DEVICE, RECEIVER };
struct owned {
    struct net_buffer piece;
    enum owner owner;
};

static struct owned buffers[BUFFERS];
static volatile uint8_t sink;

static void give_back(struct net_buffer *list)
{
    for (struct net_buffer *next; list; list = next) {
        struct owned *b = container_of(list, struct owned, piece);
        next = list->next;
        assert(b->owner == RECEIVER);
        b->owner = FREE;
    }
}

static void deliver(struct net_receiver *r)
{
    uint32_t total = 0;
    for (const struct net_buffer *b = r->first; b; b = b->next) {
        assert(b->length && b->start + b->length <= b->room);
        for (uint32_t i = 0; i < b->length; i++)
            sink = b->memory[b->start + i];
        total += b->length;
    }
    assert(total == r->total && total >= NET_FRAME_MIN && total <= NET_FRAME_MAX);
}

static void refill(struct virtio_queue *q)
{
    for (unsigned i = 0; i < BUFFERS; i++) {
        struct virtio_buffer one = {buffers[i].piece.memory, ROOM};
        if (buffers[i].owner == FREE && virtio_queue_add(q, &one, 0, 1, &buffers[i].piece) == 0)
            buffers[i].owner = DEVICE;
    }
}

static void poll(struct virtio_queue *q, struct net_receiver *r)
{
    struct net_buffer *piece;
    uint32_t written;
    for (unsigned n = 0; n < 1000 && (piece = virtio_queue_take(q, &written)); n++) {
        struct owned *b = container_of(piece, struct owned, piece);
        assert(b->owner == DEVICE && written <= ROOM);
        b->owner = RECEIVER;
        enum net_received what = net_receive(r, piece, written);
        if (what == NET_FRAME)
            deliver(r);
        if (what != NET_MORE)
            give_back(r->first);
        refill(q);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct virtio_device device = {.transport = &transport, .features = data[0] & 1 ? 1UL << 29 : 0};
    struct virtio_queue *q = virtio_queue_create(&device, 0, SIZE, NULL);
    struct used_view *used = (void *)q->used;
    struct net_receiver receiver = {.header = data[0] & 2 ? NET_HEADER : NET_HEADER_SHORT,
                                    .mergeable = (data[0] & 6) == 2};
    for (unsigned i = 0; i < BUFFERS; i++) {
        buffers[i] = (struct owned){.piece = {.memory = malloc(ROOM), .room = ROOM}, .owner = FREE};
        memset(buffers[i].piece.memory, 0, ROOM);
    }
    refill(q);
    for (size_t at = 1; at + 4 <= size; at += 4) {
        const uint8_t *c = data + at;
        /* An honest answer unless a byte says otherwise. */
        uint16_t index = used->index;
        uint32_t id = c[0] & 0x80 ? c[0] * 0x01010101u : c[0] % SIZE;
        used->ring[index % SIZE].id = id;
        used->ring[index % SIZE].length = c[1] & 0x80 ? (uint32_t)c[1] << 24 | c[1] : c[1];
        if (id < BUFFERS) {
            buffers[id].piece.memory[0] = c[2];
            buffers[id].piece.memory[10] = c[3];
            buffers[id].piece.memory[11] = c[3] == 255 ? c[2] : 0;
        }
        used->index = (uint16_t)(index + (c[2] == 0xee ? c[3] : 1));
        if (c[2] & 1)
            poll(q, &receiver);
    }
    poll(q, &receiver);
    give_back(net_receive_reset(&receiver));
    while (virtio_queue_drain(q))
        ;
    assert(q->broken || virtio_queue_room(q) == SIZE);
    for (unsigned i = 0; i < BUFFERS; i++)
        free(buffers[i].piece.memory);
    pages_free(q->rings, 0);
    kfree(q->slots);
    kfree(q);
    return 0;
}
