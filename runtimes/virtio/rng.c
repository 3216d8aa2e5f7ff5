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

struct rng {
    struct virtio_queue *queue;
    bool asked;
    uint8_t bytes[REQUEST] __attribute__((aligned(64)));
};
static struct rng *rng;

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

void entropy_refill(void)
{
    if (rng)
        rng_ask(rng);
}

bool entropy_wait(uint64_t deadline)
{
    while (rng && rng->asked && clock_now() < deadline) {
        rng_take(rng->queue);
        __asm__ volatile("pause");
    }
    return rng && !rng->asked;
}

static int rng_probe(struct virtio_device *device)
{
    struct rng *r = device->driver_data ? device->driver_data : kzalloc(sizeof(*r));
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
    rng = r;
    rng_ask(r);
    return 0;
}

DRIVER(virtio_rng, VIRTIO_ID(4)){.probe = rng_probe};
