/* cc.h - compiler and platform for lwIP: the kernel's own types, strings and random numbers. */
#ifndef UNIKIT_LWIP_CC_H
#define UNIKIT_LWIP_CC_H

#include "entropy.h"
#include "kernel.h"
#include "memory.h"

#define LWIP_NO_INTTYPES_H 1
#define LWIP_NO_UNISTD_H   1
#define LWIP_NO_CTYPE_H    1
#define SSIZE_MAX          0x7fffffffffffffffL

#define X8_F  "02x"
#define U16_F "u"
#define S16_F "d"
#define X16_F "x"
#define U32_F "u"
#define S32_F "d"
#define X32_F "x"
#define SZT_F "zu"

#define BYTE_ORDER LITTLE_ENDIAN

/* In line: a call costs more than the swap. */
#define lwip_htons(x) ((u16_t)__builtin_bswap16(x))
#define lwip_htonl(x) ((u32_t)__builtin_bswap32(x))

#define LWIP_RAND()             ((u32_t)random_u64())
#define LWIP_PLATFORM_DIAG(x)   log_line x
#define LWIP_PLATFORM_ASSERT(x) panic("lwip: %s (%s:%d)", x, __FILE__, __LINE__)

/* network/checksum.c */
uint16_t network_checksum(const void *data, int length);
uint16_t network_checksum_copy(void *to, const void *from, uint16_t length);

#endif
