/* acpi_power.c - switching the machine off as ACPI says (ACPI 6.4, 4.8.3.7 and 16.1.7): the sleep control
 * register of a hardware-reduced machine, else the PM1 control blocks; with the sleep type that \_S5 names.
 */
#include "bus.h"
#include "memory.h"
#include "port.h"

enum { FADT_SMI_COMMAND = 48, FADT_ACPI_ENABLE = 52, FADT_PM1A = 64, FADT_PM1B = 68, FADT_FLAGS = 112 };
enum { FADT_X_PM1A = 172, FADT_X_PM1B = 184, FADT_SLEEP_CONTROL = 244 };
#define FLAG_HARDWARE_REDUCED (1u << 20)
enum { SLEEP_ENABLE = 1 << 5, PM1_SLEEP_ENABLE = 1 << 13, PM1_SCI_ENABLE = 1 };

/* A Generic Address Structure (5.2.3.2). */
struct place {
    uint8_t space; /* 0 memory, 1 ports */
    uint64_t address;
};

static uint32_t field32(const uint8_t *table, size_t length, size_t at)
{
    uint32_t v = 0;
    if (at + sizeof(v) <= length)
        memcpy(&v, table + at, sizeof(v));
    return v;
}

static struct place place_at(const uint8_t *table, size_t length, size_t at)
{
    struct place p = {0, 0};
    if (at + 12 <= length) {
        p.space = table[at];
        memcpy(&p.address, table + at + 4, sizeof(p.address));
    }
    return p;
}

/* The control block: the 64-bit field, else the old one, which is always a port. */
static struct place control_block(const uint8_t *fadt, size_t length, size_t extended, size_t old)
{
    struct place p = place_at(fadt, length, extended);
    if (!p.address)
        p = (struct place){1, field32(fadt, length, old)};
    return p;
}

static void place_write(struct place p, unsigned bytes, uint16_t value)
{
    if (!p.address)
        return;
    if (p.space == 1) {
        if (bytes == 1)
            out8((uint16_t)p.address, (uint8_t)value);
        else
            out16((uint16_t)p.address, value);
    } else if (p.space == 0) {
        volatile void *v = mmio_map(p.address, bytes);
        if (v && bytes == 1)
            *(volatile uint8_t *)v = (uint8_t)value;
        else if (v)
            *(volatile uint16_t *)v = value;
    }
}

void acpi_power_off(void)
{
    size_t length;
    uint8_t a, b;
    const uint8_t *fadt = acpi_table("FACP", &length);
    if (!fadt || !acpi_sleep_types(&a, &b))
        return;
    if (field32(fadt, length, FADT_FLAGS) & FLAG_HARDWARE_REDUCED) {
        place_write(place_at(fadt, length, FADT_SLEEP_CONTROL), 1, (uint16_t)(SLEEP_ENABLE | a << 2));
        return;
    }
    struct place first = control_block(fadt, length, FADT_X_PM1A, FADT_PM1A);
    struct place second = control_block(fadt, length, FADT_X_PM1B, FADT_PM1B);
    /* Where the firmware has not handed the power registers over yet, ask for them. */
    uint16_t command = (uint16_t)field32(fadt, length, FADT_SMI_COMMAND);
    if (command && first.space == 1 && first.address && fadt[FADT_ACPI_ENABLE] &&
        !(in16((uint16_t)first.address) & PM1_SCI_ENABLE)) {
        out8(command, fadt[FADT_ACPI_ENABLE]);
        for (unsigned i = 0; i < 1000 && !(in16((uint16_t)first.address) & PM1_SCI_ENABLE); i++)
            ;
    }
    place_write(first, 2, (uint16_t)(PM1_SLEEP_ENABLE | a << 10));
    place_write(second, 2, (uint16_t)(PM1_SLEEP_ENABLE | b << 10));
}
