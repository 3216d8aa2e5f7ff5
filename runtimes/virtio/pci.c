/* pci.c - virtio over PCI (virtio 1.2, section 4.1): devices with the 1.0 interface, transitional ones
 * included; not those that offer the old port interface only.
 *
 * Interrupts are MSI-X, an entry for each queue as far as there are any (entry 0: the configuration and the
 * rest), so that no cause has to be read. Without MSI-X it is the line that the firmware has written into the
 * function, shared.
 */
#include "bus.h"
#include "memory.h"
#include "thread.h"
#include "virtio.h"

enum { VENDOR_VIRTIO = 0x1af4, FIRST_TRANSITIONAL = 0x1000, FIRST_MODERN = 0x1040, LAST_MODERN = 0x107f };
enum { SUBSYSTEM_ID = 0x2e, INTERRUPT_LINE = 0x3c, CAPABILITY_VENDOR = 0x09 };
enum { TYPE_COMMON = 1, TYPE_NOTIFY, TYPE_INTERRUPT, TYPE_DEVICE, TYPES };
enum { NO_VECTOR = 0xffff, QUEUES = 32 };

/* virtio 1.2, 4.1.4.3 */
enum {
    DEVICE_FEATURES_SELECT = 0,
    DEVICE_FEATURES = 4,
    DRIVER_FEATURES_SELECT = 8,
    DRIVER_FEATURES = 12,
    CONFIG_VECTOR = 16,
    STATUS = 20,
    QUEUE_SELECT = 22,
    QUEUE_SIZE = 24,
    QUEUE_VECTOR = 26,
    QUEUE_ENABLE = 28,
    QUEUE_NOTIFY_OFFSET = 30,
    QUEUE_DESCRIPTORS = 32,
    QUEUE_AVAILABLE = 40,
    QUEUE_USED = 48,
    COMMON_SIZE = 56,
};

struct pci_entry { /* of MSI-X */
    struct pci_device *owner;
    unsigned vector; /* 0: none yet */
    unsigned queue;
};
struct pci_device {
    struct virtio_device device;
    struct pci_device *next;
    uint16_t address;
    volatile uint8_t *windows[TYPES];
    uint32_t lengths[TYPES];
    uint32_t notify_multiplier;
    struct pci_msix msix; /* entries 0: there is none */
    struct pci_entry entries[QUEUES + 1];
    bool has_line;
};
static struct pci_device *pci_devices PER_BOOT;

static struct pci_device *pci_of(struct virtio_device *device)
{
    return container_of(device, struct pci_device, device);
}
static volatile uint8_t *common8(struct pci_device *p, unsigned offset)
{
    return p->windows[TYPE_COMMON] + offset;
}
static volatile uint16_t *common16(struct pci_device *p, unsigned offset)
{
    return (volatile uint16_t *)(p->windows[TYPE_COMMON] + offset);
}
static volatile uint32_t *common32(struct pci_device *p, unsigned offset)
{
    return (volatile uint32_t *)(p->windows[TYPE_COMMON] + offset);
}

static uint8_t pci_config_read8(struct virtio_device *device, unsigned offset)
{
    struct pci_device *p = pci_of(device);
    return offset < p->lengths[TYPE_DEVICE] ? p->windows[TYPE_DEVICE][offset] : 0;
}
static void pci_config_write8(struct virtio_device *device, unsigned offset, uint8_t value)
{
    struct pci_device *p = pci_of(device);
    if (offset < p->lengths[TYPE_DEVICE])
        p->windows[TYPE_DEVICE][offset] = value;
}

static uint64_t pci_features(struct virtio_device *device)
{
    struct pci_device *p = pci_of(device);
    *common32(p, DEVICE_FEATURES_SELECT) = 0;
    uint64_t low = *common32(p, DEVICE_FEATURES);
    *common32(p, DEVICE_FEATURES_SELECT) = 1;
    return low | (uint64_t)*common32(p, DEVICE_FEATURES) << 32;
}
static void pci_set_features(struct virtio_device *device, uint64_t features)
{
    struct pci_device *p = pci_of(device);
    *common32(p, DRIVER_FEATURES_SELECT) = 0;
    *common32(p, DRIVER_FEATURES) = (uint32_t)features;
    *common32(p, DRIVER_FEATURES_SELECT) = 1;
    *common32(p, DRIVER_FEATURES) = (uint32_t)(features >> 32);
    if (p->msix.entries)
        *common16(p, CONFIG_VECTOR) = 0;
}

static uint8_t pci_status(struct virtio_device *device)
{
    return *common8(pci_of(device), STATUS);
}
static void pci_set_status(struct virtio_device *device, uint8_t status)
{
    *common8(pci_of(device), STATUS) = status;
}

static unsigned pci_queue_size_max(struct virtio_device *device, unsigned index)
{
    *common16(pci_of(device), QUEUE_SELECT) = (uint16_t)index;
    return *common16(pci_of(device), QUEUE_SIZE);
}

static void config_interrupt(void *data)
{
    struct pci_device *p = data;
    /* Queues without an entry of their own come here, too. */
    if (!virtio_interrupt(&p->device) && p->device.config_changed)
        p->device.config_changed(&p->device);
}

static void queue_interrupt(void *data)
{
    const struct pci_entry *e = data;
    struct virtio_queue *q = e->owner->device.queues[e->queue];
    if (q && q->callback && virtio_queue_pending(q))
        q->callback(q);
}

/* The MSI-X entry of a queue, set up when first asked for; 0: it shares the first. */
static unsigned entry_of(struct pci_device *p, unsigned queue)
{
    unsigned n = queue + 1;
    if (n >= p->msix.entries || n >= array_size(p->entries))
        return 0;
    struct pci_entry *e = &p->entries[n];
    if (!e->vector) {
        *e = (struct pci_entry){.owner = p, .queue = queue};
        int vector = interrupt_vector(queue_interrupt, e);
        if (vector < 0)
            return 0;
        e->vector = (unsigned)vector;
    }
    pci_msix_set(&p->msix, n, e->vector);
    return n;
}

static void address_write(struct pci_device *p, unsigned offset, uint64_t address)
{
    *common32(p, offset) = (uint32_t)address;
    *common32(p, offset + 4) = (uint32_t)(address >> 32);
}

/* The queue is selected still: its size was asked for just before. */
static int pci_queue_enable(struct virtio_device *device, struct virtio_queue *q)
{
    struct pci_device *p = pci_of(device);
    uint64_t descriptors, available, used;
    uint64_t notify = (uint64_t)*common16(p, QUEUE_NOTIFY_OFFSET) * p->notify_multiplier;
    if (notify + 2 > p->lengths[TYPE_NOTIFY])
        return -ENODEV;
    q->notify = p->windows[TYPE_NOTIFY] + notify;
    *common16(p, QUEUE_SIZE) = q->size;
    if (p->msix.entries) {
        unsigned entry = q->callback ? entry_of(p, q->index) : NO_VECTOR;
        *common16(p, QUEUE_VECTOR) = (uint16_t)entry;
        if (*common16(p, QUEUE_VECTOR) != entry)
            return -ENOSPC;
    }
    virtio_queue_addresses(q, &descriptors, &available, &used);
    address_write(p, QUEUE_DESCRIPTORS, descriptors);
    address_write(p, QUEUE_AVAILABLE, available);
    address_write(p, QUEUE_USED, used);
    *common16(p, QUEUE_ENABLE) = 1;
    return 0;
}

static void pci_notify(struct virtio_device *device, struct virtio_queue *q)
{
    (void)device;
    *(volatile uint16_t *)q->notify = q->index;
}

static const struct virtio_transport pci_transport = {
    .config_read8 = pci_config_read8,
    .config_write8 = pci_config_write8,
    .features = pci_features,
    .set_features = pci_set_features,
    .status = pci_status,
    .set_status = pci_set_status,
    .queue_enable = pci_queue_enable,
    .queue_size_max = pci_queue_size_max,
    .notify = pci_notify,
};

/* Reading the cause clears it and takes the line down. */
static void line_interrupt(void *data)
{
    struct pci_device *p = data;
    uint8_t cause = *p->windows[TYPE_INTERRUPT];
    if (cause & 1)
        virtio_interrupt(&p->device);
    if (cause & 2 && p->device.config_changed)
        p->device.config_changed(&p->device);
}

/* Maps the structures that the vendor capabilities describe (4.1.4); the first of a type counts. */
static int windows_map(struct pci_device *p)
{
    unsigned at = 0;
    for (unsigned n = 0; n < 48 && (at = pci_capability(p->address, CAPABILITY_VENDOR, at)); n++) {
        uint32_t head = pci_read32(p->address, at);
        unsigned type = head >> 24;
        if (type == 0 || type >= TYPES || p->windows[type])
            continue;
        uint64_t bar = pci_bar(p->address, pci_read8(p->address, at + 4));
        uint32_t offset = pci_read32(p->address, at + 8), length = pci_read32(p->address, at + 12);
        if (!bar || !length)
            continue;
        p->windows[type] = mmio_map(bar + offset, length);
        p->lengths[type] = length;
        if (type == TYPE_NOTIFY)
            p->notify_multiplier = pci_read32(p->address, at + 16);
    }
    if (!p->windows[TYPE_COMMON] || p->lengths[TYPE_COMMON] < COMMON_SIZE || !p->windows[TYPE_NOTIFY] ||
        !p->windows[TYPE_INTERRUPT])
        return -EOPNOTSUPP;
    return 0;
}

static int interrupts_set(struct pci_device *p)
{
    p->msix.entries = 0;
    if (pci_msix_enable(p->address, &p->msix) > 0) {
        struct pci_entry *e = &p->entries[0];
        int vector = e->vector ? (int)e->vector : interrupt_vector(config_interrupt, p);
        if (vector < 0)
            return vector;
        e->vector = (unsigned)vector;
        pci_msix_set(&p->msix, 0, e->vector);
        return 0;
    }
    p->msix.entries = 0;
    if (p->has_line)
        return 0;
    p->has_line = true;
    int result = interrupt_line(pci_read8(p->address, INTERRUPT_LINE), true, true, line_interrupt, p);
    return result < 0 ? result : 0;
}

/* The note about the function at `address`: from before a freeze, or a new one. */
static struct pci_device *pci_device_at(uint16_t address)
{
    struct pci_device *p = pci_devices;
    while (p && p->address != address)
        p = p->next;
    if (!p) {
        p = kzalloc(sizeof(*p));
        if (!p)
            return NULL;
        p->address = address;
        p->next = pci_devices;
        pci_devices = p;
    }
    memset(p->windows, 0, sizeof(p->windows)); /* firmware may have placed it elsewhere */
    return p;
}

static void pci_found(const struct pci_function *f)
{
    if (f->vendor != VENDOR_VIRTIO || f->device < FIRST_TRANSITIONAL || f->device > LAST_MODERN)
        return;
    struct pci_device *p = pci_device_at(f->address);
    if (!p)
        return;
    uint32_t id =
        f->device >= FIRST_MODERN ? f->device - (unsigned)FIRST_MODERN : pci_read16(f->address, SUBSYSTEM_ID);
    virtio_device_is(&p->device, &pci_transport, id);
    pci_enable(f->address);
    int error = windows_map(p);
    if (!error)
        error = interrupts_set(p);
    if (error) {
        log_line("virtio: device type %u at %02x:%02x.%x cannot be used (error %d)", p->device.id,
                 f->address >> 8, f->address >> 3 & 31, f->address & 7, -error);
        return;
    }
    virtio_device_add(&p->device);
}

void virtio_pci_discover(void)
{
    pci_scan(pci_found);
}

START(devices)
{
    virtio_pci_discover();
}
