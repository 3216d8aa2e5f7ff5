/* getrandom.c - getrandom(2). The generator is ready before any program runs, so GRND_NONBLOCK and
 * GRND_RANDOM change nothing. */
#include <linux/random.h>
#include "entropy.h"
#include "memory.h"
#include "thread.h"

#define CHUNK 256UL

SYSCALL(getrandom, uint8_t __user *buffer, size_t size, unsigned flags)
{
    if (flags & ~(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE) ||
        (flags & (GRND_RANDOM | GRND_INSECURE)) == (GRND_RANDOM | GRND_INSECURE))
        return -EINVAL;
    size = min(size, (size_t)INT32_MAX & PAGE_MASK);
    size_t done = 0;
    while (done < size) {
        uint8_t chunk[CHUNK];
        size_t part = min(size - done, CHUNK);
        random_bytes(chunk, part);
        if (copy_out(buffer + done, chunk, part))
            return done ? (long)done : -EFAULT;
        done += part;
        if (done % (64 * CHUNK) == 0 && signal_pending())
            break;
    }
    return (long)done;
}
