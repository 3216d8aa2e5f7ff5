/* memory/space.c - the user address space: which ranges are mapped, how, and from what.
 *
 * Mappings are kept in an array sorted by address: lookup by bisection, no balancing; an insertion moves
 * pointers, which stays cheap for the thousands of mappings that a program makes. Pages come on demand
 * (memory/fault.c).
 *
 * Writable private memory is promised when it is mapped, not when it is touched: a program that asks for more
 * than is free gets ENOMEM, which Python turns into MemoryError. What was promised before and is not used yet
 * counts as used, but only up to a part of all memory: every program has a few such pages and comes to use
 * them, while numeric libraries map work areas of tens of megabytes that stay empty (OpenBLAS asks again for
 * ever where it gets none). Stacks and MAP_NORESERVE are not promised, as they are mapped much larger than
 * used. Source: mmap(2), mprotect(2); Documentation/mm/overcommit-accounting of Linux, mode 0, which is less
 * strict.
 */
#include "config.h"
#include "entropy.h"
#include "file.h"
#include "report.h"
#include "space.h"
#include "thread.h"

#define MAP_LIMIT   65530                        /* vm.max_map_count */
#define STACK_ROOM  ((16UL << 30) + (1UL << 30)) /* exec puts the first stack into the top of the space */
#define TABLES_FROM (2UL << 20)                  /* unmapping so much looks for page tables to free */
#define TOP_RANDOM  0xfffffffUL                  /* pages: 1 TiB of places */
#define ABSURD      16UL   /* times all of memory: who asks for that is not helped by more */
#define KEEP_PAGES  1024UL /* at most so many are kept from promises, for the kernel */
#define UNUSED_PART 16UL   /* of all memory: so much of what is promised and unused counts as used */
#define REFUSALS    64U    /* after so many the host is told: the program may do nothing but ask */

size_t space_resident, space_own;

static struct mapping **mappings;
static size_t count, room, recent;
static size_t mapped, committed; /* pages */
static uintptr_t usual_top;
static size_t refused; /* times that memory both writable and executable was asked for */
static uintptr_t refused_ip;
static size_t most_short; /* pages: by how much a promise was too large, at worst */
static unsigned refusals; /* promises that more memory would have kept */

size_t space_index(uintptr_t address)
{
    size_t low = 0, high = count;

    if (recent < count && mappings[recent]->start <= address && address < mappings[recent]->end)
        return recent;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (mappings[middle]->end > address)
            high = middle;
        else
            low = middle + 1;
    }
    recent = low;
    return low;
}

struct mapping *space_at(size_t index)
{
    return index < count ? mappings[index] : NULL;
}

const struct mapping *space_find(uintptr_t address)
{
    struct mapping *m = space_at(space_index(address));
    return m && m->start <= address ? m : NULL;
}

const struct mapping *space_next(uintptr_t address)
{
    return space_at(space_index(address));
}

bool space_covered(uintptr_t start, uintptr_t end)
{
    for (size_t i = space_index(start); start < end; i++) {
        const struct mapping *m = space_at(i);
        if (!m || m->start > start)
            return false;
        start = m->end;
    }
    return true;
}

static size_t pages_of(const struct mapping *m)
{
    return (m->end - m->start) >> PAGE_SHIFT;
}

size_t space_lacking(void)
{
    return most_short;
}

bool space_commit(long pages)
{
    if (pages > 0) {
        struct page_totals totals = pages_totals();
        size_t keep = min(totals.total / 64, KEEP_PAGES);
        /* Own pages are promises already kept: they are no longer free. */
        size_t unused = committed - min(committed, space_own);
        size_t wanted = (size_t)pages + keep + min(unused, totals.total / UNUSED_PART);
        if (wanted > totals.free) {
            if ((size_t)pages < totals.total * ABSURD) {
                most_short = max(most_short, wanted - totals.free);
                if (++refusals == REFUSALS)
                    space_tell_shortage();
            }
            return false;
        }
    }
    committed += (size_t)pages;
    return true;
}

static int insert(size_t index, struct mapping *m)
{
    if (count == room) {
        size_t more = room ? room * 2 : 128;
        struct mapping **larger = krealloc(mappings, more * sizeof(*mappings));
        if (!larger)
            return -ENOMEM;
        mappings = larger;
        room = more;
    }
    memmove(&mappings[index + 1], &mappings[index], (count - index) * sizeof(*mappings));
    mappings[index] = m;
    count++;
    return 0;
}

/* Takes a mapping out of the array and forgets it; its pages are gone already. */
static void drop(size_t index)
{
    struct mapping *m = mappings[index];

    mapped -= pages_of(m);
    if (is_accounted_mapping(m))
        space_commit(-(long)pages_of(m));
    if (m->file)
        file_put(m->file);
    count--;
    memmove(&mappings[index], &mappings[index + 1], (count - index) * sizeof(*mappings));
    kfree(m);
}

int space_split(uintptr_t at)
{
    size_t i = space_index(at);
    struct mapping *m = space_at(i), *upper;
    int error;

    if (!m || m->start >= at)
        return 0;
    if (count >= MAP_LIMIT)
        return -ENOMEM;
    upper = kmalloc(sizeof(*upper));
    if (!upper)
        return -ENOMEM;
    *upper = *m;
    upper->start = at;
    upper->offset += at - m->start;
    error = insert(i + 1, upper);
    if (error) {
        kfree(upper);
        return error;
    }
    if (m->file)
        file_get(m->file);
    m->end = at;
    return 0;
}

static bool joins(const struct mapping *a, const struct mapping *b)
{
    return a->end == b->start && a->prot == b->prot && a->flags == b->flags && a->file == b->file &&
           (!a->file || a->offset + (a->end - a->start) == b->offset);
}

void space_merge(uintptr_t start, uintptr_t end)
{
    size_t i = space_index(start);

    if (i > 0)
        i--;
    while (i + 1 < count && mappings[i]->start <= end) {
        struct mapping *a = mappings[i], *b = mappings[i + 1];
        if (!joins(a, b)) {
            i++;
            continue;
        }
        a->end = b->end;
        if (b->file)
            file_put(b->file);
        kfree(b);
        count--;
        memmove(&mappings[i + 1], &mappings[i + 2], (count - i - 1) * sizeof(*mappings));
    }
}

void space_zap(uintptr_t start, uintptr_t end, bool own_too)
{
    uintptr_t first = 0, last = 0;

    for (uintptr_t at = start; at < end;) {
        uintptr_t next;
        uint64_t *entry = pte_find(at, &next);

        if (!entry) {
            at = next > at ? next : end;
            continue;
        }
        do {
            if ((*entry & PTE_USED) && (own_too || !(*entry & PTE_OWN))) {
                space_resident--;
                space_own -= !!(*entry & PTE_OWN);
                page_put(pte_page(*entry));
                *entry = 0;
                if (!last)
                    first = at;
                last = at + PAGE_SIZE;
            }
            at += PAGE_SIZE;
            entry++;
        } while (at < end && (uintptr_t)entry % PAGE_SIZE);
    }
    if (last)
        pte_flush(first, last);
}

uintptr_t space_gap(size_t length, uintptr_t limit)
{
    uintptr_t top;
    size_t i;

    if (!usual_top)
        usual_top = USER_END - STACK_ROOM - (random_u64() & TOP_RANDOM) * PAGE_SIZE;
    top = limit ? limit : usual_top;
    i = space_index(top - 1);
    if (i < count && mappings[i]->start < top)
        top = mappings[i]->start;
    for (;; i--) {
        uintptr_t bottom = i > 0 ? max(mappings[i - 1]->end, MAP_LOWEST) : MAP_LOWEST;
        if (top >= bottom && top - bottom >= length)
            return top - length;
        if (i == 0)
            break;
        top = min(top, mappings[i - 1]->start);
    }
    /* Nothing below: what lies above the usual place is better than failing. */
    return limit || length >= USER_END - STACK_ROOM - usual_top ? 0
                                                                : space_gap(length, USER_END - STACK_ROOM);
}

static bool is_free(uintptr_t start, uintptr_t end)
{
    const struct mapping *m = space_next(start);
    return !m || m->start >= end;
}

/* Where a new mapping goes: an address, or -errno. What MAP_FIXED replaces is unmapped already. */
static long place(uintptr_t hint, size_t length, int flags)
{
    uintptr_t start;

    if (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) {
        if (hint % PAGE_SIZE)
            return -EINVAL;
        if (hint > USER_END || length > USER_END - hint)
            return -ENOMEM;
        if (hint < MAP_LOWEST)
            return -EPERM;
        if ((flags & MAP_FIXED_NOREPLACE) && !is_free(hint, hint + length))
            return -EEXIST;
        return (long)hint;
    }
    if (hint) {
        start = align_up(max(hint, MAP_LOWEST), PAGE_SIZE);
        if (start >= MAP_LOWEST && start <= USER_END && length <= USER_END - start &&
            is_free(start, start + length))
            return (long)start;
    }
    start = space_gap(length, flags & MAP_32BIT ? 1UL << 31 : 0);
    return start ? (long)start : -ENOMEM;
}

/* W^X: pages are writable or executable, never both, unless the configuration says otherwise. */
static bool is_refused(int prot)
{
    const char *value;

    if ((prot & (PROT_WRITE | PROT_EXEC)) != (PROT_WRITE | PROT_EXEC))
        return false;
    value = config_get("wx");
    if (value && strcmp(value, "allow") == 0)
        return false;
    if (!refused++ && current && current->user)
        refused_ip = current->user->rip;
    return true;
}

/* At the end: what was refused, how often and to whom first. */
void space_tell_refused(void)
{
    const char *module;
    uint64_t offset;

    if (!refused)
        return;
    report_begin("missing");
    report_string("kind", "wx", 2);
    report_string("name", "wx", 2);
    report_number("count", (int64_t)refused);
    if (report_module(refused_ip, &module, &offset)) {
        report_string("module", module, strlen(module));
        report_hex("offset", offset);
    }
    report_end();
    refused = 0;
}

long space_map(uintptr_t hint, size_t length, int prot, int flags, struct file *file, uint64_t offset)
{
    struct mapping *m;
    size_t index;
    long start;
    int error;

    if (length == 0)
        return -EINVAL;
    length = align_up(length, PAGE_SIZE);
    if (length == 0 || length > USER_END)
        return -ENOMEM;
    if (is_refused(prot))
        return -EACCES;
    if (count >= MAP_LIMIT)
        return -ENOMEM;
    start = place(hint, length, flags);
    if (start < 0)
        return start;
    if ((flags & MAP_FIXED) && !(flags & MAP_FIXED_NOREPLACE)) {
        error = space_unmap((uintptr_t)start, length);
        if (error)
            return error;
    }
    /* A reservation for later use is no promise; the part of it that becomes writable is. */
    if (!(prot & PROT_WRITE) && !file)
        flags &= ~MAP_NORESERVE;
    m = kmalloc(sizeof(*m));
    if (!m)
        return -ENOMEM;
    *m = (struct mapping){.start = (uintptr_t)start,
                          .end = (uintptr_t)start + length,
                          .prot = prot & (PROT_READ | PROT_WRITE | PROT_EXEC),
                          .flags =
                              flags & (MAP_SHARED | MAP_PRIVATE | MAP_STACK | MAP_NORESERVE | MAP_ANONYMOUS),
                          .file = file,
                          .offset = file ? offset : 0};
    if (is_accounted_mapping(m) && !space_commit((long)pages_of(m))) {
        kfree(m);
        return -ENOMEM;
    }
    index = space_index(m->start);
    error = insert(index, m);
    if (error) {
        if (is_accounted_mapping(m))
            space_commit(-(long)pages_of(m));
        kfree(m);
        return error;
    }
    mapped += pages_of(m);
    if (file)
        file_get(file);
    space_merge((uintptr_t)start, (uintptr_t)start + length);
    if (flags & (MAP_POPULATE | MAP_LOCKED))
        (void)space_populate((uintptr_t)start, (uintptr_t)start + length,
                             prot & PROT_WRITE ? FAULT_WRITE : 0);
    return start;
}

int space_unmap(uintptr_t start, size_t length)
{
    uintptr_t end, floor, ceiling;
    size_t index;
    int error;

    length = align_up(length, PAGE_SIZE);
    if (start % PAGE_SIZE || length == 0 || start > USER_END || length > USER_END - start)
        return -EINVAL;
    end = start + length;
    if (is_free(start, end))
        return 0;
    error = space_split(start);
    if (!error)
        error = space_split(end);
    if (error)
        return error;
    index = space_index(start);
    while (index < count && mappings[index]->start < end) {
        space_zap(mappings[index]->start, mappings[index]->end, true);
        drop(index);
    }
    /* After small pieces the tables stay: the next piece is likely to come to the same place, and to forget
     * tables the CPU has to forget everything. */
    if (length < TABLES_FROM)
        return 0;
    floor = index > 0 ? mappings[index - 1]->end : 0;
    ceiling = index < count ? mappings[index]->start : USER_END + PAGE_SIZE;
    pte_free_tables(max(floor, align_down(start, 1UL << 39)), min(ceiling, align_up(end, 1UL << 39)));
    return 0;
}

/* The entries of a mapping say what its protection now says. */
static void apply_protection(const struct mapping *m)
{
    for (uintptr_t at = m->start; at < m->end;) {
        uintptr_t next;
        uint64_t *entry = pte_find(at, &next);

        if (!entry) {
            at = next > at ? next : m->end;
            continue;
        }
        do {
            if (*entry & PTE_USED)
                *entry = (*entry & (PTE_ADDRESS | PTE_OWN)) | space_bits(m, *entry & PTE_OWN);
            at += PAGE_SIZE;
            entry++;
        } while (at < m->end && (uintptr_t)entry % PAGE_SIZE);
    }
    pte_flush(m->start, m->end);
}

int space_protect(uintptr_t start, size_t length, int prot)
{
    uintptr_t end;
    long promised = 0;
    size_t first;
    int error;

    length = align_up(length, PAGE_SIZE);
    if (start % PAGE_SIZE)
        return -EINVAL;
    if (length == 0)
        return 0;
    if (start > USER_END || length > USER_END - start)
        return -ENOMEM;
    end = start + length;
    prot &= PROT_READ | PROT_WRITE | PROT_EXEC;
    if (is_refused(prot))
        return -EACCES;
    if (!space_covered(start, end))
        return -ENOMEM;
    for (size_t i = space_index(start); i < count && mappings[i]->start < end; i++) {
        const struct mapping *m = mappings[i];
        if (m->file && (m->flags & MAP_SHARED) && (prot & PROT_WRITE) && (m->file->flags & 3) == 0)
            return -EACCES;
    }
    error = space_split(start);
    if (!error)
        error = space_split(end);
    if (error)
        return error;
    first = space_index(start);
    for (size_t i = first; i < count && mappings[i]->start < end; i++) {
        struct mapping *m = mappings[i], after = *m;
        after.prot = prot;
        promised += ((int)is_accounted_mapping(&after) - (int)is_accounted_mapping(m)) * (long)pages_of(m);
    }
    if (!space_commit(promised))
        return -ENOMEM;
    for (size_t i = first; i < count && mappings[i]->start < end; i++) {
        if (mappings[i]->prot == prot)
            continue;
        mappings[i]->prot = prot;
        apply_protection(mappings[i]);
    }
    space_merge(start, end);
    return 0;
}

int space_inherit(uintptr_t start, uintptr_t end, int bits, int value)
{
    int error = space_split(start);

    if (!error)
        error = space_split(end);
    if (error)
        return error;
    struct mapping *m = space_at(space_index(start));
    m->flags = (m->flags & ~bits) | value;
    space_merge(start, end);
    return 0;
}

void space_fork(void)
{
    for (const struct mapping *m = space_next(0); m;) {
        uintptr_t start = m->start, end = m->end;
        if (m->flags & MAPPING_NOT_FORKED)
            (void)space_unmap(start, end - start); /* nothing to split: it cannot fail */
        else if (m->flags & MAPPING_WIPED)
            space_zap(start, end, true);
        m = space_next(end);
    }
}

int space_extend(uintptr_t end, size_t more)
{
    struct mapping *m = space_at(space_index(end - 1));
    long pages = (long)(more >> PAGE_SHIFT);

    if (is_accounted_mapping(m) && !space_commit(pages))
        return -ENOMEM;
    m->end += more;
    mapped += (size_t)pages;
    space_merge(m->start, m->end);
    return 0;
}

int space_move(uintptr_t from, size_t old, uintptr_t to, size_t length, bool keep)
{
    struct mapping *source = space_at(space_index(from)), *target = kmalloc(sizeof(*target));
    size_t both = min(old, length);
    long pages = (long)(length >> PAGE_SHIFT);
    int error = 0;

    if (!target)
        return -ENOMEM;
    *target = *source;
    target->start = to;
    target->end = to + length;
    /* Tables first: once entries move, nothing may fail. */
    for (uintptr_t at = 0; at < both && !error; at += PAGE_SIZE) {
        const uint64_t *entry = pte_find(from + at, NULL);
        if (entry && (*entry & PTE_USED) && !pte_make(to + at))
            error = -ENOMEM;
    }
    if (!error && is_accounted_mapping(target)) {
        long promise = keep ? pages : pages - (long)(old >> PAGE_SHIFT);
        if (!space_commit(promise))
            error = -ENOMEM;
    }
    if (!error) {
        error = insert(space_index(to), target);
        if (error && is_accounted_mapping(target))
            space_commit(-pages + (keep ? 0 : (long)(old >> PAGE_SHIFT)));
    }
    if (error) {
        kfree(target);
        return error;
    }
    mapped += (size_t)pages;
    if (target->file)
        file_get(target->file);
    for (uintptr_t at = 0; at < both; at += PAGE_SIZE) {
        uint64_t *entry = pte_find(from + at, NULL);
        if (entry && (*entry & PTE_USED)) {
            *pte_make(to + at) = *entry;
            *entry = 0;
        }
    }
    pte_flush(from, from + both);
    if (!keep) {
        /* The promise went along with the pages. */
        if (is_accounted_mapping(source))
            committed += old >> PAGE_SHIFT;
        space_unmap(from, old);
    }
    space_merge(to, to + length);
    return 0;
}

void space_drop_file_pages(struct file *any_of_node, uint64_t first_page, uint64_t last_page)
{
    for (size_t i = 0; i < count; i++) {
        const struct mapping *m = mappings[i];
        uint64_t start = m->offset >> PAGE_SHIFT, end = start + pages_of(m); /* pages of the file */

        if (!m->file || m->file->node != any_of_node->node || end <= first_page || start > last_page)
            continue;
        start = max(start, first_page);
        if (last_page < end)
            end = last_page + 1;
        space_zap(m->start + ((start << PAGE_SHIFT) - m->offset),
                  m->start + ((end << PAGE_SHIFT) - m->offset), false);
    }
}

struct space_totals space_totals(void)
{
    return (struct space_totals){.mapped = mapped, .resident = space_resident};
}
