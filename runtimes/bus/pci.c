/* pci.c - PCI configuration space (PCI 3.0, chapter 6; PCI Express ECAM as the MCFG table gives it; else
 * configuration mechanism 1, ports 0xcf8 and 0xcfc).
 *
 * Firmware has numbered the busses and placed the BARs, as on every PC-like virtual machine. Not done here:
 * numbering, placing, and further root busses that are not behind a bridge of bus 0.
 */
#include "bus.h"
#include "memory.h"
#include "port.h"

enum { CONFIG_ADDRESS = 0xcf8, CONFIG_DATA = 0xcfc };
enum {
    VENDOR = 0x00,
    COMMAND = 0x04,
    HEADER_TYPE = 0x0e,
    BAR = 0x10,
    SECONDARY_BUS = 0x19,
    CAPABILITIES = 0x34
};
enum { COMMAND_MEMORY = 1 << 1, COMMAND_MASTER = 1 << 2, COMMAND_NO_INTX = 1 << 10 };
enum { STATUS_CAPABILITIES = 1 << 4, HEADER_BRIDGE = 1, HEADER_MULTI = 0x80 };
enum { CAPABILITY_MSIX = 0x11, MSIX_ENABLE = 1 << 15, MSIX_MASK_ALL = 1 << 14 };
enum { MCFG_ENTRIES = 44, MCFG_ENTRY = 16 };
#define MSI_ADDRESS 0xfee00000u

static enum { NONE, PORTS, ECAM } mechanism;
static uint64_t ecam;                    /* of bus 0 */
static unsigned ecam_busses;             /* served by it */
static volatile uint8_t *ecam_maps[256]; /* a bus each, mapped when first seen */

static void mechanism_find(void)
{
    size_t length;
    const uint8_t *mcfg = acpi_table("MCFG", &length);
    mechanism = NONE;
    memset(ecam_maps, 0, sizeof(ecam_maps));
    if (mcfg && length >= MCFG_ENTRIES + MCFG_ENTRY) {
        const uint8_t *e = mcfg + MCFG_ENTRIES;
        memcpy(&ecam, e, 8);
        if (ecam && e[8] == 0 && e[9] == 0 && e[10] == 0) {
            ecam_busses = e[11] + 1u;
            mechanism = ECAM;
            return;
        }
    }
    out32(CONFIG_ADDRESS, 0x80000000u);
    if (in32(CONFIG_ADDRESS) == 0x80000000u)
        mechanism = PORTS;
}

/* Where a register is in memory; NULL: it has to go through the ports. */
static volatile uint8_t *ecam_register(uint16_t address, unsigned offset)
{
    unsigned bus = address >> 8;
    if (mechanism != ECAM || bus >= ecam_busses)
        return NULL;
    if (!ecam_maps[bus])
        ecam_maps[bus] = mmio_map(ecam + ((uint64_t)bus << 20), 1 << 20);
    return ecam_maps[bus] ? ecam_maps[bus] + ((address & 0xffu) << 12) + offset : NULL;
}
static void ports_select(uint16_t address, unsigned offset)
{
    out32(CONFIG_ADDRESS, 0x80000000u | (uint32_t)address << 8 | (offset & 0xfcu));
}

uint32_t pci_read32(uint16_t address, unsigned offset)
{
    volatile uint8_t *r = ecam_register(address, offset);
    if (r)
        return *(volatile uint32_t *)r;
    ports_select(address, offset);
    return in32(CONFIG_DATA);
}
uint16_t pci_read16(uint16_t address, unsigned offset)
{
    return (uint16_t)(pci_read32(address, offset & ~3u) >> (8 * (offset & 2)));
}
uint8_t pci_read8(uint16_t address, unsigned offset)
{
    return (uint8_t)(pci_read32(address, offset & ~3u) >> (8 * (offset & 3)));
}
void pci_write32(uint16_t address, unsigned offset, uint32_t value)
{
    volatile uint8_t *r = ecam_register(address, offset);
    if (r) {
        *(volatile uint32_t *)r = value;
        return;
    }
    ports_select(address, offset);
    out32(CONFIG_DATA, value);
}
void pci_write16(uint16_t address, unsigned offset, uint16_t value)
{
    volatile uint8_t *r = ecam_register(address, offset);
    if (r) {
        *(volatile uint16_t *)r = value;
        return;
    }
    ports_select(address, offset);
    out16((uint16_t)(CONFIG_DATA + (offset & 2)), value);
}

unsigned pci_capability(uint16_t address, unsigned id, unsigned from)
{
    unsigned at;
    if (from)
        at = pci_read8(address, from + 1);
    else if (pci_read16(address, COMMAND + 2) & STATUS_CAPABILITIES)
        at = pci_read8(address, CAPABILITIES);
    else
        return 0;
    /* The list lies in 192 bytes: more than 48 steps are a circle. */
    for (unsigned steps = 0; (at &= ~3u) >= 0x40 && steps < 48; steps++) {
        uint32_t head = pci_read32(address, at);
        if ((head & 0xff) == id)
            return at;
        at = head >> 8 & 0xff;
    }
    return 0;
}

uint64_t pci_bar(uint16_t address, unsigned bar)
{
    if (bar > 5)
        return 0;
    uint32_t low = pci_read32(address, BAR + 4 * bar);
    if (low & 1)
        return 0;
    uint64_t where = low & ~0xfu;
    if ((low & 6) == 4 && bar < 5)
        where |= (uint64_t)pci_read32(address, BAR + 4 * bar + 4) << 32;
    return where;
}

void pci_enable(uint16_t address)
{
    uint16_t command = pci_read16(address, COMMAND);
    if ((command & (COMMAND_MEMORY | COMMAND_MASTER)) != (COMMAND_MEMORY | COMMAND_MASTER))
        pci_write16(address, COMMAND, command | COMMAND_MEMORY | COMMAND_MASTER);
}

int pci_msix_enable(uint16_t address, struct pci_msix *msix)
{
    unsigned at = pci_capability(address, CAPABILITY_MSIX, 0);
    if (!at)
        return -EOPNOTSUPP;
    uint16_t control = pci_read16(address, at + 2);
    uint32_t table = pci_read32(address, at + 4);
    uint64_t bar = pci_bar(address, table & 7);
    if (!bar)
        return -EOPNOTSUPP;
    msix->entries = (control & 0x7ffu) + 1;
    msix->table = mmio_map(bar + (table & ~7u), 16UL * msix->entries);
    if (!msix->table)
        return -ENOMEM;
    uint16_t command = pci_read16(address, COMMAND);
    pci_write16(address, COMMAND, command | COMMAND_NO_INTX);
    /* Entries are masked after a reset; what a former run has left in them is masked until they are set. */
    pci_write16(address, at + 2, MSIX_ENABLE | MSIX_MASK_ALL);
    for (unsigned i = 0; i < msix->entries; i++)
        if (!(msix->table[4 * i + 3] & 1))
            msix->table[4 * i + 3] = 1;
    pci_write16(address, at + 2, MSIX_ENABLE);
    return (int)msix->entries;
}

void pci_msix_set(const struct pci_msix *msix, unsigned n, unsigned vector)
{
    volatile uint32_t *entry = msix->table + 4UL * n;
    entry[0] = MSI_ADDRESS | cpu_apic_id() << 12;
    entry[1] = 0;
    entry[2] = vector; /* fixed delivery, edge */
    entry[3] = 0;      /* unmasked */
}

static void scan_bus(unsigned bus, uint8_t seen[32], void (*found)(const struct pci_function *));

static void scan_function(uint16_t address, uint32_t id, uint8_t type, uint8_t seen[32],
                          void (*found)(const struct pci_function *))
{
    struct pci_function f = {address, (uint16_t)id, (uint16_t)(id >> 16)};
    if ((type & 0x7f) == HEADER_BRIDGE)
        scan_bus(pci_read8(address, SECONDARY_BUS), seen, found);
    else
        found(&f);
}

/* Bridges in front of a bus have a lower number, and `seen` ends circles: the depth is that of the machine.
 */
static void scan_bus(unsigned bus, uint8_t seen[32], void (*found)(const struct pci_function *))
{
    if (seen[bus / 8] >> (bus % 8) & 1)
        return;
    seen[bus / 8] |= (uint8_t)(1u << (bus % 8));
    for (unsigned device = 0; device < 32; device++) {
        unsigned functions = 1;
        for (unsigned n = 0; n < functions; n++) {
            uint16_t address = (uint16_t)(bus << 8 | device << 3 | n);
            uint32_t id = pci_read32(address, VENDOR);
            if ((id & 0xffff) == 0xffff)
                continue;
            uint8_t type = pci_read8(address, HEADER_TYPE);
            if (n == 0 && type & HEADER_MULTI)
                functions = 8;
            scan_function(address, id, type, seen, found);
        }
    }
}

void pci_scan(void (*found)(const struct pci_function *))
{
    uint8_t seen[32] = {0};
    mechanism_find();
    if (mechanism != NONE)
        scan_bus(0, seen, found);
}
