/* zstd.c - Zstandard (RFC 8878), by libzstd's own decoder. A frame is decoded in one go straight to its
 * place, so its window may be as large as its content; the state is here, and nothing is allocated. */
#include "component.h"
#include "unpack.h"
#define ZSTD_STATIC_LINKING_ONLY
#include <zstd.h>
#include <common/xxhash.h>

PROVIDES(decoder);

static uint64_t state[32768]; /* ZSTD_estimateDCtxSize() is some 160 KiB */

bool decode(void *to, size_t length, const void *from, size_t size)
{
    ZSTD_DCtx *context = ZSTD_initStaticDCtx(state, sizeof(state));
    return context && ZSTD_decompressDCtx(context, to, length, from, size) == length;
}

uint64_t checksum(const void *bytes, size_t size)
{
    return XXH64(bytes, size, 0);
}
