/* ioapic.c - interrupt lines: I/O APICs as the MADT lists them (ACPI 6.4, 5.2.12; Intel 82093AA data sheet).
 *
 * A line is masked until somebody asks for it. Lines may be shared: all handlers of a line are called. The
 * old interrupt controllers are silenced. Without a MADT there is one I/O APIC at its usual address.
 */
#include "bus.h"
#include "memory.h"
#include "port.h"
#include "thread.h"

enum { REGISTER_VERSION = 1, REGISTER_ENTRIES = 0x10 };
enum { ENTRY_LOW = 1 << 13, ENTRY_LEVEL = 1 << 15 };
enum { MADT_ENTRIES = 44, MADT_IOAPIC = 1, MADT_OVERRIDE = 2 };
#define USUAL_ADDRESS 0xfec00000UL

struct ioapic {
    uint32_t base; /* its first global line */
    uint32_t address;
    volatile uint32_t *registers; /* select; the window is 16 bytes further */
    uint32_t pins;                /* 0: not asked yet */
};
struct override {
    uint32_t line; /* global */
    uint16_t flags;
    bool given;
};
struct handler {
    interrupt_handler call;
    void *data;
    struct handler *next;
};
struct line {
    struct line *next;
    uint32_t number;
    uint32_t entry; /* what its pin is programmed with */
    struct handler first;
};

static struct ioapic ioapics[8];
static unsigned ioapic_count;
static struct override overrides[16];
static struct line *lines PER_BOOT;

static uint32_t ioapic_read(struct ioapic *io, unsigned index)
{
    io->registers[0] = index;
    return io->registers[4];
}
static void ioapic_write(struct ioapic *io, unsigned index, uint32_t value)
{
    io->registers[0] = index;
    io->registers[4] = value;
}

static void madt_read(const uint8_t *madt, size_t length)
{
    for (size_t at = MADT_ENTRIES; at + 2 <= length && madt[at + 1] >= 2; at += madt[at + 1]) {
        const uint8_t *e = madt + at;
        if (e[1] > length - at)
            break;
        if (e[0] == MADT_IOAPIC && e[1] >= 12 && ioapic_count < array_size(ioapics)) {
            struct ioapic *io = &ioapics[ioapic_count++];
            *io = (struct ioapic){0};
            memcpy(&io->address, e + 4, 4);
            memcpy(&io->base, e + 8, 4);
        } else if (e[0] == MADT_OVERRIDE && e[1] >= 10 && e[2] == 0 && e[3] < array_size(overrides)) {
            struct override *o = &overrides[e[3]];
            memcpy(&o->line, e + 4, 4);
            memcpy(&o->flags, e + 8, 2);
            o->given = true;
        }
    }
}

/* The controller that has the line, and the line's pin there. */
static struct ioapic *ioapic_of(uint32_t line, uint32_t *pin)
{
    struct ioapic *best = NULL;
    for (unsigned i = 0; i < ioapic_count; i++)
        if (ioapics[i].base <= line && (!best || ioapics[i].base > best->base))
            best = &ioapics[i];
    if (!best)
        return NULL;
    if (!best->registers)
        best->registers = mmio_map(best->address, 32);
    if (!best->registers)
        return NULL;
    if (!best->pins)
        best->pins = (ioapic_read(best, REGISTER_VERSION) >> 16 & 0xff) + 1;
    *pin = line - best->base;
    return *pin < best->pins ? best : NULL;
}

static void line_interrupt(void *data)
{
    const struct line *l = data;
    for (const struct handler *h = &l->first; h; h = h->next)
        h->call(h->data);
}

static int line_share(struct line *l, interrupt_handler handler, void *data)
{
    struct handler *more = kmalloc(sizeof(*more));
    if (!more)
        return -ENOMEM;
    *more = (struct handler){handler, data, l->first.next};
    l->first.next = more;
    return 0;
}

static void pin_program(struct ioapic *io, uint32_t pin, uint32_t entry)
{
    unsigned at = REGISTER_ENTRIES + 2 * pin;
    ioapic_write(io, at + 1, cpu_apic_id() << 24);
    ioapic_write(io, at, entry);
}

int interrupt_line(unsigned number, bool level, bool low, interrupt_handler handler, void *data)
{
    uint32_t global = number, pin;
    if (number < array_size(overrides) && overrides[number].given) {
        uint16_t flags = overrides[number].flags;
        global = overrides[number].line;
        if (flags & 3)
            low = (flags & 3) == 3;
        if (flags >> 2 & 3)
            level = (flags >> 2 & 3) == 3;
    }
    for (struct line *l = lines; l; l = l->next)
        if (l->number == global)
            return line_share(l, handler, data);

    struct ioapic *io = ioapic_of(global, &pin);
    if (!io)
        return -ENODEV;
    struct line *l = kzalloc(sizeof(*l));
    if (!l)
        return -ENOMEM;
    l->number = global;
    l->first = (struct handler){handler, data, NULL};
    int vector = interrupt_vector(line_interrupt, l);
    if (vector < 0) {
        kfree(l);
        return vector;
    }
    l->next = lines;
    lines = l;
    l->entry = (uint32_t)vector | (low ? ENTRY_LOW : 0) | (level ? ENTRY_LEVEL : 0);
    pin_program(io, pin, l->entry);
    return vector;
}

void interrupt_lines_start(void)
{
    size_t length;
    const uint8_t *madt = acpi_table("APIC", &length);
    ioapic_count = 0;
    memset(overrides, 0, sizeof(overrides));
    if (madt && length >= MADT_ENTRIES)
        madt_read(madt, length);
    if (!ioapic_count)
        ioapics[ioapic_count++] = (struct ioapic){.address = USUAL_ADDRESS};
    out8(0x21, 0xff);
    out8(0xa1, 0xff);
    for (const struct line *l = lines; l; l = l->next) {
        uint32_t pin;
        struct ioapic *io = ioapic_of(l->number, &pin);
        if (io)
            pin_program(io, pin, l->entry);
    }
}

START(bus)
{
    interrupt_lines_start();
}
