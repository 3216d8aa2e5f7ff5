// components: bus/acpi
/* ACPI tables are laid out in the first bytes of "physical" memory as the input says; nothing beyond its end
 * may be read. Checksums are mended so that the fuzzer gets past them. */
#include <stdlib.h>
#include <string.h>

#include "bus.h"
#include "image.h"

struct boot_information boot_information;
static uint8_t *memory;
static size_t memory_size;

const uint8_t *acpi_view(uint64_t physical, size_t length)
{
    return physical <= memory_size && length <= memory_size - physical ? memory + physical : NULL;
}

static void mend(size_t at, size_t length, size_t sum_at)
{
    uint8_t sum = 0;
    if (at > memory_size || length > memory_size - at || sum_at >= length)
        return;
    memory[at + sum_at] = 0;
    for (size_t i = 0; i < length; i++)
        sum = (uint8_t)(sum + memory[at + i]);
    memory[at + sum_at] = (uint8_t)-sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct acpi_resources r;
    size_t length, cursor = 0;
    uint8_t a, b;
    enum { RSDP = 16, RSDT = 64, FADT = 128, DSDT = 288 };
    if (size < DSDT + 40 || size > 4096)
        return 0;
    memory = malloc(size);
    memory_size = size;
    memcpy(memory, data, size);
    const uint32_t rsdt = RSDT, fadt = FADT, dsdt = DSDT, whole = (uint32_t)(size - DSDT);
    const uint32_t rsdt_length = 44, fadt_length = 148;
    memcpy(memory + RSDP, "RSD PTR ", 8);
    memory[RSDP + 15] = 0;
    memcpy(memory + RSDP + 16, &rsdt, 4);
    memcpy(memory + RSDT + 4, &rsdt_length, 4);
    memcpy(memory + RSDT + 36, &fadt, 4);
    memcpy(memory + FADT, "FACP", 4);
    memcpy(memory + FADT + 4, &fadt_length, 4);
    if (data[0] & 1) {
        memset(memory + FADT + 140, 0, 8);
        memcpy(memory + FADT + 40, &dsdt, 4);
        memcpy(memory + DSDT, "DSDT", 4);
        memcpy(memory + DSDT + 4, &whole, 4);
        mend(DSDT, whole, 9);
    }
    mend(FADT, fadt_length, 9);
    mend(RSDT, rsdt_length, 9);
    mend(RSDP, 20, 8);
    acpi_start(RSDP);
    while (acpi_device("LNRO0005", &cursor, &r))
        ;
    acpi_sleep_types(&a, &b);
    acpi_table("APIC", &length);
    acpi_start(0);
    free(memory);
    return 0;
}
