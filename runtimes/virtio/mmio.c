/* mmio.c - virtio over memory-mapped registers (virtio 1.2, section 4.2): version 2, and version 1
 * ("legacy"), which QEMU's virtio-mmio devices speak unless told otherwise.
 *
 * Devices are named on the command line (virtio_mmio.device=SIZE@ADDRESS:LINE, as Linux takes them) or, where
 * nothing is, by ACPI (_HID LNRO0005). A slot without a device costs one register read.
 */
#include "bus.h"
#include "config.h"
#include "memory.h"
#include "thread.h"
#include "virtio.h"

enum {
    MAGIC = 0x00,
    VERSION = 0x04,
    DEVICE_ID = 0x08,
    DEVICE_FEATURES = 0x10,
    DEVICE_FEATURES_SELECT = 0x14,
    DRIVER_FEATURES = 0x20,
    DRIVER_FEATURES_SELECT = 0x24,
    GUEST_PAGE_SIZE = 0x28, /* version 1 */
    QUEUE_SELECT = 0x30,
    QUEUE_SIZE_MAX = 0x34,
    QUEUE_SIZE = 0x38,
    QUEUE_ALIGN = 0x3c, /* version 1 */
    QUEUE_PAGE = 0x40,  /* version 1 */
    QUEUE_READY = 0x44,
    QUEUE_NOTIFY = 0x50,
    INTERRUPT_STATUS = 0x60,
    INTERRUPT_ACK = 0x64,
    STATUS = 0x70,
    QUEUE_DESCRIPTORS = 0x80,
    QUEUE_AVAILABLE = 0x90,
    QUEUE_USED = 0xa0,
    CONFIG = 0x100,
};
enum { INTERRUPT_USED = 1, INTERRUPT_CONFIG = 2 };
#define MAGIC_VALUE 0x74726976u /* "virt" */

struct mmio_device {
    struct virtio_device device;
    struct mmio_device *next;
    uint64_t where; /* physical */
    volatile uint8_t *registers;
    bool has_interrupt;
};
static struct mmio_device *mmio_devices PER_BOOT;

static struct mmio_device *mmio_of(struct virtio_device *device)
{
    return container_of(device, struct mmio_device, device);
}
static uint32_t register_read(struct mmio_device *m, unsigned offset)
{
    return *(volatile uint32_t *)(m->registers + offset);
}
static void register_write(struct mmio_device *m, unsigned offset, uint32_t value)
{
    *(volatile uint32_t *)(m->registers + offset) = value;
}

static uint8_t mmio_config_read8(struct virtio_device *device, unsigned offset)
{
    return mmio_of(device)->registers[CONFIG + offset];
}
static void mmio_config_write8(struct virtio_device *device, unsigned offset, uint8_t value)
{
    mmio_of(device)->registers[CONFIG + offset] = value;
}

static uint64_t mmio_features(struct virtio_device *device)
{
    struct mmio_device *m = mmio_of(device);
    register_write(m, DEVICE_FEATURES_SELECT, 0);
    uint64_t low = register_read(m, DEVICE_FEATURES);
    if (device->legacy)
        return low;
    register_write(m, DEVICE_FEATURES_SELECT, 1);
    return low | (uint64_t)register_read(m, DEVICE_FEATURES) << 32;
}
static void mmio_set_features(struct virtio_device *device, uint64_t features)
{
    struct mmio_device *m = mmio_of(device);
    register_write(m, DRIVER_FEATURES_SELECT, 0);
    register_write(m, DRIVER_FEATURES, (uint32_t)features);
    if (device->legacy) {
        register_write(m, GUEST_PAGE_SIZE, PAGE_SIZE);
        return;
    }
    register_write(m, DRIVER_FEATURES_SELECT, 1);
    register_write(m, DRIVER_FEATURES, (uint32_t)(features >> 32));
}

static uint8_t mmio_status(struct virtio_device *device)
{
    return (uint8_t)register_read(mmio_of(device), STATUS);
}
static void mmio_set_status(struct virtio_device *device, uint8_t status)
{
    register_write(mmio_of(device), STATUS, status);
}

static unsigned mmio_queue_size_max(struct virtio_device *device, unsigned index)
{
    register_write(mmio_of(device), QUEUE_SELECT, index);
    return register_read(mmio_of(device), QUEUE_SIZE_MAX);
}

static void address_write(struct mmio_device *m, unsigned offset, uint64_t address)
{
    register_write(m, offset, (uint32_t)address);
    register_write(m, offset + 4, (uint32_t)(address >> 32));
}

/* The queue is selected still: its size was asked for just before. */
static int mmio_queue_enable(struct virtio_device *device, struct virtio_queue *q)
{
    struct mmio_device *m = mmio_of(device);
    uint64_t descriptors, available, used;
    virtio_queue_addresses(q, &descriptors, &available, &used);
    register_write(m, QUEUE_SIZE, q->size);
    if (device->legacy) {
        register_write(m, QUEUE_ALIGN, q->align);
        register_write(m, QUEUE_PAGE, (uint32_t)(descriptors >> PAGE_SHIFT));
        return 0;
    }
    address_write(m, QUEUE_DESCRIPTORS, descriptors);
    address_write(m, QUEUE_AVAILABLE, available);
    address_write(m, QUEUE_USED, used);
    register_write(m, QUEUE_READY, 1);
    return 0;
}

static void mmio_notify(struct virtio_device *device, struct virtio_queue *q)
{
    register_write(mmio_of(device), QUEUE_NOTIFY, q->index);
}

static const struct virtio_transport mmio_transport = {
    .config_read8 = mmio_config_read8,
    .config_write8 = mmio_config_write8,
    .features = mmio_features,
    .set_features = mmio_set_features,
    .status = mmio_status,
    .set_status = mmio_set_status,
    .queue_enable = mmio_queue_enable,
    .queue_size_max = mmio_queue_size_max,
    .notify = mmio_notify,
};

/* Used buffers are by far the commonest cause, so that is acknowledged unseen; the register is read only when
 * no queue had anything. A change of the configuration keeps the line up until then, so it cannot be missed.
 */
static void mmio_interrupt(void *data)
{
    struct mmio_device *m = data;
    register_write(m, INTERRUPT_ACK, INTERRUPT_USED);
    if (virtio_interrupt(&m->device))
        return;
    if (register_read(m, INTERRUPT_STATUS) & INTERRUPT_CONFIG) {
        register_write(m, INTERRUPT_ACK, INTERRUPT_CONFIG);
        if (m->device.config_changed)
            m->device.config_changed(&m->device);
    }
}

/* The note about the device at `where`: from before a freeze, or a new one. */
static struct mmio_device *mmio_device_at(uint64_t where, size_t size)
{
    for (struct mmio_device *m = mmio_devices; m; m = m->next)
        if (m->where == where)
            return m;
    struct mmio_device *m = kzalloc(sizeof(*m));
    if (!m)
        return NULL;
    m->where = where;
    m->registers = mmio_map(where, size);
    if (!m->registers) {
        kfree(m);
        return NULL;
    }
    m->next = mmio_devices;
    mmio_devices = m;
    return m;
}

static void mmio_found(uint64_t where, size_t size, unsigned line, bool level, bool low)
{
    if (size <= CONFIG || where % 4)
        return;
    const volatile uint8_t *registers = mmio_map(where, size);
    uint32_t id = registers ? *(const volatile uint32_t *)(registers + DEVICE_ID) : 0;
    if (!id || *(const volatile uint32_t *)(registers + MAGIC) != MAGIC_VALUE)
        return;
    struct mmio_device *m = mmio_device_at(where, size);
    if (!m)
        return;
    uint32_t version = register_read(m, VERSION);
    if (version < 1 || version > 2) {
        log_line("virtio: device at %lx has unknown version %u", (unsigned long)where, version);
        return;
    }
    virtio_device_is(&m->device, &mmio_transport, id);
    m->device.legacy = version == 1;
    if (!m->has_interrupt) {
        if (interrupt_line(line, level, low, mmio_interrupt, m) < 0)
            log_line("virtio: no interrupt %u for the device at %lx", line, (unsigned long)where);
        m->has_interrupt = true;
    }
    virtio_device_add(&m->device);
}

/* A number as C writes it; *at moves behind it. */
static uint64_t number(const char **at)
{
    const char *s = *at;
    unsigned base = 10;
    uint64_t value = 0;
    if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X'))
        base = 16, s += 2;
    for (;; s++) {
        unsigned digit = (unsigned)*s - '0';
        unsigned letter = ((unsigned)*s | 32u) - 'a';
        if (digit > 9)
            digit = letter < 6 ? letter + 10 : base;
        if (digit >= base)
            break;
        value = value * base + digit;
    }
    *at = s;
    return value;
}

/* SIZE@ADDRESS:LINE[:ID], SIZE with K or M. */
bool virtio_mmio_parse(const char *text, uint64_t *where, uint64_t *size, unsigned *line)
{
    *size = number(&text);
    if (*text == 'K' || *text == 'k')
        *size <<= 10, text++;
    else if (*text == 'M' || *text == 'm')
        *size <<= 20, text++;
    if (*text++ != '@')
        return false;
    *where = number(&text);
    if (*text++ != ':')
        return false;
    *line = (unsigned)number(&text);
    return *size && *where && (!*text || *text == ':');
}

void virtio_mmio_discover(void)
{
    const char *token = config_each("virtio_mmio.device", 0);
    for (size_t i = 0; token; token = config_each("virtio_mmio.device", ++i)) {
        uint64_t where, size;
        unsigned line;
        /* Level-triggered by the device's nature, whatever the line is by default: held until acknowledged.
         */
        if (virtio_mmio_parse(token, &where, &size, &line))
            mmio_found(where, size, line, true, false);
        else
            log_line("virtio: cannot understand virtio_mmio.device=%s", token);
        if (size == 0)
            break;
    }
    struct acpi_resources r;
    size_t cursor = 0;
    if (!config_each("virtio_mmio.device", 0))
        while (acpi_device("LNRO0005", &cursor, &r))
            mmio_found(r.base, r.size, r.line, r.level, r.low);
}

START(devices)
{
    virtio_mmio_discover();
}
