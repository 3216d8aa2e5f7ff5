/* checksum.c - the internet checksum (RFC 1071), summed 64 bits at a time, alone or while copying.
 *
 * Where the device does not sum, this touches every byte that is sent or received, so it is what most of a
 * big transfer costs. Adding machine words and adding the carry back ("end-around carry") gives the same sum
 * modulo 2^16-1 as 16-bit steps, in either byte order. The words go to two accumulators, one for the sum and
 * one for the carries: two instructions a word, without a chain of carries, which emulators find hard. */
#include "kernel.h"

#include "arch/cc.h"

struct __attribute__((packed, may_alias)) unaligned64 {
    uint64_t v;
};
struct __attribute__((packed, may_alias)) unaligned32 {
    uint32_t v;
};
struct __attribute__((packed, may_alias)) unaligned16 {
    uint16_t v;
};

#define LOAD(type, p)     (((const struct type *)(p))->v)
#define STORE(type, p, x) (((struct type *)(p))->v = (x))

struct sum {
    uint64_t words, carries;
};

static inline void add(struct sum *s, uint64_t word)
{
    __asm__("addq %2, %0\n\tadcq $0, %1" : "+&r"(s->words), "+&r"(s->carries) : "rm"(word) : "cc");
}

static inline uint16_t fold(struct sum s)
{
    uint64_t x = (s.words & 0xffffffff) + (s.words >> 32) + s.carries;
    x = (x & 0xffffffff) + (x >> 32);
    x = (x & 0xffff) + (x >> 16);
    x = (x & 0xffff) + (x >> 16);
    x = (x & 0xffff) + (x >> 16);
    return (uint16_t)x;
}

/* The sum of the bytes in memory order, not inverted, as lwIP's LWIP_CHKSUM wants it. */
uint16_t network_checksum(const void *data, int length)
{
    const uint8_t *p = data;
    struct sum s = {0, 0};
    for (; length >= 64; length -= 64, p += 64)
#pragma GCC unroll 8
        for (unsigned i = 0; i < 64; i += 8)
            add(&s, LOAD(unaligned64, p + i));
    for (; length >= 8; length -= 8, p += 8)
        add(&s, LOAD(unaligned64, p));
    if (length & 4)
        add(&s, LOAD(unaligned32, p)), p += 4;
    if (length & 2)
        add(&s, LOAD(unaligned16, p)), p += 2;
    if (length & 1)
        add(&s, *p);
    return fold(s);
}

/* The same of `from`, which is copied on the way. */
uint16_t network_checksum_copy(void *to, const void *from, uint16_t length)
{
    const uint8_t *p = from;
    uint8_t *q = to;
    unsigned n = length;
    struct sum s = {0, 0};
    for (; n >= 64; n -= 64, p += 64, q += 64) {
#pragma GCC unroll 8
        for (unsigned i = 0; i < 64; i += 8) {
            uint64_t a = LOAD(unaligned64, p + i);
            STORE(unaligned64, q + i, a);
            add(&s, a);
        }
    }
    for (; n >= 8; n -= 8, p += 8, q += 8) {
        uint64_t a = LOAD(unaligned64, p);
        STORE(unaligned64, q, a);
        add(&s, a);
    }
    if (n & 4) {
        uint32_t a = LOAD(unaligned32, p);
        STORE(unaligned32, q, a);
        add(&s, a);
        p += 4, q += 4;
    }
    if (n & 2) {
        uint16_t a = LOAD(unaligned16, p);
        STORE(unaligned16, q, a);
        add(&s, a);
        p += 2, q += 2;
    }
    if (n & 1)
        add(&s, *q = *p);
    return fold(s);
}
