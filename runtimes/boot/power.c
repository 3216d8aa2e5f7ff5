/* power.c - the end: the machine goes off with a status.
 *
 * In this order: QEMU's isa-debug-exit device, which ends QEMU with 2v+1 (v: the status' low seven bits); the
 * machine's own way (ACPI); a triple fault, which ends a virtual machine that may not reboot.
 */
#include "bus.h"
#include "port.h"
#include "report.h"

enum { DEBUG_EXIT = 0xf4, DELAY = 0x80 };

void power_off(int status)
{
    static bool again;
    if (!again) { /* a fault in report_flush() ends here as well */
        again = true;
        report_flush();
    }
    machine_off(status);
}

void machine_off(int status)
{
    out8(DEBUG_EXIT, (uint8_t)(status & 0x7f));
    acpi_power_off();
    /* The request is carried out by another thread of the hypervisor: some 100 ms for it. */
    for (unsigned i = 0; i < 100000; i++)
        in8(DELAY);
    static const struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) none = {0, 0};
    for (;;)
        __asm__ volatile("lidt %0; int3; hlt" : : "m"(none));
}
