/* cpu.c - the CPU's own random numbers: RDSEED, else RDRAND (Intel's guide to its random number generator,
 * revision 2.1).
 *
 * Trust, but look: CPUs are known that answered with the same number for ever after sleep, so eight numbers
 * must differ before any counts. RDRAND's output may come from one seed for long, so each of its numbers
 * counts half.
 */
#include "clock.h"
#include "entropy.h"

#define NUMBERS 16
#define TRIES   10

static bool rdseed(uint64_t *value)
{
    bool good;
    __asm__ volatile("rdseed %0; setc %1" : "=r"(*value), "=qm"(good)::"cc");
    return good;
}

static bool rdrand(uint64_t *value)
{
    bool good;
    __asm__ volatile("rdrand %0; setc %1" : "=r"(*value), "=qm"(good)::"cc");
    return good;
}

static void take(bool (*number)(uint64_t *), unsigned worth)
{
    uint64_t values[NUMBERS];
    for (int i = 0; i < NUMBERS; i++) {
        int tries = 0;
        while (!number(&values[i]))
            if (++tries == TRIES * 10)
                return;
        for (int j = 0; j < i; j++)
            if (values[j] == values[i])
                return;
    }
    entropy_add(values, sizeof(values), NUMBERS * worth);
}

/* Cold and resumed boots alike. */
void entropy_from_cpu(void)
{
    if (cpu.rdseed)
        take(rdseed, 64);
    if (cpu.rdrand)
        take(rdrand, 32);
}

START(time)
{
    entropy_from_cpu();
}
