/* memory/remap.c - mremap(2): a mapping grows, shrinks or moves; its pages move by their page-table entries.
 */
#include "space.h"

static bool is_free(uintptr_t start, uintptr_t end)
{
    const struct mapping *m = space_next(start);
    return end <= USER_END && end >= start && (!m || m->start >= end);
}

/* A second mapping of the same shared pages: what an old size of 0 asks for. */
static long duplicate(const struct mapping *m, uintptr_t old, size_t size, int flags, uintptr_t target)
{
    int fixed = flags & MREMAP_FIXED ? MAP_FIXED : 0;

    if (!(m->flags & MAP_SHARED) || !m->file || !(flags & MREMAP_MAYMOVE))
        return -EINVAL;
    return space_map(target, size, m->prot, MAP_SHARED | fixed, m->file, m->offset + (old - m->start));
}

static long move(uintptr_t old, size_t old_size, size_t size, uintptr_t to, bool keep)
{
    int error = space_split(old);

    if (!error)
        error = space_split(old + old_size);
    if (!error)
        error = space_move(old, old_size, to, size, keep);
    return error ? error : (long)to;
}

static long move_to(uintptr_t old, size_t old_size, size_t size, uintptr_t target, bool keep)
{
    int error;

    if (target % PAGE_SIZE || target < MAP_LOWEST || target > USER_END - size)
        return -EINVAL;
    if (target < old + old_size && old < target + size)
        return -EINVAL;
    error = space_unmap(target, size);
    if (!error && size < old_size)
        error = space_unmap(old + size, old_size - size);
    return error ? error : move(old, min(old_size, size), size, target, keep);
}

SYSCALL(mremap, uintptr_t old, size_t old_size, size_t size, int flags, uintptr_t target)
{
    bool keep = flags & MREMAP_DONTUNMAP;
    const struct mapping *m;

    if (flags & ~(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP) || old % PAGE_SIZE || !size ||
        size > USER_END)
        return -EINVAL;
    if ((flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) && !(flags & MREMAP_MAYMOVE))
        return -EINVAL;
    old_size = align_up(old_size, PAGE_SIZE), size = align_up(size, PAGE_SIZE);
    if (keep && old_size != size)
        return -EINVAL;
    m = space_next(old);
    if (!m || m->start > old)
        return -EFAULT;
    if (!old_size)
        return duplicate(m, old, size, flags, target);
    if (old_size > m->end - old)
        return -EFAULT;
    if (flags & MREMAP_FIXED)
        return move_to(old, old_size, size, target, keep);
    if (!keep) {
        int error = size < old_size ? space_unmap(old + size, old_size - size) : 0;
        if (error || size <= old_size)
            return error ? error : (long)old;
        if (m->end == old + old_size && is_free(m->end, old + size) &&
            space_extend(m->end, size - old_size) == 0)
            return (long)old;
    }
    if (!(flags & MREMAP_MAYMOVE))
        return -ENOMEM;
    target = space_gap(size, 0);
    return target ? move(old, old_size, size, target, keep) : -ENOMEM;
}
