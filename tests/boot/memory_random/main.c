/* Random calls of the memory family against a model of what each page must hold: 40,000 steps over 192 pages.
 */
#define _GNU_SOURCE
#include "../check.h"
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <fcntl.h>
#include <unistd.h>

#define PAGE  4096UL
#define PAGES 192
#define STEPS 40000

struct page {
    int mapped, prot;
    int file;            /* 0: anonymous, else file page + 1 */
    unsigned char value; /* of every byte looked at */
    int changed;         /* a private copy was made */
};
static struct page model[PAGES];
static unsigned char file_value[PAGES];
static char *window;
static sigjmp_buf back;
static uint64_t state = 88172645463325252UL;

static unsigned random_below(unsigned n)
{
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return (unsigned)(state >> 20) % n;
}

static void on_fault(int number)
{
    siglongjmp(back, number);
}

static int touch(volatile unsigned char *p, int write, unsigned char *value)
{
    int number = sigsetjmp(back, 1);
    if (number)
        return number;
    if (write)
        p[17] = p[4000] = *value;
    else
        *value = p[17];
    return 0;
}

static void check_page(unsigned i)
{
    const struct page *p = &model[i];
    unsigned char value = 0;
    int got = touch((unsigned char *)window + i * PAGE, 0, &value);
    CHECK(got == (p->mapped && p->prot != PROT_NONE ? 0 : SIGSEGV));
    if (!got)
        CHECK(value == (p->file && !p->changed ? file_value[p->file - 1] : p->value));
}

static void step(int fd)
{
    static const int prots[] = {PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE};
    unsigned first = random_below(PAGES), n = 1 + random_below(24), action = random_below(12);
    int prot = prots[random_below(4)];
    if (first + n > PAGES)
        n = PAGES - first;
    char *at = window + first * PAGE;
    int whole = 1;
    for (unsigned i = first; i < first + n; i++)
        whole &= model[i].mapped;
    switch (action) {
    case 0: /* anonymous memory */
        CHECK(mmap(at, n * PAGE, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == at);
        for (unsigned i = first; i < first + n; i++)
            model[i] = (struct page){.mapped = 1, .prot = prot};
        return;
    case 1: { /* a private mapping of the file */
        unsigned from = random_below(PAGES - n + 1);
        CHECK(mmap(at, n * PAGE, prot, MAP_PRIVATE | MAP_FIXED, fd, (off_t)(from * PAGE)) == at);
        for (unsigned i = 0; i < n; i++)
            model[first + i] = (struct page){.mapped = 1, .prot = prot, .file = (int)(from + i + 1)};
        return;
    }
    case 2:
        CHECK(munmap(at, n * PAGE) == 0);
        memset(&model[first], 0, n * sizeof(model[0]));
        return;
    case 3:
    case 4:
        if (!whole)
            return;
        CHECK(mprotect(at, n * PAGE, prot) == 0);
        for (unsigned i = first; i < first + n; i++)
            model[i].prot = prot;
        return;
    case 5:
        CHECK(madvise(at, n * PAGE, MADV_DONTNEED) == (whole ? 0 : -1));
        for (unsigned i = first; i < first + n; i++)
            model[i].changed = 0, model[i].value = 0;
        return;
    case 6: { /* move one page range elsewhere and back */
        struct page *p = &model[first];
        for (unsigned i = 1; i < n; i++)
            if (!p->mapped || !p[i].mapped || p[i].prot != p->prot || (p[i].file != 0) != (p->file != 0) ||
                (p->file && p[i].file != p->file + (int)i))
                n = i;
        if (!p->mapped)
            return;
        char *to = mremap(at, n * PAGE, n * PAGE + PAGE, MREMAP_MAYMOVE);
        if (to == MAP_FAILED) { /* Linux keeps neighbours with different histories apart */
            CHECK(errno == EFAULT);
            return;
        }
        if (to != at) {
            CHECK(mremap(to, n * PAGE + PAGE, n * PAGE, 0) == to);
            CHECK(mremap(to, n * PAGE, n * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, at) == at);
            return;
        }
        /* It grew in place, over what was a hole. */
        CHECK(first + n == PAGES || !model[first + n].mapped);
        CHECK(munmap(at + n * PAGE, PAGE) == 0);
        return;
    }
    case 7: { /* the file changes under its mappings */
        unsigned i = random_below(PAGES);
        unsigned char bytes[PAGE];
        file_value[i] = (unsigned char)random_below(256);
        memset(bytes, file_value[i], PAGE);
        CHECK(pwrite(fd, bytes, PAGE, (off_t)(i * PAGE)) == (ssize_t)PAGE);
        return;
    }
    default:
        for (unsigned i = first; i < first + n; i++) {
            struct page *p = &model[i];
            unsigned char value = (unsigned char)random_below(256);
            int got;
            if (random_below(2)) {
                check_page(i);
                continue;
            }
            got = touch((unsigned char *)window + i * PAGE, 1, &value);
            CHECK(got == (p->mapped && p->prot & PROT_WRITE ? 0 : SIGSEGV));
            if (!got)
                p->value = value, p->changed = 1;
        }
    }
}

int main(void)
{
    signal(SIGSEGV, on_fault);
    int fd = open("/tmp/random", O_RDWR | O_CREAT | O_TRUNC, 0600);
    CHECK(fd >= 0 && ftruncate(fd, PAGES * PAGE) == 0);
    window = mmap(NULL, (PAGES + 1) * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(window != MAP_FAILED && munmap(window, PAGES * PAGE) == 0); /* the last page stays, as a stop */
    for (int i = 0; i < STEPS; i++)
        step(fd);
    for (unsigned i = 0; i < PAGES; i++)
        check_page(i);
    return 0;
}
