/* lz4.c - LZ4 blocks (lz4_Block_format.md), by liblz4's own decoder. */
#include "component.h"
#include "unpack.h"
#include <limits.h>
#include <lz4.h>
#define XXH_NAMESPACE LZ4_
#include <xxhash.h>

PROVIDES(decoder);

bool decode(void *to, size_t length, const void *from, size_t size)
{
    if (length > INT_MAX || size > INT_MAX)
        return false;
    return LZ4_decompress_safe(from, to, (int)size, (int)length) == (int)length;
}

uint64_t checksum(const void *bytes, size_t size)
{
    return XXH64(bytes, size, 0);
}
