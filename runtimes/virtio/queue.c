/* queue.c - split virtqueues (virtio 1.2, section 2.7), with event indices (2.7.10).
 *
 * The rings are shared with the device and only ever written here; what has to be known about a chain (its
 * length, its token, which descriptor follows) is kept in `slots`, which the device cannot reach. So a device
 * that returns nonsense - an id out of range or not in flight, a length beyond the buffers - costs its own
 * queue and nothing else.
 *
 * No indirect tables: the device then maps one more piece of memory for each chain, and the rings are long
 * enough. No packed rings: with one CPU and an emulated device they save no exit.
 */
#include "memory.h"
#include "virtio.h"

enum { DESCRIPTOR_NEXT = 1, DESCRIPTOR_WRITE = 2 };
enum { AVAILABLE_NO_INTERRUPT = 1, USED_NO_NOTIFY = 1 };

struct descriptor {
    uint64_t address;
    uint32_t length;
    uint16_t flags, next;
};
struct used_element {
    uint32_t id, length;
};
struct available {
    uint16_t flags, index;
    uint16_t ring[]; /* one more: used_event */
};
struct used {
    uint16_t flags, index;
    struct used_element ring[]; /* after it: avail_event */
};

/* What we know of a descriptor. */
struct slot {
    void *token;
    uint32_t writable; /* bytes of the chain that the device may write */
    uint16_t next;     /* in the chain, or in the list of free ones */
    uint16_t count;    /* descriptors of the chain that starts here; 0: none does */
};

/* The ring's memory: descriptors, then the available ring, then at `align` the used ring. */
static size_t used_offset(unsigned size, unsigned align)
{
    return align_up(sizeof(struct descriptor) * size + sizeof(struct available) + 2UL * size + 2,
                    (size_t)align);
}
static unsigned ring_order(unsigned size, unsigned align)
{
    size_t bytes = used_offset(size, align) + sizeof(struct used) + sizeof(struct used_element) * size + 2;
    unsigned order = 0;
    while ((PAGE_SIZE << order) < bytes)
        order++;
    return order;
}

static uint16_t *used_event(struct virtio_queue *q)
{
    return &q->available->ring[q->size];
}
static const uint16_t *available_event(struct virtio_queue *q)
{
    return (const uint16_t *)&q->used->ring[q->size];
}

/* Everything free, nothing in flight. */
static void queue_clear(struct virtio_queue *q)
{
    memset(q->rings, 0, PAGE_SIZE << ring_order(q->size, q->align));
    for (unsigned i = 0; i < q->size; i++)
        q->slots[i] = (struct slot){.next = (uint16_t)(i + 1)};
    q->free_head = 0, q->free_count = q->size;
    q->next_available = q->kicked = q->last_used = 0;
    q->broken = false;
    q->event_index = q->device->features >> VIRTIO_F_RING_EVENT_IDX & 1;
    if (!q->callback)
        virtio_queue_interrupts_off(q);
}

static struct virtio_queue *queue_new(struct virtio_device *device, unsigned index, unsigned size,
                                      unsigned align)
{
    struct virtio_queue *q = kzalloc(sizeof(*q));
    struct slot *slots = kmalloc(sizeof(*slots) * size);
    void *rings = pages_alloc(ring_order(size, align));
    if (!q || !slots || !rings) {
        kfree(q);
        kfree(slots);
        if (rings)
            pages_free(rings, ring_order(size, align));
        return NULL;
    }
    q->device = device;
    q->index = (uint16_t)index;
    q->size = (uint16_t)size, q->align = (uint16_t)align;
    q->slots = slots;
    q->rings = rings;
    q->descriptors = rings;
    q->available = (struct available *)((char *)rings + sizeof(struct descriptor) * size);
    q->used = (struct used *)((char *)rings + used_offset(size, align));
    return q;
}

static void queue_delete(struct virtio_queue *q)
{
    pages_free(q->rings, ring_order(q->size, q->align));
    kfree(q->slots);
    kfree(q);
}

struct virtio_queue *virtio_queue_create(struct virtio_device *device, unsigned index, unsigned size,
                                         void (*used)(struct virtio_queue *))
{
    if (index >= array_size(device->queues))
        return NULL;
    unsigned most = device->transport->queue_size_max(device, index);
    size = min(min(size, most), 32768u);
    if (!size)
        return NULL;
    while (size & (size - 1))
        size &= size - 1; /* a power of two */
    unsigned align = device->legacy ? PAGE_SIZE : 64;

    struct virtio_queue *q = device->queues[index];
    if (q && (q->size != size || q->align != align)) {
        queue_delete(q); /* the machine that we resumed on has another device */
        q = device->queues[index] = NULL;
    }
    if (!q)
        q = queue_new(device, index, size, align);
    if (!q)
        return NULL;
    q->callback = used;
    queue_clear(q);
    device->queues[index] = q;
    device->queue_count = max(device->queue_count, index + 1);
    if (device->transport->queue_enable(device, q) < 0) {
        device->queues[index] = NULL;
        queue_delete(q);
        return NULL;
    }
    return q;
}

void virtio_queue_addresses(const struct virtio_queue *q, uint64_t *descriptors, uint64_t *available,
                            uint64_t *used)
{
    *descriptors = virt_to_phys(q->descriptors);
    *available = virt_to_phys(q->available);
    *used = virt_to_phys(q->used);
}

/* The chain that starts at `head` goes to the device. */
static inline void publish(struct virtio_queue *q, uint16_t head)
{
    uint16_t index = q->next_available;
    q->available->ring[index & (q->size - 1u)] = head;
    q->next_available = ++index;
    __atomic_store_n(&q->available->index, index, __ATOMIC_RELEASE);
}

/* The usual chain has one buffer. */
static inline void add_one(struct virtio_queue *q, const struct virtio_buffer *buffer, bool in, void *token)
{
    uint16_t head = q->free_head;
    struct slot *slot = &q->slots[head];
    q->descriptors[head] = (struct descriptor){
        .address = virt_to_phys(buffer->data), .length = buffer->length, .flags = in ? DESCRIPTOR_WRITE : 0};
    slot->token = token;
    slot->writable = in ? buffer->length : 0;
    slot->count = 1;
    q->free_head = slot->next;
    q->free_count--;
    publish(q, head);
}

int virtio_queue_add(struct virtio_queue *q, const struct virtio_buffer *buffers, unsigned out, unsigned in,
                     void *token)
{
    unsigned total = out + in, count = 0;
    if (unlikely(total > q->free_count || q->broken))
        return -ENOSPC;
    if (unlikely(!token))
        return -EINVAL;
    if (likely(total == 1 && buffers->length)) {
        add_one(q, buffers, in, token);
        return 0;
    }

    uint16_t head = q->free_head, at = head, last = head;
    uint32_t writable = 0;
    for (unsigned i = 0; i < total; i++) {
        if (!buffers[i].length)
            continue; /* not allowed in a chain */
        uint16_t next = q->slots[at].next, flags = DESCRIPTOR_NEXT;
        if (i >= out) {
            flags |= DESCRIPTOR_WRITE;
            writable += buffers[i].length;
        }
        q->descriptors[at] = (struct descriptor){.address = virt_to_phys(buffers[i].data),
                                                 .length = buffers[i].length,
                                                 .flags = flags,
                                                 .next = next};
        last = at, at = next;
        count++;
    }
    if (unlikely(!count))
        return -EINVAL;
    q->descriptors[last].flags &= (uint16_t)~DESCRIPTOR_NEXT;
    q->slots[head].token = token;
    q->slots[head].writable = writable;
    q->slots[head].count = (uint16_t)count;
    q->free_head = at;
    q->free_count = (uint16_t)(q->free_count - count);
    publish(q, head);
    return 0;
}

void virtio_queue_kick(struct virtio_queue *q)
{
    uint16_t from = q->kicked, to = q->next_available;
    if (from == to)
        return;
    /* The index must be out before we look at what the device wants to be told about. */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    q->kicked = to;
    bool wanted;
    if (q->event_index) {
        uint16_t event = __atomic_load_n(available_event(q), __ATOMIC_RELAXED);
        wanted = (uint16_t)(to - event - 1) < (uint16_t)(to - from);
    } else {
        wanted = !(__atomic_load_n(&q->used->flags, __ATOMIC_RELAXED) & USED_NO_NOTIFY);
    }
    if (wanted && !q->broken)
        q->device->transport->notify(q->device, q);
}

/* Takes a chain apart; its descriptors are free again. */
static inline void *slot_free(struct virtio_queue *q, uint16_t head)
{
    struct slot *s = &q->slots[head];
    uint16_t last = head;
    for (unsigned n = s->count; n > 1; n--)
        last = q->slots[last].next;
    q->slots[last].next = q->free_head;
    q->free_head = head;
    q->free_count = (uint16_t)(q->free_count + s->count);
    s->count = 0;
    return s->token;
}

bool virtio_queue_pending(const struct virtio_queue *q)
{
    return __atomic_load_n(&q->used->index, __ATOMIC_ACQUIRE) != q->last_used && !q->broken;
}

void *virtio_queue_take(struct virtio_queue *q, uint32_t *written)
{
    if (!virtio_queue_pending(q))
        return NULL;
    /* Copied first: the device could change it between the check and the use. */
    const struct used_element *e = &q->used->ring[q->last_used & (q->size - 1u)];
    uint32_t id = __atomic_load_n(&e->id, __ATOMIC_RELAXED);
    uint32_t length = __atomic_load_n(&e->length, __ATOMIC_RELAXED);
    if (unlikely(id >= q->size || !q->slots[id].count)) {
        q->broken = true;
        log_line("virtio: device %u, queue %u: a buffer came back that was not out (%u)", q->device->id,
                 q->index, id);
        return NULL;
    }
    q->last_used++;
    if (written)
        *written = min(length, q->slots[id].writable);
    return slot_free(q, (uint16_t)id);
}

void *virtio_queue_drain(struct virtio_queue *q)
{
    for (unsigned i = 0; i < q->size; i++)
        if (q->slots[i].count)
            return slot_free(q, (uint16_t)i);
    return NULL;
}

unsigned virtio_queue_room(const struct virtio_queue *q)
{
    return q->broken ? 0 : q->free_count;
}

unsigned virtio_queue_in_flight(const struct virtio_queue *q)
{
    return (uint16_t)(q->next_available - q->last_used);
}

unsigned virtio_queue_size(const struct virtio_queue *q)
{
    return q->size;
}

void virtio_queue_interrupts_off(struct virtio_queue *q)
{
    if (q->event_index)
        *used_event(q) = (uint16_t)(q->last_used - 1); /* as far away as can be */
    else
        q->available->flags = AVAILABLE_NO_INTERRUPT;
}

bool virtio_queue_interrupts_after(struct virtio_queue *q, unsigned n)
{
    if (q->event_index)
        __atomic_store_n(used_event(q), (uint16_t)(q->last_used + n - 1), __ATOMIC_RELAXED);
    else
        __atomic_store_n(&q->available->flags, 0, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return virtio_queue_pending(q);
}

bool virtio_queue_interrupts_on(struct virtio_queue *q)
{
    return virtio_queue_interrupts_after(q, 1);
}

void *virtio_queue_data(const struct virtio_queue *q)
{
    return q->data;
}
void virtio_queue_set_data(struct virtio_queue *q, void *data)
{
    q->data = data;
}
struct virtio_device *virtio_queue_device(const struct virtio_queue *q)
{
    return q->device;
}
