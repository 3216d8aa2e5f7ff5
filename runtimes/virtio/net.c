/* net.c - network cards (virtio 1.2, section 5.1).
 *
 * Receiving: the device fills buffers that become the stack's pbufs as they are; when the stack lets go of
 * one it goes back to the device. While the stack keeps many (a reader that is slower than its peer), frames
 * are copied instead, so that the ring never runs dry and small frames do not hold big buffers.
 *
 * Sending: the device reads the stack's own pbufs, held by a reference until it has. What it is done with is
 * found out on the way, without interrupts; only when the ring is full does it have to say so, and frames
 * wait in a list until then.
 *
 * Not used: segmentation offload. The stack cuts its own segments, and a received frame may be longer than
 * its pbufs can say. Neither is there behind user-mode networking.
 */
#include "net_receive.h"
#include "network.h"
#include "memory.h"
#include "entropy.h"
#include "virtio.h"

#include "lwip/pbuf.h"

enum {
    FEATURE_CSUM = 0,
    FEATURE_GUEST_CSUM = 1,
    FEATURE_MTU = 3,
    FEATURE_MAC = 5,
    FEATURE_MRG_RXBUF = 15,
    FEATURE_ANY_LAYOUT = 27,
};
#define BIT(n) (1ULL << (n))
enum { CONFIG_MAC = 0, CONFIG_MTU = 10 };
enum { RECEIVE = 0, SEND = 1 };
enum { RING = 256, SEGMENTS = 32, WAITING_MAX = 4096 };
enum { ETHERNET_HEADER = 14, MTU_USUAL = 1500 };

/* A receive buffer with its pbuf in front; two of them share a page, which counts them. */
#define BUFFER_SIZE (PAGE_SIZE / 2)
struct receive_buffer {
    struct pbuf_custom pbuf;
    struct net *owner;
    struct net_buffer piece;
    uint8_t memory[] __attribute__((aligned(4)));
};
#define BUFFER_ROOM ((uint32_t)(BUFFER_SIZE - offsetof(struct receive_buffer, memory)))

struct net {
    struct network_device network;
    struct virtio_device *device;
    struct virtio_queue *receive, *send;
    struct net_receiver receiver;
    struct net_buffer *free;           /* buffers that neither the device nor the stack has */
    unsigned free_count, total, limit; /* buffers; `limit`: of those that the stack may keep */
    unsigned posted;
    bool separate_header;  /* the device wants the header in a descriptor of its own */
    bool full;             /* frames wait: the device was asked for an interrupt */
    struct pbuf **waiting; /* room for WAITING_MAX, made when it is first needed */
    unsigned waiting_first, waiting_count;
};

/* The header of frames without offloads, for all that are being sent: the device only reads it. */
static uint8_t no_offload[NET_HEADER];

static struct receive_buffer *buffer_of(struct net_buffer *piece)
{
    return container_of(piece, struct receive_buffer, piece);
}

/* ---- receive buffers */

static void buffer_recycle(struct net *net, struct net_buffer *piece)
{
    piece->next = net->free;
    net->free = piece;
    net->free_count++;
}

static void list_recycle(struct net *net, struct net_buffer *piece)
{
    while (piece) {
        struct net_buffer *next = piece->next;
        buffer_recycle(net, piece);
        piece = next;
    }
}

/* The stack has read the frame's part in this buffer. */
static void buffer_released(struct pbuf *p)
{
    struct receive_buffer *b = (struct receive_buffer *)(void *)p;
    struct net *net = b->owner;
    if (net->free_count < RING) {
        buffer_recycle(net, &b->piece);
    } else {
        net->total--;
        page_put((void *)((uintptr_t)b & PAGE_MASK));
    }
}

static bool buffers_make(struct net *net)
{
    uint8_t *page = page_alloc();
    if (!page)
        return false;
    page_get(page); /* the second half's own */
    for (unsigned i = 0; i < 2; i++) {
        struct receive_buffer *b = (struct receive_buffer *)(void *)(page + i * BUFFER_SIZE);
        memset(b, 0, sizeof(*b));
        b->pbuf.custom_free_function = buffer_released;
        b->owner = net;
        b->piece.memory = b->memory;
        b->piece.room = BUFFER_ROOM;
        buffer_recycle(net, &b->piece);
        net->total++;
    }
    return true;
}

static void receive_refill(struct net *net)
{
    unsigned size = virtio_queue_size(net->receive);
    while (net->posted < size && virtio_queue_room(net->receive)) {
        if (!net->free && (net->total >= size + net->limit || !buffers_make(net)))
            break;
        struct net_buffer *piece = net->free;
        struct virtio_buffer one = {piece->memory, piece->room};
        net->free = piece->next;
        if (virtio_queue_add(net->receive, &one, 0, 1, piece) < 0) {
            net->free = piece;
            break;
        }
        net->free_count--;
        net->posted++;
    }
    virtio_queue_kick(net->receive);
}

/* ---- receiving */

/* A frame as a chain of pbufs, copied into memory of its own or where it is. */
static struct pbuf *frame_copy(struct net *net, struct net_buffer *list, uint32_t total)
{
    struct pbuf *p = pbuf_alloc(PBUF_RAW, (u16_t)total, PBUF_RAM);
    uint8_t *to = p ? p->payload : NULL;
    for (const struct net_buffer *b = list; p && b; b = b->next) {
        memcpy(to, b->memory + b->start, b->length);
        to += b->length;
    }
    list_recycle(net, list);
    return p;
}

static struct pbuf *frame_in_place(struct net_buffer *list)
{
    struct pbuf *head = NULL;
    for (struct net_buffer *b = list, *next; b; b = next) {
        struct pbuf *p = pbuf_alloced_custom(PBUF_RAW, (u16_t)b->length, PBUF_REF, &buffer_of(b)->pbuf,
                                             b->memory + b->start, (u16_t)b->length);
        next = b->next;
        if (head)
            pbuf_cat(head, p);
        else
            head = p;
    }
    return head;
}

static void frame_deliver(struct net *net)
{
    struct net_receiver *r = &net->receiver;
    struct pbuf *p;
    if (net->total - net->posted - net->free_count > net->limit)
        p = frame_copy(net, r->first, r->total);
    else
        p = frame_in_place(r->first);
    if (p)
        network_input(&net->network, p, r->checked);
}

static void send_reclaim(struct net *net);

static void receive_frames(struct net *net)
{
    struct net_buffer *piece;
    uint32_t written;
    while ((piece = virtio_queue_take(net->receive, &written))) {
        net->posted--;
        enum net_received what = net_receive(&net->receiver, piece, written);
        if (what == NET_FRAME)
            frame_deliver(net);
        else if (what == NET_DROP)
            list_recycle(net, net->receiver.first);
        if (net->posted < RING / 2)
            receive_refill(net);
    }
    receive_refill(net);
}

/* The interrupt is asked for anew each time: the device compares an index that taking frames has moved past.
 */
static void net_poll(struct network_device *network)
{
    struct net *net = container_of(network, struct net, network);
    send_reclaim(net);
    if (!virtio_queue_pending(net->receive))
        return;
    do
        receive_frames(net);
    while (virtio_queue_interrupts_on(net->receive));
}

static void receive_interrupt(struct virtio_queue *q)
{
    (void)q;
    network_flush(); /* comes back to net_poll() */
}

/* ---- sending */

/* Lets go of the frames that the device has read. */
static void send_reclaim(struct net *net)
{
    struct pbuf *p;
    while (virtio_queue_pending(net->send) && (p = virtio_queue_take(net->send, NULL)))
        pbuf_free(p);
}

/* Is there room in front of the frame, in its own memory? */
static inline bool has_headroom(const struct pbuf *p)
{
    return p->type_internal & PBUF_TYPE_FLAG_STRUCT_DATA_CONTIGUOUS &&
           (const char *)p->payload - NET_HEADER >=
               (const char *)p + LWIP_MEM_ALIGN_SIZE(sizeof(struct pbuf));
}

/* Gives a frame to the device, if there is room; the device's reference is the caller's. */
static int send_frame(struct net *net, struct pbuf *p)
{
    struct virtio_buffer buffers[SEGMENTS + 1];
    unsigned count = 0, header = net->receiver.header;
    if (!net->separate_header && has_headroom(p)) {
        /* The header goes there: one descriptor less. */
        char *start = (char *)p->payload - header;
        memset(start, 0, header);
        buffers[count++] = (struct virtio_buffer){start, p->len + header};
    } else {
        buffers[count++] = (struct virtio_buffer){no_offload, header};
        buffers[count++] = (struct virtio_buffer){p->payload, p->len};
    }
    for (const struct pbuf *q = p->next; q; q = q->next)
        buffers[count++] = (struct virtio_buffer){q->payload, q->len};
    return virtio_queue_add(net->send, buffers, count, 0, p);
}

/* The frames that found no room. */
static void send_waiting(struct net *net)
{
    while (net->waiting_count && send_frame(net, net->waiting[net->waiting_first]) == 0) {
        net->waiting_first = (net->waiting_first + 1) % WAITING_MAX;
        net->waiting_count--;
    }
}

static int net_send(struct network_device *network, struct pbuf *p)
{
    struct net *net = container_of(network, struct net, network);
    if (virtio_queue_room(net->send) <= SEGMENTS)
        send_reclaim(net);
    if (p->next && pbuf_clen(p) > SEGMENTS) {
        p = pbuf_clone(PBUF_RAW_TX, PBUF_RAM, p);
        if (!p)
            return -ENOBUFS;
    } else {
        pbuf_ref(p);
    }
    if (!net->waiting_count && send_frame(net, p) == 0)
        return 0;
    if (!net->waiting)
        net->waiting = kmalloc(WAITING_MAX * sizeof(struct pbuf *));
    if (!net->waiting || net->waiting_count == WAITING_MAX) {
        pbuf_free(p);
        return -ENOBUFS;
    }
    net->waiting[(net->waiting_first + net->waiting_count++) % WAITING_MAX] = p;
    return 0;
}

static void net_flush(struct network_device *network)
{
    struct net *net = container_of(network, struct net, network);
    for (;;) {
        send_reclaim(net);
        send_waiting(net);
        virtio_queue_kick(net->send);
        if (!net->waiting_count)
            break;
        /* Say when half of them are sent. */
        net->full = true;
        if (!virtio_queue_interrupts_after(net->send, max(virtio_queue_in_flight(net->send) / 2, 1u)))
            return;
    }
    if (net->full)
        virtio_queue_interrupts_off(net->send);
    net->full = false;
}

static void send_interrupt(struct virtio_queue *q)
{
    struct net *net = virtio_queue_data(q);
    net_flush(&net->network);
}

/* ---- coming up */

/* What a former life of the queues has left in flight. */
static void queues_drain(struct net *net)
{
    void *token;
    if (net->receive)
        while ((token = virtio_queue_drain(net->receive)))
            buffer_recycle(net, token);
    if (net->send)
        while ((token = virtio_queue_drain(net->send)))
            pbuf_free(token);
    while (net->waiting_count) {
        pbuf_free(net->waiting[net->waiting_first]);
        net->waiting_first = (net->waiting_first + 1) % WAITING_MAX;
        net->waiting_count--;
    }
    list_recycle(net, net_receive_reset(&net->receiver));
    net->posted = 0;
}

static void configuration_read(struct net *net)
{
    struct virtio_device *device = net->device;
    uint16_t mtu = MTU_USUAL;
    if (virtio_has(device, FEATURE_MAC)) {
        virtio_config_read(device, CONFIG_MAC, net->network.mac, sizeof(net->network.mac));
    } else {
        random_bytes(net->network.mac, sizeof(net->network.mac));
        net->network.mac[0] = (uint8_t)((net->network.mac[0] & 0xfc) | 2); /* local, one station */
    }
    if (virtio_has(device, FEATURE_MTU))
        virtio_config_read(device, CONFIG_MTU, &mtu, sizeof(mtu));
    /* Without merged buffers a frame has to fit into one. */
    if (!net->receiver.mergeable)
        mtu = min(mtu, (uint16_t)(BUFFER_ROOM - NET_HEADER - ETHERNET_HEADER));
    net->network.mtu = mtu;
    net->network.offload = virtio_has(device, FEATURE_GUEST_CSUM) ? NETWORK_CSUM_RX : 0;
}

static int net_start(struct net *net)
{
    struct virtio_device *device = net->device;
    int error = virtio_negotiate(device, BIT(FEATURE_GUEST_CSUM) | BIT(FEATURE_MTU) | BIT(FEATURE_MAC) |
                                             BIT(FEATURE_MRG_RXBUF) | BIT(FEATURE_ANY_LAYOUT) |
                                             BIT(VIRTIO_F_RING_EVENT_IDX));
    if (error)
        return error;
    bool any_layout = !device->legacy || virtio_has(device, FEATURE_ANY_LAYOUT);
    queues_drain(net);
    net->separate_header = !any_layout;
    net->receiver.mergeable = virtio_has(device, FEATURE_MRG_RXBUF);
    net->receiver.header = !device->legacy || net->receiver.mergeable ? NET_HEADER : NET_HEADER_SHORT;
    if (!any_layout && !net->receiver.mergeable)
        return -EOPNOTSUPP;
    configuration_read(net);
    net->receive = virtio_queue_create(device, RECEIVE, RING, receive_interrupt);
    net->send = virtio_queue_create(device, SEND, RING, send_interrupt);
    if (!net->receive || !net->send)
        return -ENOMEM;
    net->limit = virtio_queue_size(net->receive);
    virtio_queue_set_data(net->receive, net);
    virtio_queue_set_data(net->send, net);
    virtio_queue_interrupts_off(net->send);
    virtio_ready(device);
    receive_refill(net);
    virtio_queue_interrupts_on(net->receive);
    return net->posted ? 0 : -ENOMEM;
}

static void net_leave(struct network_device *network)
{
    struct net *net = container_of(network, struct net, network);
    net->device->transport->set_status(net->device, 0);
    queues_drain(net);
    while (net->free) {
        struct net_buffer *piece = net->free;
        net->free = piece->next;
        page_put((void *)((uintptr_t)buffer_of(piece) & PAGE_MASK));
    }
    net->free_count = net->total = 0;
    kfree(net->waiting);
    net->waiting = NULL;
}

static int net_probe(struct virtio_device *device)
{
    struct net *net = device->driver_data;
    if (net)
        return net_start(net); /* a frozen image resumes: the stack knows the card */
    net = kzalloc(sizeof(*net));
    if (!net)
        return -ENOMEM;
    net->device = device;
    net->network.send = net_send;
    net->network.flush = net_flush;
    net->network.poll = net_poll;
    net->network.leave = net_leave;
    device->driver_data = net;
    int error = net_start(net);
    return error ? error : network_device_add(&net->network);
}

DRIVER(virtio_net, VIRTIO_ID(1)){.probe = net_probe};
