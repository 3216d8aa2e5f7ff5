/* ninep.c - the transport of 9P messages to the host (virtio 1.2 reserves the device; QEMU's hw/9pfs is its
 * description): one queue, a request and the room for its answer are one chain. The device's configuration
 * holds the tag that names the folder.
 *
 * A call that spins keeps the CPU: nothing else runs, and no interrupt comes, until the host has answered. */
#include "memory.h"
#include "../ninep/ninep.h"
#include "thread.h"

#define FEATURE_TAG 0
enum { QUEUE_SIZE = 128, TAG_LONGEST = 63 };

struct channel {
    struct list link;
    struct ninep_session session;
    struct virtio_queue *queue;
    unsigned sleepers;
    char tag[TAG_LONGEST + 1];
};
static struct list channels = LIST_INIT(channels);

static void complete(struct channel *ch, struct ninep_call *c, uint32_t written, int error)
{
    ch->session.tags &= ~(1UL << c->tag);
    if (c->forgotten) {
        kfree(c);
        return;
    }
    c->error = error;
    c->data = written > c->in.size ? written - c->in.size : 0;
    c->in.size = min(c->in.size, (size_t)written);
    c->done = true;
    if (c->sleeper)
        thread_wake(c->sleeper);
}

/* Takes what has come. While somebody sleeps the next answer must interrupt, whoever took the ones before: an
 * interrupt that finds nothing does not come as far as here. */
static void collect(struct channel *ch)
{
    struct ninep_call *c;
    uint32_t written;

    do {
        while ((c = virtio_queue_take(ch->queue, &written)))
            complete(ch, c, written, 0);
    } while (ch->sleepers && virtio_queue_interrupts_on(ch->queue));
}

static void used(struct virtio_queue *q)
{
    collect(virtio_queue_data(q));
}

/* The chain: message out, data out, room for the answer, room for data. */
static int add(struct channel *ch, struct ninep_call *c)
{
    struct virtio_buffer chain[NINEP_PIECES + 2];
    unsigned n = 0, out;

    chain[n++] = (struct virtio_buffer){c->out.data, (uint32_t)c->out.at};
    for (unsigned i = 0; i < c->sends; i++)
        chain[n++] = c->pieces[i];
    out = n;
    chain[n++] = (struct virtio_buffer){c->in.data, (uint32_t)c->in.size};
    for (unsigned i = 0; i < c->receives; i++)
        chain[n++] = c->pieces[i];
    return virtio_queue_add(ch->queue, chain, out, n - out, c);
}

static int send(struct ninep_call *c)
{
    struct channel *ch = c->session->channel;
    bool version = c->out.data[4] == NINEP_VERSION;

    /* All tags or descriptors are out: the host gives some back, whatever we do meanwhile. */
    while (!ch->queue->broken && (!~c->session->tags || virtio_queue_room(ch->queue) < NINEP_PIECES + 2))
        collect(ch);
    c->tag = (uint16_t)(__builtin_ctzl(~c->session->tags));
    /* The first message has no tag in the protocol; the bit of our own book is 0's. */
    uint16_t told = version ? NINEP_NO_TAG : c->tag;
    memcpy(c->out.data + 5, &told, sizeof(told));
    int error = ch->queue->broken ? -EIO : add(ch, c);
    if (error)
        return -EIO;
    c->session->tags |= 1UL << c->tag;
    virtio_queue_kick(ch->queue);
    return 0;
}

static int exchange(struct ninep_call *c, enum ninep_wait wait)
{
    struct channel *ch = c->session->channel;
    int error = send(c);

    if (error)
        return error;
    if (wait == NINEP_SLEEP) {
        c->sleeper = current;
        ch->sleepers++;
    }
    while (!c->done && !ch->queue->broken) {
        collect(ch);
        if (c->done)
            break;
        if (wait == NINEP_SPIN) {
            __asm__ volatile("pause");
        } else {
            current->state = THREAD_WAITING; /* a signal wakes it too, and then it goes on waiting */
            schedule();
        }
    }
    if (wait == NINEP_SLEEP)
        ch->sleepers--;
    if (!c->done)
        return -EIO; /* the device broke the rules */
    if (c->out.data[4] == NINEP_VERSION)
        c->tag = NINEP_NO_TAG;
    return c->error;
}

static void post(struct ninep_call *c)
{
    if (send(c))
        kfree(c);
}

static const struct ninep_transport transport = {.exchange = exchange, .post = post};

struct ninep_session *ninep_find(const char *tag)
{
    list_for_each (p, &channels) {
        struct channel *ch = list_entry(p, struct channel, link);
        if (strcmp(ch->tag, tag) == 0)
            return &ch->session;
    }
    return NULL;
}

static void read_tag(struct virtio_device *device, struct channel *ch)
{
    uint16_t length;

    virtio_config_read(device, 0, &length, sizeof(length));
    length = min(length, (uint16_t)TAG_LONGEST);
    virtio_config_read(device, sizeof(length), ch->tag, length);
    ch->tag[length] = 0;
}

/* After a freeze the device is another one: what was under way fails, and what was open is gone. */
static void forget_all(struct channel *ch)
{
    struct ninep_call *c;

    while ((c = virtio_queue_drain(ch->queue)))
        complete(ch, c, 0, -EIO);
    ch->session.epoch++;
}

static int probe(struct virtio_device *device)
{
    bool resumed = device->driver_data;
    struct channel *ch = resumed ? device->driver_data : kzalloc(sizeof(*ch));

    if (!ch)
        return -ENOMEM;
    device->driver_data = ch;
    int error = virtio_negotiate(device, 1ULL << FEATURE_TAG | 1ULL << VIRTIO_F_RING_EVENT_IDX);
    if (error)
        return error;
    if (resumed)
        forget_all(ch);
    ch->queue = virtio_queue_create(device, 0, QUEUE_SIZE, used);
    if (!ch->queue || virtio_queue_size(ch->queue) < NINEP_PIECES + 2)
        return -ENOMEM;
    virtio_queue_set_data(ch->queue, ch);
    read_tag(device, ch);
    if (!resumed) {
        ninep_session_init(&ch->session, &transport, ch);
        list_append(&channels, &ch->link);
    }
    virtio_ready(device);
    return 0;
}

DRIVER(virtio_9p, VIRTIO_ID(9)){.probe = probe};
