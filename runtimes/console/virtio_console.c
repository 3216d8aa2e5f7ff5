/* console/virtio_console.c - virtio console device (virtio 1.2, section 5.3), with one port or several.
 *
 * The console is the port that the device calls one, or the one named `unikit.console`: QEMU drops what a
 * host reads too late from the former, and lets the guest wait for the latter. The port named `unikit.report`
 * is the report channel; other ports belong to who asks for them by name (ports.h). What the ports are is
 * told by the device in answer to our messages, so it is known only a little after the driver started: the
 * last part of the boot waits for it, for a moment, so that the app's first words do not go to another device
 * than the rest.
 *
 * A write goes out as one buffer of up to a page. Buffers are reused when the device is done with them;
 * interrupts for that are on only while somebody waits for room.
 */
#include "console.h"
#include "memory.h"
#include "ports.h"
#include "report.h"
#include "report_port.h"
#include "virtio.h"

#define REPORT_NAME  "unikit.report"
#define CONSOLE_NAME "unikit.console"

enum { F_SIZE = 0, F_MULTIPORT = 1 };
enum { CONTROL_IN = 2, CONTROL_OUT = 3 };
/* Events of the control queues. */
enum {
    DEVICE_READY = 0,
    PORT_ADD = 1,
    PORT_REMOVE = 2,
    PORT_READY = 3,
    CONSOLE_PORT = 4,
    RESIZE = 5,
    PORT_OPEN = 6,
    PORT_NAME = 7,
};
enum {
    PORTS = 4, /* looked at; a device may have more */
    OUT_BUFFERS = 4,
    IN_BUFFERS = 2,
    IN_SIZE = 1024,
    CONTROL_BUFFERS = 32, /* the device drops messages that find no buffer */
    CONTROL_SIZE = 64,
    SENT_MESSAGES = 16,
};
/* How long the boot, and at the end a power-off, wait for the device to tell of its ports; ns since the
 * start. */
#define ANSWER_TIME      20000000UL
#define LAST_ANSWER_TIME 5000000000UL

struct message {
    uint32_t port;
    uint16_t event, value;
};

struct port {
    struct virtio_queue *in, *out;
    bool added, answered; /* the device told of it, and all that we need to know */
    bool is_console, is_report, host_open;
    const struct port_user *user; /* of another component, or NULL */
    bool receiving;               /* what is received may end in a call to listen */
    char *out_page[OUT_BUFFERS];  /* made when first needed */
    bool out_busy[OUT_BUFFERS];
    char *in_page;
    bool in_busy[IN_BUFFERS];
    struct wait_queue writers;
};

struct console {
    struct virtio_device *device;
    struct virtio_queue *control_in, *control_out;
    struct port ports[PORTS];
    char received[CONTROL_BUFFERS][CONTROL_SIZE];
    struct message sent[SENT_MESSAGES];
    bool sent_busy[SENT_MESSAGES];
    uint64_t started;
};

static struct console *console PER_BOOT; /* the first device; others are left alone */
static struct port *console_port PER_BOOT, *report_port_in_use PER_BOOT;

/* ---- a port's output */

static void reclaim(struct port *p)
{
    void *token;
    while ((token = virtio_queue_take(p->out, NULL)))
        p->out_busy[(uintptr_t)token - 1] = false;
}

/* A buffer that is free, or -1. */
static int free_buffer(struct port *p)
{
    reclaim(p);
    for (int i = 0; i < OUT_BUFFERS; i++) {
        if (p->out_busy[i])
            continue;
        if (!p->out_page[i])
            p->out_page[i] = page_alloc();
        if (p->out_page[i])
            return i;
    }
    return -1;
}

size_t port_send(struct port *p, const char *text, size_t length)
{
    int i = free_buffer(p);
    struct virtio_buffer buffer;

    if (i < 0)
        return 0;
    buffer.data = p->out_page[i];
    buffer.length = (uint32_t)min(length, PAGE_SIZE);
    memcpy(buffer.data, text, buffer.length);
    if (virtio_queue_add(p->out, &buffer, 1, 0, (void *)(uintptr_t)(i + 1)) < 0)
        return 0;
    p->out_busy[i] = true;
    virtio_queue_kick(p->out);
    return buffer.length;
}

bool port_sending(struct port *p)
{
    reclaim(p);
    for (int i = 0; i < OUT_BUFFERS; i++)
        if (p->out_busy[i])
            return true;
    return false;
}

static void sent(struct virtio_queue *q)
{
    struct port *p = virtio_queue_data(q);
    virtio_queue_interrupts_off(q);
    reclaim(p);
    wake_all(&p->writers, 0);
    if (p->is_report)
        report_send(); /* what found no room when it was said */
    if (p->user)
        p->user->ready();
}

bool port_ready(struct port *p)
{
    if (free_buffer(p) >= 0)
        return true;
    return virtio_queue_interrupts_on(p->out) && free_buffer(p) >= 0;
}

/* ---- a port's input */

/* Gives the device the buffers that it does not have, as long as the reader has room for them. */
static void post(struct port *p, size_t room)
{
    struct virtio_buffer buffer = {.length = IN_SIZE};
    size_t posted = 0;

    if (!p->in_page && !(p->in_page = page_alloc()))
        return;
    for (int i = 0; i < IN_BUFFERS; i++)
        posted += p->in_busy[i] ? IN_SIZE : 0;
    for (int i = 0; i < IN_BUFFERS && posted + IN_SIZE <= room; i++) {
        buffer.data = p->in_page + i * IN_SIZE;
        if (p->in_busy[i] || virtio_queue_add(p->in, &buffer, 0, 1, (void *)(uintptr_t)(i + 1)) < 0)
            continue;
        p->in_busy[i] = true;
        posted += IN_SIZE;
    }
    virtio_queue_kick(p->in);
}

static size_t room_of(const struct port *p)
{
    if (p->user)
        return p->user->room();
    return p->is_console ? console_room() : IN_BUFFERS * IN_SIZE;
}

static void received(struct virtio_queue *q)
{
    struct port *p = virtio_queue_data(q);
    uint32_t length;
    void *token;

    p->receiving = true;
    do {
        while ((token = virtio_queue_take(q, &length))) {
            size_t i = (uintptr_t)token - 1;
            const char *bytes = p->in_page + i * IN_SIZE;
            p->in_busy[i] = false;
            if (p->is_console)
                console_input(bytes, length);
            else if (p->is_report)
                report_receive(bytes, length);
            else if (p->user)
                p->user->input(bytes, length);
        }
        post(p, room_of(p));
    } while (virtio_queue_interrupts_on(q));
    p->receiving = false;
}

void port_listen(struct port *p)
{
    if (!p->receiving)
        received(p->in);
}

/* ---- as the console */

static void console_device_write(const char *text, size_t length)
{
    uint64_t end = 0;
    while (length && console_port) {
        size_t n = port_send(console_port, text, length);
        text += n, length -= n;
        if (n || !length) {
            end = 0;
            continue;
        }
        /* A host that does not read must not hang the kernel's own words: they are lost then. */
        if (!end)
            end = clock_now() + 1000000000UL;
        else if (clock_now() > end)
            return;
    }
}

static void console_device_listen(void)
{
    if (console_port)
        port_listen(console_port);
}

static struct wait_queue no_writers = {LIST_INIT(no_writers.waiters)};

static bool console_device_ready(void)
{
    return !console_port || port_ready(console_port);
}

static bool console_device_busy(void)
{
    return console_port && port_sending(console_port);
}

static struct console_device virtio_console = {
    .name = "virtio",
    .write = console_device_write,
    .listen = console_device_listen,
    .ready = console_device_ready,
    .busy = console_device_busy,
    .writers = &no_writers,
};

static void use_console(struct port *p)
{
    if (console_port == p)
        return;
    console_port = p;
    virtio_console.writers = &p->writers;
    console_attach(&virtio_console);
}

/* ---- as the report channel */

static size_t report_device_send(const char *bytes, size_t n)
{
    struct port *p = report_port_in_use;
    size_t done = p ? port_send(p, bytes, n) : 0;
    /* Without room the device tells when there is some: what is left must not wait for the next event. */
    return done || !p || !port_ready(p) ? done : port_send(p, bytes, n);
}

static void control_received(struct virtio_queue *);

static bool report_device_poll(void)
{
    if (console->control_in)
        control_received(console->control_in);
    if (!report_port_in_use)
        return false;
    received(report_port_in_use->in);
    return port_sending(report_port_in_use);
}

static const struct report_port report_device = {.send = report_device_send, .poll = report_device_poll};

static void use_report(struct port *p)
{
    if (p->is_report && p->host_open && !report_port_in_use) {
        report_port_in_use = p;
        virtio_queue_kick(console->control_out); /* QEMU looks at the buffers of open ports only */
        port_listen(p);
        report_attach(&report_device);
    } else if (report_port_in_use == p && !p->host_open) {
        report_port_in_use = NULL;
        report_attach(NULL);
    }
}

/* ---- the control queues */

static void tell(uint32_t port, uint16_t event, uint16_t value)
{
    struct virtio_buffer buffer = {.length = sizeof(struct message)};
    void *token;

    while ((token = virtio_queue_take(console->control_out, NULL)))
        console->sent_busy[(uintptr_t)token - 1] = false;
    for (int i = 0; i < SENT_MESSAGES; i++) {
        if (console->sent_busy[i])
            continue;
        console->sent[i] = (struct message){port, event, value};
        buffer.data = &console->sent[i];
        if (virtio_queue_add(console->control_out, &buffer, 1, 0, (void *)(uintptr_t)(i + 1)) == 0)
            console->sent_busy[i] = true;
        return;
    }
}

static bool is_named(const char *name, const char *text, size_t length)
{
    return length == strlen(name) && memcmp(text, name, length) == 0;
}

static void use_port(struct port *p, const struct port_user *user)
{
    p->user = user;
    p->answered = true; /* it may wait for somebody at its other end for ever */
    user->found(p);
}

void port_open(struct port *p, bool is_open)
{
    tell((uint32_t)(p - console->ports), PORT_OPEN, is_open);
    virtio_queue_kick(console->control_out);
    if (is_open)
        port_listen(p);
}

static void become_console(struct port *p, uint32_t number)
{
    p->is_console = true;
    use_console(p);
    tell(number, PORT_OPEN, 1);
}

static void hear(const struct message *m, const char *text, size_t length)
{
    struct port *p = m->port < PORTS ? &console->ports[m->port] : NULL;
    uint16_t size[2]; /* rows, columns */

    if (!p || !p->out)
        return;
    switch (m->event) {
    case PORT_ADD:
        p->added = true;
        tell(m->port, PORT_READY, 1);
        break;
    case PORT_REMOVE:
        p->added = p->host_open = false;
        use_report(p);
        if (p->user)
            p->user->found(NULL);
        break;
    case CONSOLE_PORT:
        become_console(p, m->port);
        break;
    case PORT_NAME:
        length = strnlen(text, length);
        if (is_named(CONSOLE_NAME, text, length))
            become_console(p, m->port);
        p->is_report = is_named(REPORT_NAME, text, length);
        if (p->is_report)
            tell(m->port, PORT_OPEN, 1);
        use_report(p);
        for_each_record(unikit_port_users, user) if (is_named(user->name, text, length)) use_port(p, user);
        break;
    case PORT_OPEN:
        p->answered = true;
        p->host_open = m->value != 0;
        use_report(p);
        if (p->is_console && !p->host_open)
            console_input_end(0);
        if (p->user)
            p->user->host(p->host_open);
        break;
    case RESIZE:
        if (p->is_console && length >= sizeof(size)) {
            memcpy(size, text, sizeof(size));
            console_resize(size[0], size[1]);
        }
        break;
    default:
        break;
    }
}

static void post_control(size_t i)
{
    struct virtio_buffer buffer = {console->received[i], CONTROL_SIZE};
    virtio_queue_add(console->control_in, &buffer, 0, 1, (void *)(uintptr_t)(i + 1));
}

static void control_received(struct virtio_queue *q)
{
    uint32_t length;
    void *token;

    do {
        while ((token = virtio_queue_take(q, &length))) {
            size_t i = (uintptr_t)token - 1;
            struct message m;
            if (length >= sizeof(m)) {
                memcpy(&m, console->received[i], sizeof(m));
                hear(&m, console->received[i] + sizeof(m), length - sizeof(m));
            }
            post_control(i);
        }
        virtio_queue_kick(q);
        virtio_queue_kick(console->control_out);
    } while (virtio_queue_interrupts_on(q));
}

/* ---- start */

static int port_queues(struct virtio_device *device, unsigned id)
{
    struct port *p = &console->ports[id];
    unsigned index = id ? 2 * id + 2 : 0;

    p->in = virtio_queue_create(device, index, IN_BUFFERS, received);
    p->out = p->in ? virtio_queue_create(device, index + 1, OUT_BUFFERS, sent) : NULL;
    if (!p->out)
        return -ENOMEM;
    virtio_queue_set_data(p->in, p);
    virtio_queue_set_data(p->out, p);
    virtio_queue_interrupts_off(p->out);
    memset(p->out_busy, 0, sizeof(p->out_busy));
    memset(p->in_busy, 0, sizeof(p->in_busy));
    p->added = p->answered = p->host_open = false;
    wait_queue_init(&p->writers);
    return 0;
}

static int control_queues(struct virtio_device *device)
{
    console->control_in = virtio_queue_create(device, CONTROL_IN, CONTROL_BUFFERS, control_received);
    console->control_out = virtio_queue_create(device, CONTROL_OUT, SENT_MESSAGES, NULL);
    memset(console->sent_busy, 0, sizeof(console->sent_busy));
    return console->control_in && console->control_out ? 0 : -ENOMEM;
}

static void read_size(struct virtio_device *device)
{
    uint16_t size[2]; /* columns, rows */
    virtio_config_read(device, 0, size, sizeof(size));
    console_resize(size[1], size[0]);
}

static int start(struct virtio_device *device)
{
    uint32_t ports = 1;
    int result =
        virtio_negotiate(device, 1UL << F_SIZE | 1UL << F_MULTIPORT | 1UL << VIRTIO_F_RING_EVENT_IDX);

    if (result < 0)
        return result;
    if (virtio_has(device, F_MULTIPORT)) {
        virtio_config_read(device, 4, &ports, sizeof(ports));
        result = control_queues(device);
    }
    for (unsigned id = 0; id < min(ports, (uint32_t)PORTS) && result == 0; id++)
        result = port_queues(device, id);
    if (result < 0)
        return result;
    virtio_ready(device);
    console->started = clock_now();
    if (virtio_has(device, F_MULTIPORT)) {
        for (size_t i = 0; i < CONTROL_BUFFERS; i++)
            post_control(i);
        virtio_queue_kick(console->control_in);
        tell(0, DEVICE_READY, 1);
        virtio_queue_kick(console->control_out);
        virtio_queue_interrupts_on(console->control_in);
        report_expect(&report_device, console->started + LAST_ANSWER_TIME);
        return 0;
    }
    console->ports[0].is_console = true;
    use_console(&console->ports[0]);
    if (virtio_has(device, F_SIZE)) {
        device->config_changed = read_size;
        read_size(device);
    }
    return 0;
}

static int probe(struct virtio_device *device)
{
    int result;

    if (console && console->device != device)
        return -EBUSY;
    if (!console) {
        console = kzalloc(sizeof(*console));
        if (!console)
            return -ENOMEM;
        console->device = device;
    } else { /* again, on a resumed boot */
        for (int i = 0; i < PORTS; i++) {
            if (console->ports[i].user)
                console->ports[i].user->found(NULL);
            console->ports[i].user = NULL;
        }
        console_port = NULL;
        report_port_in_use = NULL;
        report_attach(NULL);
    }
    result = start(device);
    if (result < 0)
        console->control_in = NULL; /* the rest stays: the device may still know of its queues */
    return result;
}

/* Has the device told of a port and then all about each that it told of? */
static bool all_known(void)
{
    bool any = false;
    for (int i = 0; i < PORTS; i++) {
        if (console->ports[i].added && !console->ports[i].answered)
            return false;
        any |= console->ports[i].added;
    }
    return any;
}

uint64_t ports_expected(void)
{
    uint64_t until = console ? console->started + LAST_ANSWER_TIME : 0;
    return console && console->control_in && !all_known() && clock_now() < until ? until : 0;
}

START(services)
{
    if (!console || !console->control_in)
        return;
    /* A busy host may answer later: what was to be reported waits in the queue, at the end for
     * LAST_ANSWER_TIME. */
    while (!all_known() && clock_now() < console->started + ANSWER_TIME) {
        control_received(console->control_in);
        __asm__ volatile("pause");
    }
    if (all_known() && !report_connected())
        report_expect(NULL, 0); /* the host wants no report */
}

DRIVER(virtio_console, VIRTIO_ID(3)){.probe = probe};
