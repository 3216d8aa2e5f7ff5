/* memory/advise.c - madvise(2), msync(2), mincore(2), and the calls that lock or bind memory.
 *
 * All memory of a guest stays in memory and is on one node: locking and binding succeed and change nothing.
 *
 * What a fork's child is not to inherit matters for the one fork that there is, the freeze: libraries keep
 * the state of their random numbers in memory that is wiped then (BoringSSL, AWS-LC).
 */
#include "file.h"
#include "space.h"

typedef int (*range_function)(uintptr_t start, uintptr_t end, const struct mapping *);

/* What is touched again is zero, or the file's; shared memory keeps its content. */
static int dont_need(uintptr_t start, uintptr_t end, const struct mapping *m)
{
    if (m->file || (m->flags & MAP_PRIVATE))
        space_zap(start, end, true);
    return 0;
}

static int read_in(uintptr_t start, uintptr_t end, const struct mapping *m)
{
    return m->prot ? space_populate(start, end, 0) : 0;
}

static int write_in(uintptr_t start, uintptr_t end, const struct mapping *m)
{
    return m->prot & PROT_WRITE ? space_populate(start, end, FAULT_WRITE) : -EINVAL;
}

/* Linux wipes private anonymous memory alone. */
static int wipe_on_fork(uintptr_t start, uintptr_t end, const struct mapping *m)
{
    return m->file || m->flags & MAP_SHARED ? -EINVAL
                                            : space_inherit(start, end, MAPPING_WIPED, MAPPING_WIPED);
}

static int keep_on_fork(uintptr_t start, uintptr_t end, const struct mapping *m)
{
    (void)m;
    return space_inherit(start, end, MAPPING_WIPED, 0);
}

static int dont_fork(uintptr_t start, uintptr_t end, const struct mapping *m)
{
    (void)m;
    return space_inherit(start, end, MAPPING_NOT_FORKED, MAPPING_NOT_FORKED);
}

static int do_fork(uintptr_t start, uintptr_t end, const struct mapping *m)
{
    (void)m;
    return space_inherit(start, end, MAPPING_NOT_FORKED, 0);
}

/* Calls f (if not NULL) for every mapped part of the range; -ENOMEM if there are holes. */
static int for_range(uintptr_t start, size_t length, range_function f)
{
    uintptr_t at = start, end;
    const struct mapping *m;
    bool holes = false;
    int error = 0;

    if (start % PAGE_SIZE || length > USER_END)
        return -EINVAL;
    if (start > USER_END - length)
        return -ENOMEM;
    end = start + align_up(length, PAGE_SIZE);
    while (at < end && !error && (m = space_next(at)) && m->start < end) {
        uintptr_t to = min(m->end, end);
        holes |= m->start > at;
        if (f)
            error = f(max(at, m->start), to, m);
        at = to;
    }
    if (error)
        return error;
    return holes || at < end ? -ENOMEM : 0;
}

SYSCALL(madvise, uintptr_t start, size_t length, int advice)
{
    switch (advice) {
    case MADV_DONTNEED:
    case MADV_FREE:
        return for_range(start, length, dont_need);
    case MADV_POPULATE_READ:
        return for_range(start, length, read_in);
    case MADV_POPULATE_WRITE:
        return for_range(start, length, write_in);
    case MADV_WIPEONFORK:
        return for_range(start, length, wipe_on_fork);
    case MADV_KEEPONFORK:
        return for_range(start, length, keep_on_fork);
    case MADV_DONTFORK:
        return for_range(start, length, dont_fork);
    case MADV_DOFORK:
        return for_range(start, length, do_fork);
    case MADV_NORMAL:
    case MADV_RANDOM:
    case MADV_SEQUENTIAL:
    case MADV_WILLNEED:
    case MADV_MERGEABLE:
    case MADV_UNMERGEABLE:
    case MADV_HUGEPAGE:
    case MADV_NOHUGEPAGE:
    case MADV_DONTDUMP:
    case MADV_DODUMP:
    case MADV_COLD:
    case MADV_PAGEOUT:
        return for_range(start, length, NULL);
    default:
        return -EINVAL;
    }
}

/* Mappings and files share their pages; what files have behind them is the files' business. */
static int write_out(uintptr_t start, uintptr_t end, const struct mapping *m)
{
    (void)start, (void)end;
    if (!m->file || !(m->flags & MAP_SHARED) || !m->file->ops->sync)
        return 0;
    struct file *file = file_get(m->file);
    int error = file->ops->sync(file);
    file_put(file);
    return error;
}

SYSCALL(msync, uintptr_t start, size_t length, int flags)
{
    if (flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC) || ((flags & MS_ASYNC) && (flags & MS_SYNC)))
        return -EINVAL;
    return for_range(start, length, write_out);
}

SYSCALL(mincore, uintptr_t start, size_t length, unsigned char __user *vector)
{
    int error = for_range(start, length, NULL);

    for (size_t i = 0; !error && i < align_up(length, PAGE_SIZE) >> PAGE_SHIFT; i++) {
        const uint64_t *entry = pte_find(start + (i << PAGE_SHIFT), NULL);
        error = put_user(&vector[i], (unsigned char)(entry && (*entry & PTE_USED)));
    }
    return error;
}

SYSCALL(mlock, uintptr_t start, size_t length)
{
    return for_range(align_down(start, PAGE_SIZE), length + start % PAGE_SIZE, read_in);
}

SYSCALL(mlock2, uintptr_t start, size_t length, int flags)
{
    if (flags & ~MLOCK_ONFAULT)
        return -EINVAL;
    return for_range(align_down(start, PAGE_SIZE), length + start % PAGE_SIZE, flags ? NULL : read_in);
}

SYSCALL(munlock, uintptr_t start, size_t length)
{
    return for_range(align_down(start, PAGE_SIZE), length + start % PAGE_SIZE, NULL);
}

SYSCALL(mlockall, int flags)
{
    return !flags || flags & ~(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) ? -EINVAL : 0;
}

SYSCALL(munlockall, void)
{
    return 0;
}
