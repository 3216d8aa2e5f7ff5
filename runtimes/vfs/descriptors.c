/* descriptors.c - the table from numbers to open files.
 *
 * POSIX wants the lowest free number each time: a bitmap of the numbers in use is searched a word at a time
 * from the lowest word that may have room. The table grows by doubling up to the limit. */
#include "descriptors.h"
#include "memory.h"
#include "node.h"
#include "process.h"

#define WORD_BITS  64U
#define LIMIT_FILE 7 /* RLIMIT_NOFILE */

uint64_t process_limit(int resource) WEAK; /* 1024 where there is none */

static struct file **files;
static uint64_t *used, *cloexec;
static unsigned room;       /* numbers that the table has; a multiple of WORD_BITS */
static unsigned first_free; /* no number below is free */
static unsigned count;

void locks_closed(
    struct node *) WEAK; /* vfs/locks.c: closing any descriptor of a file drops fcntl locks on it */

unsigned fd_limit(void)
{
    return process_limit ? (unsigned)min(process_limit(LIMIT_FILE), (uint64_t)DESCRIPTORS_MOST) : 1024;
}

static bool bit(const uint64_t *map, unsigned n)
{
    return map[n / WORD_BITS] >> (n % WORD_BITS) & 1;
}

static void set(uint64_t *map, unsigned n, bool on)
{
    uint64_t mask = 1UL << (n % WORD_BITS);
    map[n / WORD_BITS] = on ? map[n / WORD_BITS] | mask : map[n / WORD_BITS] & ~mask;
}

static bool grow(unsigned wanted)
{
    unsigned size = room ? room : WORD_BITS;
    while (size <= wanted)
        size *= 2;
    struct file **more_files = kzalloc(size * sizeof(struct file *));
    uint64_t *more_used = kzalloc(size / 8), *more_cloexec = kzalloc(size / 8);

    if (!more_files || !more_used || !more_cloexec) {
        kfree(more_files);
        kfree(more_used);
        kfree(more_cloexec);
        return false;
    }
    if (room) {
        memcpy(more_files, files, room * sizeof(struct file *));
        memcpy(more_used, used, room / 8);
        memcpy(more_cloexec, cloexec, room / 8);
    }
    kfree(files);
    kfree(used);
    kfree(cloexec);
    files = more_files;
    used = more_used;
    cloexec = more_cloexec;
    room = size;
    return true;
}

struct file *fd_peek(int fd)
{
    return (unsigned)fd < room ? files[fd] : NULL;
}

struct file *fd_get(int fd)
{
    struct file *f = fd_peek(fd);
    if (likely(f != NULL))
        f->users++;
    return f;
}

int fd_install(struct file *file, int from, bool close_on_exec)
{
    unsigned n = max((unsigned)from, first_free);

    while (n < room && bit(used, n)) {
        uint64_t taken = used[n / WORD_BITS] | ((1UL << (n % WORD_BITS)) - 1);
        n = ~taken ? n / WORD_BITS * WORD_BITS + (unsigned)__builtin_ctzl(~taken)
                   : (n / WORD_BITS + 1) * WORD_BITS;
    }
    if (n >= fd_limit()) {
        file_put(file);
        return -EMFILE;
    }
    if (n >= room && !grow(n)) {
        file_put(file);
        return -ENOMEM;
    }
    if ((unsigned)from <= first_free)
        first_free = n + 1;
    files[n] = file;
    set(used, n, true);
    set(cloexec, n, close_on_exec);
    count++;
    return (int)n;
}

static struct file *take(unsigned fd)
{
    struct file *f = files[fd];

    files[fd] = NULL;
    set(used, fd, false);
    first_free = min(first_free, fd);
    count--;
    return f;
}

static void closed(struct file *f)
{
    if (f->node && !list_empty(&f->node->locks) && locks_closed)
        locks_closed(f->node);
    file_put(f);
}

int fd_close(int fd)
{
    if (!fd_peek(fd))
        return -EBADF;
    closed(take((unsigned)fd));
    return 0;
}

int fd_replace(int fd, struct file *file, bool close_on_exec)
{
    if ((unsigned)fd >= fd_limit()) {
        file_put(file);
        return -EBADF;
    }
    if ((unsigned)fd >= room && !grow((unsigned)fd)) {
        file_put(file);
        return -ENOMEM;
    }
    struct file *old = files[fd] ? take((unsigned)fd) : NULL;
    files[fd] = file;
    set(used, (unsigned)fd, true);
    set(cloexec, (unsigned)fd, close_on_exec);
    count++;
    if (old)
        closed(old);
    return 0;
}

int fd_cloexec(int fd)
{
    return fd_peek(fd) ? bit(cloexec, (unsigned)fd) : -EBADF;
}

int fd_set_cloexec(int fd, bool on)
{
    if (!fd_peek(fd))
        return -EBADF;
    set(cloexec, (unsigned)fd, on);
    return 0;
}

int fd_next(int from)
{
    for (unsigned n = (unsigned)from; n < room; n++) {
        if (files[n])
            return (int)n;
    }
    return -1;
}

void fd_close_range(unsigned first, unsigned last, bool only_mark)
{
    for (unsigned n = first; n <= last && n < room; n++) {
        if (!files[n])
            continue;
        if (only_mark)
            set(cloexec, n, true);
        else
            closed(take(n));
    }
}

unsigned fd_room(void)
{
    return room;
}

unsigned fd_count(void)
{
    return count;
}
