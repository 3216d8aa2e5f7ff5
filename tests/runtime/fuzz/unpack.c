/* The unpacker of compressed images on any bytes, with both decoders: the first byte says which.
 *
 * The package lies at the end of its own allocation, and so does each range that it is unpacked to, so
 * reading or writing past them is seen. The checksum is made to fit: no mutation would get past it. */
// components: unpack/package
// decoders: zstd lz4
#include <stdlib.h>
#include <string.h>

#include "../../../runtimes/unpack/unpack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* decode() and checksum() of runtimes/unpack/zstd.c and lz4.c, each compiled with names of its own */
bool decode_zstd(void *to, size_t length, const void *from, size_t size);
bool decode_lz4(void *to, size_t length, const void *from, size_t size);
uint64_t checksum_zstd(const void *bytes, size_t size);
uint64_t checksum_lz4(const void *bytes, size_t size);

#define MOST (1 << 20)

static bool use_lz4;
static void *blocks[64];
static unsigned count;

bool decode(void *to, size_t length, const void *from, size_t size)
{
    return use_lz4 ? decode_lz4(to, length, from, size) : decode_zstd(to, length, from, size);
}

uint64_t checksum(const void *bytes, size_t size)
{
    return use_lz4 ? checksum_lz4(bytes, size) : checksum_zstd(bytes, size);
}

void *packed_memory(uint64_t address, uint64_t length)
{
    (void)address;
    if (count == sizeof(blocks) / sizeof(blocks[0]) || length > MOST)
        return NULL;
    return blocks[count++] = malloc(length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 + sizeof(struct packed))
        return 0;
    use_lz4 = data[0] & 1;
    size--;
    struct packed *package = malloc(size);
    memcpy(package, data + 1, size);
    package->magic = PACKED_MAGIC;
    if (package->size >= sizeof(*package) && package->size <= size)
        package->checksum =
            checksum((const char *)package + offsetof(struct packed, entry), package->size - 24);
    if (packed_check(package, size) == NULL)
        packed_unpack(package);
    while (count)
        free(blocks[--count]);
    free(package);
    return 0;
}
