/* process_vm_readv and process_vm_writev on the process's own memory, where some of it is missing. */
#define _GNU_SOURCE
#include "../check.h"
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#define PAGE 4096UL

int main(void)
{
    char *p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(p != MAP_FAILED && munmap(p + PAGE, PAGE) == 0);
    memset(p, 'a', PAGE);
    char got[3000];
    struct iovec parts[2] = {{got, 1000}, {got + 1000, 2000}};
    struct iovec there[2] = {{p, 1500}, {p + 2000, 1500}};
    CHECK(process_vm_readv(getpid(), parts, 2, there, 2, 0) == 3000 && got[0] == 'a' && got[2999] == 'a');

    struct iovec over = {p + PAGE - 100, 200}, room = {got, 200}, missing = {p + PAGE, 1};
    memset(got, 0, sizeof(got));
    CHECK(process_vm_readv(getpid(), &room, 1, &over, 1, 0) == 100 && got[99] == 'a' && got[100] == 0);
    CHECK_ERRNO(process_vm_readv(getpid(), &room, 1, &missing, 1, 0), EFAULT);
    CHECK_ERRNO(process_vm_readv(getpid(), &room, 1, NULL, 1, 0), EFAULT);

    struct iovec word = {"word", 4}, target = {p + 10, 4};
    CHECK(process_vm_writev(getpid(), &word, 1, &target, 1, 0) == 4 && memcmp(p + 9, "aworda", 6) == 0);
    CHECK(mprotect(p, PAGE, PROT_READ) == 0);
    CHECK_ERRNO(process_vm_writev(getpid(), &word, 1, &target, 1, 0), EFAULT);
    CHECK(process_vm_readv(getpid(), NULL, 0, &over, 1, 0) == 0);
    CHECK_ERRNO(process_vm_readv(getpid(), &room, 1, &over, 1, 1), EINVAL);
    CHECK_ERRNO(process_vm_readv(99999, &room, 1, &over, 1, 0), ESRCH);
    return 0;
}
