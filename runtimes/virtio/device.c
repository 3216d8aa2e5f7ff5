/* device.c - virtio devices as drivers see them: initialization (virtio 1.2, section 3.1.1), interrupts.
 *
 * A device that no driver wants is never written to. A device comes up the same way at power-on and when a
 * frozen image resumes: reset, features, queues; its driver's probe() does all of it.
 */
#include "virtio.h"

static struct list devices = LIST_INIT(devices);

static const struct driver_record *driver_for(uint32_t id)
{
    for_each_record(unikit_drivers, record) if (record->bus == BUS_VIRTIO && record->id == id) return record;
    return NULL;
}

void virtio_device_is(struct virtio_device *device, const struct virtio_transport *transport, uint32_t id)
{
    if (device->id != id) {
        /* Resumed on a machine that has something else there. */
        device->driver_data = NULL;
        device->config_changed = NULL;
        memset(device->queues, 0, sizeof(device->queues));
        device->queue_count = 0;
    }
    device->transport = transport;
    device->id = id;
}

void virtio_device_add(struct virtio_device *device)
{
    const struct driver_record *record = driver_for(device->id);
    if (!record) {
        log_line("virtio: device type %u: no driver in this image", device->id);
        return;
    }
    if (!device->link.next)
        list_append(&devices, &device->link);
    int error = record->driver->probe(device);
    if (error < 0) {
        device->transport->set_status(device, VIRTIO_FAILED);
        log_line("virtio: %s: error %d", record->name, -error);
    }
}

/* The device forgets everything; a transport may take a while to do so. */
static int device_reset(struct virtio_device *device)
{
    const struct virtio_transport *t = device->transport;
    t->set_status(device, 0);
    for (unsigned tries = 0; t->status(device); tries++)
        if (tries == 1000000)
            return -ETIMEDOUT;
    return 0;
}

int virtio_negotiate(struct virtio_device *device, uint64_t wanted)
{
    const struct virtio_transport *t = device->transport;
    uint8_t status = VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER;
    int error = device_reset(device);
    if (error)
        return error;
    t->set_status(device, status);
    uint64_t offered = t->features(device);
    if (!device->legacy && !(offered >> VIRTIO_F_VERSION_1 & 1))
        return -EOPNOTSUPP;
    device->features = offered & (wanted | 1ULL << VIRTIO_F_VERSION_1);
    t->set_features(device, device->features);
    if (device->legacy)
        return 0;
    t->set_status(device, status | VIRTIO_FEATURES_OK);
    return t->status(device) & VIRTIO_FEATURES_OK ? 0 : -EOPNOTSUPP;
}

void virtio_ready(struct virtio_device *device)
{
    uint8_t status = VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_DRIVER_OK;
    if (!device->legacy)
        status |= VIRTIO_FEATURES_OK;
    device->transport->set_status(device, status);
}

void virtio_config_read(struct virtio_device *device, unsigned offset, void *to, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ((uint8_t *)to)[i] = device->transport->config_read8(device, offset + (unsigned)i);
}

bool virtio_interrupt(struct virtio_device *device)
{
    bool any = false;
    for (unsigned i = 0; i < device->queue_count; i++) {
        struct virtio_queue *q = device->queues[i];
        if (q && q->callback && virtio_queue_pending(q)) {
            any = true;
            q->callback(q);
        }
    }
    return any;
}
