/* acpi.c - reads ACPI tables (ACPI 6.4, chapters 5, 6 and 19): found, bounds-checked and checksummed; never
 * run.
 *
 * There is no AML interpreter here. Two things of the DSDT are needed and both are plain data in practice:
 * the resources of devices that firmware for virtual machines describes with constants, and the package _S5.
 * They are looked for as byte patterns, each length checked against what is there.
 */
#include "bus.h"
#include "image.h"
#include "memory.h"

enum { HEADER = 36, TABLE_MAX = 1 << 20 };

static uint64_t root;     /* physical address of the XSDT or RSDT, 0: none */
static unsigned pointers; /* bytes of its entries: 8 or 4 */
static const uint8_t *dsdt;
static size_t dsdt_length;

WEAK const uint8_t *acpi_view(uint64_t physical, size_t length)
{
    return (const uint8_t *)(uintptr_t)mmio_map(physical, length);
}

static uint32_t get32(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof(v));
    return v;
}
static uint64_t get64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof(v));
    return v;
}
static bool sums_to_zero(const uint8_t *p, size_t n)
{
    uint8_t sum = 0;
    while (n--)
        sum = (uint8_t)(sum + *p++);
    return sum == 0;
}

/* The table at `where`, if it is whole. */
static const uint8_t *table_at(uint64_t where, size_t *length)
{
    const uint8_t *p = where ? acpi_view(where, HEADER) : NULL;
    if (!p)
        return NULL;
    *length = get32(p + 4);
    if (*length < HEADER || *length > TABLE_MAX)
        return NULL;
    p = acpi_view(where, *length);
    return p && sums_to_zero(p, *length) ? p : NULL;
}

void acpi_start(uint64_t rsdp)
{
    const uint8_t *p = rsdp ? acpi_view(rsdp, 36) : NULL;
    root = 0, dsdt = NULL, dsdt_length = 0;
    if (!p || memcmp(p, "RSD PTR ", 8) != 0 || !sums_to_zero(p, 20))
        return;
    if (p[15] >= 2 && get64(p + 24) && sums_to_zero(p, 36))
        root = get64(p + 24), pointers = 8;
    else
        root = get32(p + 16), pointers = 4;
}

const uint8_t *acpi_table(const char signature[4], size_t *length)
{
    size_t size;
    const uint8_t *list = table_at(root, &size);
    if (!list)
        return NULL;
    for (size_t at = HEADER; at + pointers <= size; at += pointers) {
        uint64_t where = pointers == 8 ? get64(list + at) : get32(list + at);
        const uint8_t *head = where ? acpi_view(where, HEADER) : NULL;
        if (head && !memcmp(head, signature, 4)) {
            const uint8_t *table = table_at(where, length);
            if (table)
                return table;
        }
    }
    return NULL;
}

const uint8_t *acpi_dsdt(size_t *length)
{
    if (!dsdt) {
        size_t size;
        const uint8_t *fadt = acpi_table("FACP", &size);
        if (fadt && size >= 148 && get64(fadt + 140))
            dsdt = table_at(get64(fadt + 140), &dsdt_length);
        if (fadt && !dsdt && size >= 44)
            dsdt = table_at(get32(fadt + 40), &dsdt_length);
        if (dsdt && memcmp(dsdt, "DSDT", 4) != 0)
            dsdt = NULL;
    }
    *length = dsdt ? dsdt_length : 0;
    return dsdt;
}

/* Where `what` (n bytes) starts in p[from, end); end: nowhere. */
static size_t find(const uint8_t *p, size_t from, size_t end, const char *what, size_t n)
{
    while (from + n <= end) {
        const uint8_t *hit = memchr(p + from, what[0], end - from - n + 1);
        if (!hit)
            break;
        if (!memcmp(hit, what, n))
            return (size_t)(hit - p);
        from = (size_t)(hit - p) + 1;
    }
    return end;
}

/* AML PkgLength (ACPI 6.4, 20.2.4): the end of the package that starts at *at, which moves behind the length;
 * 0: it does not fit. */
static size_t package_end(const uint8_t *p, size_t *at, size_t end)
{
    size_t start = *at;
    if (start >= end)
        return 0;
    unsigned more = p[start] >> 6;
    size_t length = more ? p[start] & 15u : p[start] & 63u;
    if (start + more >= end)
        return 0;
    for (unsigned i = 0; i < more; i++)
        length |= (size_t)p[start + 1 + i] << (4 + 8 * i);
    *at = start + 1 + more;
    return length > more && length <= end - start ? start + length : 0;
}

/* A constant (20.2.3) at *at; false: it is something else. */
static bool constant(const uint8_t *p, size_t *at, size_t end, uint32_t *value)
{
    if (*at >= end)
        return false;
    uint8_t kind = p[(*at)++];
    unsigned bytes = kind == 0x0a ? 1 : kind == 0x0b ? 2 : kind == 0x0c ? 4 : 0;
    *value = kind;
    if (kind <= 1)
        return true; /* ZeroOp, OneOp */
    if (!bytes || end - *at < bytes)
        return false;
    *value = 0;
    for (unsigned i = 0; i < bytes; i++)
        *value |= (uint32_t)p[(*at)++] << (8 * i);
    return true;
}

/* Resource descriptors (6.4) in p[at, end). */
static bool resources(const uint8_t *p, size_t at, size_t end, struct acpi_resources *r)
{
    bool memory = false, interrupt = false;
    while (at < end) {
        size_t length = p[at] & 7u, head = 1;
        if (p[at] & 0x80) {
            if (end - at < 3)
                break;
            length = p[at + 1] | (size_t)p[at + 2] << 8, head = 3;
        }
        const uint8_t *d = p + at + head;
        if (length > end - at - head)
            break;
        if (p[at] == 0x86 && length >= 9 && !memory) { /* Memory32Fixed: flags, base, length */
            r->base = get32(d + 1), r->size = get32(d + 5);
            memory = true;
        } else if (p[at] == 0x89 && length >= 6 && d[1] && !interrupt) { /* Interrupt: flags, count, lines */
            r->level = !(d[0] & 2), r->low = d[0] & 4;
            r->line = get32(d + 2);
            interrupt = true;
        } else if ((p[at] & 0xf8) == 0x78) { /* end tag */
            break;
        }
        at += head + length;
    }
    return memory && interrupt;
}

bool acpi_device(const char *hid, size_t *cursor, struct acpi_resources *r)
{
    size_t length;
    const uint8_t *p = acpi_dsdt(&length);
    if (!p)
        return false;
    for (size_t at = max(*cursor, (size_t)HEADER); (at = find(p, at, length, hid, 9)) < length;) {
        *cursor = at += 9;
        size_t next = find(p, at, length, hid, 9);
        size_t crs = find(p, at, next, "_CRS", 4) + 4;
        size_t end = 0;
        uint32_t size;
        if (crs < next && p[crs++] == 0x11) /* BufferOp */
            end = package_end(p, &crs, next);
        if (end && constant(p, &crs, end, &size) && resources(p, crs, end, r))
            return true;
    }
    return false;
}

bool acpi_sleep_types(uint8_t *a, uint8_t *b)
{
    size_t length;
    const uint8_t *p = acpi_dsdt(&length);
    if (!p)
        return false;
    for (size_t at = HEADER; (at = find(p, at, length, "_S5_", 4)) < length;) {
        at += 4;
        size_t in = at + 1;
        if (at >= length || p[at] != 0x12) /* PackageOp */
            continue;
        size_t end = package_end(p, &in, length);
        uint32_t first, second;
        if (!end || in >= end)
            continue;
        uint8_t count = p[in++];
        if (!count || !constant(p, &in, end, &first))
            continue;
        if (count < 2 || !constant(p, &in, end, &second))
            second = first;
        *a = first & 7, *b = second & 7;
        return true;
    }
    return false;
}

START(bus)
{
    acpi_start(boot_information.rsdp);
}
