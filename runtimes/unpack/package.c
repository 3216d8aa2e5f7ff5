/* package.c - checks and unpacks a package of compressed segments. Every number is checked before it is used.
 */
#include "kernel.h"
#include "unpack.h"

const char *packed_check(const struct packed *p, size_t room)
{
    const size_t first = offsetof(struct packed, entry);

    if (room < sizeof(*p) || p->magic != PACKED_MAGIC || p->size < sizeof(*p) || p->size > room)
        return "it has no header";
    if (checksum((const char *)p + first, p->size - first) != p->checksum)
        return "its checksum is wrong";
    if (p->count > (p->size - sizeof(*p)) / sizeof(p->segments[0]))
        return "its table is cut off";
    for (uint32_t i = 0; i < p->count; i++) {
        const struct packed_segment *s = &p->segments[i];
        if (s->offset > p->size || s->size > p->size - s->offset || s->length > UINT64_MAX - s->address)
            return "its table is wrong";
    }
    return NULL;
}

WEAK void *packed_memory(uint64_t address, uint64_t length)
{
    (void)length;
    return (void *)address;
}

bool packed_unpack(const struct packed *p)
{
    for (uint32_t i = 0; i < p->count; i++) {
        const struct packed_segment *s = &p->segments[i];
        void *to = packed_memory(s->address, s->length);
        if (!to || !decode(to, s->length, (const char *)p + s->offset, s->size))
            return false;
    }
    return true;
}
