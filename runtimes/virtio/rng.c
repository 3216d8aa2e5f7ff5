/* rng.c - random bytes from the host (virtio 1.2, section 5.4).
 *
 * Asked for at boot, and waited for only as long as there is nothing else; what comes later is added when it
 * comes. Each answer that is used up can be followed by another question: entropy_refill().
 */
#include "entropy.h"
#include "memory.h"
#include "thread.h"
#include "virtio.h"

enum { REQUEST = 64 };
#define PATIENCE 2000000000UL /* ns */

struct rng {
    struct virtio_queue *queue;
    bool asked;
    uint8_t bytes[REQUEST] __attribute__((aligned(64)));
};

static void rng_take(struct virtio_queue *q)
{
    uint32_t written;
    struct rng *r = virtio_queue_take(q, &written);
    if (!r)
        return;
    r->asked = false;
    entropy_add(r->bytes, written, written * 8);
    memset(r->bytes, 0, sizeof(r->bytes));
}

static void rng_ask(struct rng *r)
{
    struct virtio_buffer one = {r->bytes, sizeof(r->bytes)};
    if (!r->asked && virtio_queue_add(r->queue, &one, 0, 1, r) == 0) {
        r->asked = true;
        virtio_queue_kick(r->queue);
    }
}

static void rng_wait(struct rng *r)
{
    uint64_t deadline = clock_now() + PATIENCE;
    while (r->asked && clock_now() < deadline) {
        rng_take(r->queue);
        __asm__ volatile("pause");
    }
}

static int rng_probe(struct virtio_device *device)
{
    bool resumed = device->driver_data;
    struct rng *r = resumed ? device->driver_data : kzalloc(sizeof(*r));
    if (!r)
        return -ENOMEM;
    device->driver_data = r;
    int error = virtio_negotiate(device, 1ULL << VIRTIO_F_RING_EVENT_IDX);
    if (error)
        return error;
    r->queue = virtio_queue_create(device, 0, 4, rng_take);
    if (!r->queue)
        return -ENOMEM;
    r->asked = false;
    virtio_queue_interrupts_on(r->queue);
    virtio_ready(device);
    rng_ask(r);
    if (resumed || !entropy_enough())
        rng_wait(r);
    return r->queue->broken ? -EIO : 0;
}

DRIVER(virtio_rng, VIRTIO_ID(4)){.probe = rng_probe};
