/* check.c - no boot without randomness: after the devices' level either the CPU or virtio-rng gave enough, or
 * the boot ends with an error that says how to get some. Weak randomness would be worse than none: nobody
 * would notice. */
#include "entropy.h"

START(network)
{
    if (!entropy_enough())
        boot_error(
            "no-entropy",
            "This machine gives no random numbers. Add a random device (QEMU: -device virtio-rng-device or "
            "virtio-rng-pci) or a CPU with RDRAND (-cpu max).");
}
