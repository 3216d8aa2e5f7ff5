/* bus.h - what the machine is made of: ACPI tables, interrupt lines, PCI functions. (bus/)
 *
 * All of it comes up the same way at power-on and when a frozen image resumes, perhaps on another machine:
 * acpi_start(), interrupt_lines_start(), then virtio_mmio_discover() and virtio_pci_discover(). What had been
 * found before is found again, set up anew, and keeps its memory.
 */
#ifndef UNIKIT_BUS_H
#define UNIKIT_BUS_H

#include "kernel.h"

/* ---- ACPI (bus/acpi.c): the static tables, and what can be read off the DSDT without running its code */

/* The first table with this signature, its checksum verified, length in *length; NULL: there is none. */
const uint8_t *acpi_table(const char signature[4], size_t *length);
/* The DSDT; NULL: none. */
const uint8_t *acpi_dsdt(size_t *length);
/* Makes `length` bytes of physical memory readable; NULL: cannot. Replaced by tests. */
const uint8_t *acpi_view(uint64_t physical, size_t length);
/* Where to look for tables; physical, 0: forget them. */
void acpi_start(uint64_t rsdp);

/* A device of the DSDT: its _HID and the resources of its _CRS. */
struct acpi_resources {
    uint32_t base, size; /* the first Memory32Fixed range */
    uint32_t line;       /* the first interrupt */
    bool level, low;
};
/* The next device with this _HID (8 characters) that has a memory range and an interrupt; *cursor starts at
 * 0. */
bool acpi_device(const char *hid, size_t *cursor, struct acpi_resources *);
/* SLP_TYPa and SLP_TYPb of the state S5; false: the DSDT does not say. */
bool acpi_sleep_types(uint8_t *a, uint8_t *b);

/* bus/acpi_power.c: asks the machine to go off as ACPI says; comes back if it cannot, or while it is on its
 * way. */
void acpi_power_off(void);

/* ---- interrupt lines (bus/ioapic.c): the controllers, and the lines that are in use, programmed */
void interrupt_lines_start(void);

/* ---- PCI (bus/pci.c) */
struct pci_function {
    uint16_t address; /* bus << 8 | device << 3 | function */
    uint16_t vendor, device;
};
/* Calls `found` for every function on every bus that the firmware has numbered. */
void pci_scan(void (*found)(const struct pci_function *));
uint8_t pci_read8(uint16_t address, unsigned offset);
uint16_t pci_read16(uint16_t address, unsigned offset);
uint32_t pci_read32(uint16_t address, unsigned offset);
void pci_write16(uint16_t address, unsigned offset, uint16_t value);
void pci_write32(uint16_t address, unsigned offset, uint32_t value);
/* The configuration-space offset of the next capability `id` after `from` (0: the first); 0: none. */
unsigned pci_capability(uint16_t address, unsigned id, unsigned from);
/* Physical start of a memory BAR; 0: it is not one, or nobody has placed it. */
uint64_t pci_bar(uint16_t address, unsigned bar);
/* Memory decoding and bus mastering on. */
void pci_enable(uint16_t address);

/* MSI-X: the table mapped, all entries masked, the function's INTx off. The number of entries, or -errno. */
struct pci_msix {
    volatile uint32_t *table;
    unsigned entries;
};
int pci_msix_enable(uint16_t address, struct pci_msix *);
/* Entry `n` raises CPU vector `vector`. */
void pci_msix_set(const struct pci_msix *, unsigned n, unsigned vector);

/* The local APIC id of this CPU, as interrupt controllers address it. */
static inline uint32_t cpu_apic_id(void)
{
    uint32_t a = 1, b, c = 0, d;
    __asm__("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    (void)d;
    return b >> 24;
}

#endif
