/* string.c - the byte and string functions that the compiler and the kernel expect (C17 7.24).
 *
 * Copies move eight bytes at a time by `rep movsq` and end with one overlapping move: emulators run `rep
 * movsb` a byte a step, and real CPUs start up both equally fast. Under test the host's own functions are
 * used.
 */
#include "kernel.h"

#ifndef UNIKIT_HOST

typedef uint64_t __attribute__((may_alias, aligned(1))) word;
typedef uint32_t __attribute__((may_alias, aligned(1))) half;
typedef uint16_t __attribute__((may_alias, aligned(1))) quarter;

/* n < 16: both ends at once, overlapping in the middle, so that it is right for memmove as well. */
static inline void move_small(uint8_t *to, const uint8_t *from, size_t n)
{
    if (n >= 8) {
        uint64_t first = *(const word *)from, last = *(const word *)(from + n - 8);
        *(word *)to = first, *(word *)(to + n - 8) = last;
    } else if (n >= 4) {
        uint32_t first = *(const half *)from, last = *(const half *)(from + n - 4);
        *(half *)to = first, *(half *)(to + n - 4) = last;
    } else if (n >= 2) {
        uint16_t first = *(const quarter *)from, last = *(const quarter *)(from + n - 2);
        *(quarter *)to = first, *(quarter *)(to + n - 2) = last;
    } else if (n) {
        *to = *from;
    }
}

void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
    uint8_t *t = to;
    const uint8_t *f = from;
    if (n < 16) {
        move_small(t, f, n);
        return to;
    }
    uint64_t last = *(const word *)(f + n - 8);
    uint8_t *end = t + n - 8;
    size_t words = n / 8;
    __asm__ volatile("rep movsq" : "+D"(t), "+S"(f), "+c"(words) : : "memory");
    *(word *)end = last;
    return to;
}

void *memmove(void *to, const void *from, size_t n)
{
    uint8_t *t = to;
    const uint8_t *f = from;
    if (n < 16) {
        move_small(t, f, n);
    } else if (t - f >= (ptrdiff_t)n || t <= f) {
        /* Forward. The last word is read before it can be overwritten. */
        uint64_t last = *(const word *)(f + n - 8);
        uint8_t *end = t + n - 8;
        size_t words = n / 8;
        __asm__ volatile("rep movsq" : "+D"(t), "+S"(f), "+c"(words) : : "memory");
        *(word *)end = last;
    } else {
        uint64_t first = *(const word *)f;
        while (n >= 8) {
            n -= 8;
            *(word *)(t + n) = *(const word *)(f + n);
        }
        *(word *)to = first;
    }
    return to;
}

void *memset(void *to, int byte, size_t n)
{
    uint64_t pattern = (uint8_t)byte * 0x0101010101010101UL;
    uint8_t *t = to;
    if (n >= 8) {
        *(word *)(t + n - 8) = pattern;
        size_t words = n / 8;
        __asm__ volatile("rep stosq" : "+D"(t), "+c"(words) : "a"(pattern) : "memory");
    } else if (n >= 4) {
        *(half *)t = (uint32_t)pattern, *(half *)(t + n - 4) = (uint32_t)pattern;
    } else if (n) {
        t[0] = t[n - 1] = t[n / 2] = (uint8_t)byte;
    }
    return to;
}

int memcmp(const void *a, const void *b, size_t n)
{
    const uint8_t *p = a, *q = b;
    for (; n >= 8 && *(const word *)p == *(const word *)q; n -= 8)
        p += 8, q += 8;
    for (; n; n--, p++, q++)
        if (*p != *q)
            return *p - *q;
    return 0;
}

void *memchr(const void *s, int c, size_t n)
{
    for (const uint8_t *p = s; n; n--, p++)
        if (*p == (uint8_t)c)
            return (void *)p;
    return NULL;
}

size_t strlen(const char *s)
{
    const char *p = s;
    while (*p)
        p++;
    return (size_t)(p - s);
}

size_t strnlen(const char *s, size_t n)
{
    size_t i = 0;
    while (i < n && s[i])
        i++;
    return i;
}

int strcmp(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return (uint8_t)*a - (uint8_t)*b;
}

int strncmp(const char *a, const char *b, size_t n)
{
    for (; n && *a && *a == *b; n--)
        a++, b++;
    return n ? (uint8_t)*a - (uint8_t)*b : 0;
}

char *strchr(const char *s, int c)
{
    for (;; s++) {
        if (*s == (char)c)
            return (char *)s;
        if (!*s)
            return NULL;
    }
}

char *strrchr(const char *s, int c)
{
    const char *found = NULL;
    do {
        if (*s == (char)c)
            found = s;
    } while (*s++);
    return (char *)found;
}

#endif
