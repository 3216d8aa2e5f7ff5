/* mmap and its relatives: what glibc, CPython and numpy lean on, and what must fault does fault. */
#define _GNU_SOURCE
#include "../check.h"
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096UL
static sigjmp_buf back;
static volatile int signal_code;
static void *volatile signal_address;

static void on_fault(int number, siginfo_t *info, void *context)
{
    (void)context;
    signal_code = info->si_code, signal_address = info->si_addr;
    siglongjmp(back, number);
}

/* The signal that touching p brings, or 0. */
static int touch(volatile char *p, int write)
{
    int number = sigsetjmp(back, 1);
    if (number)
        return number;
    if (write)
        *p = 1;
    else
        (void)*p;
    return 0;
}

static char *map(size_t pages, int prot, int flags)
{
    char *p = mmap(NULL, pages * PAGE, prot, MAP_ANONYMOUS | flags, -1, 0);
    CHECK(p != MAP_FAILED);
    return p;
}

static void anonymous(void)
{
    char *p = map(8, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    for (size_t i = 0; i < 8 * PAGE; i++)
        CHECK(p[i] == 0);
    memset(p, 7, 8 * PAGE);
    CHECK(munmap(p + 2 * PAGE, PAGE) == 0); /* a hole in the middle */
    CHECK(touch(p + 2 * PAGE, 0) == SIGSEGV && signal_code == SEGV_MAPERR && signal_address == p + 2 * PAGE);
    CHECK(touch(p + PAGE, 1) == 0 && touch(p + 3 * PAGE, 1) == 0 && p[3 * PAGE + 1] == 7);
    CHECK(mprotect(p + 4 * PAGE, PAGE, PROT_READ) == 0);
    CHECK(touch(p + 4 * PAGE, 0) == 0 && touch(p + 4 * PAGE, 1) == SIGSEGV && signal_code == SEGV_ACCERR);
    CHECK(mprotect(p + 4 * PAGE, PAGE, PROT_NONE) == 0 && touch(p + 4 * PAGE, 0) == SIGSEGV);
    CHECK(mprotect(p + 4 * PAGE, PAGE, PROT_READ | PROT_WRITE) == 0 && p[4 * PAGE] == 7);
    CHECK_ERRNO(mprotect(p + 2 * PAGE, PAGE, PROT_READ), ENOMEM);
    CHECK(madvise(p + 5 * PAGE, PAGE, MADV_DONTNEED) == 0 && p[5 * PAGE] == 0 && p[6 * PAGE] == 7);
    CHECK(madvise(p + 6 * PAGE, PAGE, MADV_WIPEONFORK) == 0 && p[6 * PAGE] == 7);
    CHECK(madvise(p + 6 * PAGE, PAGE, MADV_KEEPONFORK) == 0 && p[6 * PAGE] == 7);
    CHECK_ERRNO(madvise(map(1, PROT_READ, MAP_SHARED), PAGE, MADV_WIPEONFORK), EINVAL);
    CHECK(mmap(p + 2 * PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
          p + 2 * PAGE);
    CHECK_ERRNO(mmap(p, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0), EEXIST);
    CHECK(munmap(p, 8 * PAGE) == 0 && munmap(p, 8 * PAGE) == 0);
    CHECK_ERRNO(munmap(p + 1, PAGE), EINVAL);
    CHECK_ERRNO(mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), EINVAL);
    CHECK_ERRNO(mmap(NULL, 1UL << 50, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
    CHECK(touch(NULL, 0) == SIGSEGV && touch((char *)0x10, 1) == SIGSEGV);
    char *large = map(1 << 16, PROT_NONE, MAP_PRIVATE | MAP_NORESERVE); /* as glibc's arenas do */
    CHECK(mprotect(large, 32 * PAGE, PROT_READ | PROT_WRITE) == 0 && touch(large + 31 * PAGE, 1) == 0);
    CHECK(touch(large + 32 * PAGE, 0) == SIGSEGV && munmap(large, PAGE << 16) == 0);
}

static void remapped(void)
{
    char *p = map(4, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    for (int i = 0; i < 4; i++)
        p[i * PAGE] = (char)(i + 1);
    char *q = mremap(p, 4 * PAGE, 1024 * PAGE, MREMAP_MAYMOVE);
    CHECK(q != MAP_FAILED);
    for (int i = 0; i < 4; i++)
        CHECK(q[i * PAGE] == i + 1);
    CHECK(q[1023 * PAGE] == 0);
    CHECK(mremap(q, 1024 * PAGE, 2 * PAGE, 0) == q && touch(q + 2 * PAGE, 0) == SIGSEGV && q[PAGE] == 2);
    char *to = map(2, PROT_NONE, MAP_PRIVATE);
    CHECK(mremap(q, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to && to[PAGE] == 2);
    CHECK(touch(q, 0) == SIGSEGV && munmap(to, 2 * PAGE) == 0);
}

static void of_files(void)
{
    int fd = open("/tmp/map", O_RDWR | O_CREAT | O_TRUNC, 0600);
    CHECK(fd >= 0 && ftruncate(fd, (off_t)(3 * PAGE + 100)) == 0 && pwrite(fd, "abc", 3, PAGE) == 3);
    char *shared = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    char *again = mmap(NULL, 4 * PAGE, PROT_READ, MAP_SHARED, fd, 0);
    char *private = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    CHECK(shared != MAP_FAILED && again != MAP_FAILED && private != MAP_FAILED);
    CHECK(memcmp(shared + PAGE, "abc", 3) == 0 && memcmp(private + PAGE, "abc", 3) == 0);
    shared[PAGE] = 'X';
    char byte;
    CHECK(pread(fd, &byte, 1, PAGE) == 1 && byte == 'X' && again[PAGE] == 'X' && private[PAGE] == 'X');
    private[PAGE] = 'P';
    CHECK(shared[PAGE] == 'X' && private[PAGE + 1] == 'b');
    CHECK(pwrite(fd, "Y", 1, PAGE) == 1 && shared[PAGE] == 'Y' && private[PAGE] == 'P');
    CHECK(shared[3 * PAGE + 100] == 0 && msync(shared, 4 * PAGE, MS_SYNC) == 0);
    CHECK(ftruncate(fd, PAGE) == 0 && touch(shared + 2 * PAGE, 0) == SIGBUS && touch(shared, 0) == 0);
    CHECK(ftruncate(fd, (off_t)(4 * PAGE)) == 0 && shared[PAGE] == 0);
    CHECK(close(fd) == 0 && unlink("/tmp/map") == 0);
    shared[0] = 'z'; /* the mapping keeps the file */
    CHECK(again[0] == 'z' && munmap(shared, 4 * PAGE) == 0 && again[0] == 'z');

    int image =
        open("/proc/self/exe", O_RDONLY); /* a file of the read-only image: in place, copied on write */
    CHECK(image >= 0);
    char *mine = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, image, 0);
    char *other = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, image, 0);
    CHECK(mine != MAP_FAILED && other != MAP_FAILED && memcmp(mine, "\177ELF", 4) == 0);
    mine[0] = 'e';
    CHECK(mine[0] == 'e' && mine[1] == 'E' && other[0] == '\177' && touch(other, 1) == SIGSEGV);
    CHECK_ERRNO(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, image, 0), EACCES);

    int memory = memfd_create("m", MFD_CLOEXEC);
    CHECK(memory >= 0 && ftruncate(memory, PAGE) == 0);
    int *counter = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
    CHECK(counter != MAP_FAILED && ++*counter == 1);
}

static void execution(void)
{
    char *data = map(1, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    data[0] = (char)0xc3; /* ret */
    int number = sigsetjmp(back, 1);
    if (!number)
        ((void (*)(void))(uintptr_t)data)();
    CHECK(number == SIGSEGV);
    CHECK(mprotect(data, PAGE, PROT_READ | PROT_EXEC) == 0);
    ((void (*)(void))(uintptr_t)data)();
}

int main(void)
{
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &action, NULL), sigaction(SIGBUS, &action, NULL);
    anonymous();
    remapped();
    of_files();
    execution();
    void *before = sbrk(0);
    CHECK(sbrk(1 << 20) == before && (memset(before, 1, 1 << 20), 1) && sbrk(-(1 << 20)) != (void *)-1);
    CHECK(touch(before, 0) == SIGSEGV || sbrk(0) != before);
    return 0;
}
