/* unpack.h - a compressed image's parts. unikit/image/pack.py writes what is described here.
 *
 * The unpacker is a program of its own, linked for the place in memory where the image stage wants it: in a
 * gap of what it unpacks, or behind it. It knows nothing of kernels: it fills ranges of physical memory and
 * jumps to a PVH entry with the loader's start info, as if the loader had put the content there. What it
 * occupied itself is free memory from then on.
 */
#ifndef UNIKIT_UNPACK_H
#define UNIKIT_UNPACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PACKED_MAGIC 0x7a74696b696e75UL /* "unikitz" */

/* A range of physical memory, and where its compressed bytes are (from the start of the package). */
struct packed_segment {
    uint64_t address, length, offset, size;
};

/* The package: this, the segments, their compressed bytes. Little endian. */
struct packed {
    uint64_t magic;
    uint64_t size;     /* of the whole package */
    uint64_t checksum; /* XXH64, seed 0, of all that follows this member */
    uint32_t entry;    /* physical address, 32-bit protected mode */
    uint32_t count;
    struct packed_segment segments[];
};

/* The package is whole: NULL; else what is wrong with it. `room`: bytes that there are. */
const char *packed_check(const struct packed *p, size_t room);

/* Unpacks a checked package; false: a stream in it is not what it should be. */
bool packed_unpack(const struct packed *p);

/* Where physical memory is: the host's tests have their own. */
void *packed_memory(uint64_t address, uint64_t length);

/* ---- unpack/zstd.c or unpack/lz4.c: one of them is in an image */

/* One stream: exactly `length` bytes to `to`, false if that is not what it holds. */
bool decode(void *to, size_t length, const void *from, size_t size);
uint64_t checksum(const void *bytes, size_t size);

#endif
