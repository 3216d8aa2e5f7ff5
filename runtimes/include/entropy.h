/* entropy.h - random bytes (entropy/). */
#ifndef UNIKIT_ENTROPY_H
#define UNIKIT_ENTROPY_H

#include "kernel.h"

/* Cryptographic random bytes; never fails after INIT(time) (no source at all stops the boot). */
void random_bytes(void *to, size_t n);
uint64_t random_u64(void);
/* Did the sources give 256 bits? (entropy/check.c asks when all devices are up) */
bool entropy_enough(void);
/* The CPU's own numbers, at every start, resumed ones too (entropy/cpu.c) */
void entropy_from_cpu(void);
/* Nothing of what was gathered stays: the memory is written out, and each boot from it begins anew. */
void entropy_forget(void);
/* A source (virtio-rng, RDSEED) adds to the pool; bits: a lower bound of what it is worth. */
void entropy_add(const void *data, size_t n, unsigned bits);

#endif
