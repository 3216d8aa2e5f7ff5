/* What a handler finds on its stack, and what it may change there: registers, vector state, nesting,
 * unwinding. */
#define _GNU_SOURCE
#include "../check.h"
#include <immintrin.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>
#include <unwind.h>

static volatile sig_atomic_t hits, depth, deepest;
static volatile int frames;

static void rip_after(int number, siginfo_t *info, void *context)
{
    ucontext_t *c = context;
    CHECK(number == SIGSEGV && info->si_code == SEGV_MAPERR && info->si_addr == (void *)0xdead0000);
    CHECK(c->uc_mcontext.gregs[REG_CR2] == 0xdead0000 && c->uc_mcontext.fpregs);
    c->uc_mcontext.gregs[REG_RIP] = c->uc_mcontext.gregs[REG_RBX];
    c->uc_mcontext.gregs[REG_RAX] = 77;
    hits++;
}

static void nested(int number, siginfo_t *info, void *context)
{
    (void)info, (void)context;
    depth++;
    deepest = depth > deepest ? depth : deepest;
    if (number == SIGUSR1)
        raise(SIGUSR2);
    depth--;
    hits++;
}

static _Unwind_Reason_Code count_frame(struct _Unwind_Context *context, void *data)
{
    (void)data;
    return frames += _Unwind_GetIP(context) != 0, _URC_NO_REASON;
}

static void unwinds(int number, siginfo_t *info, void *context)
{
    (void)number, (void)info, (void)context;
    _Unwind_Backtrace(count_frame, NULL);
}

static void trash(int number)
{
    (void)number;
    __asm__ volatile("pxor %%xmm5, %%xmm5\n\tfninit\n\tfld1" ::: "xmm5");
    uint32_t mxcsr = 0x1f80 | 0x6000;
    __asm__ volatile("ldmxcsr %0" ::"m"(mxcsr));
    hits++;
}

__attribute__((noinline)) static void raise_deep(int n)
{
    if (n)
        raise_deep(n - 1);
    else
        raise(SIGUSR1);
    __asm__ volatile("");
}

static void act(int number, void (*f)(int, siginfo_t *, void *), int flags, int also)
{
    struct sigaction a = {.sa_sigaction = f, .sa_flags = SA_SIGINFO | flags};
    sigemptyset(&a.sa_mask);
    if (also)
        sigaddset(&a.sa_mask, also);
    CHECK(sigaction(number, &a, NULL) == 0);
}

/* All registers of a computing thread survive signals that come at any instruction. */
static void any_instruction(void)
{
    signal(SIGALRM, trash);
    struct itimerval often = {{0, 500}, {0, 500}}, off = {{0, 0}, {0, 0}};
    CHECK(setitimer(ITIMER_REAL, &often, NULL) == 0);
    int before = hits;
    uint64_t rounds = 0;
    while (hits - before < 200) {
        uint64_t out[15];
        float four[4] = {1, 2, 3, 4}, back[4];
        long double x87 = 3.25L;
        __asm__ volatile(
            "movups (%1), %%xmm5\n\t"
            "fldt (%2)\n\t"
            "mov $0x1111, %%r8\n\tmov $0x2222, %%r9\n\tmov $0x3333, %%r10\n\tmov $0x4444, %%r11\n\t"
            "mov $0x5555, %%rcx\n\tmov $0x6666, %%rdx\n\tmov $0x7777, %%r12\n\tmov $0x8888, %%r13\n\t"
            "push %%rbp\n\tmov $0x9999, %%ebp\n\t"
            "mov $2000, %%eax\n\t"
            "1: dec %%eax\n\tjnz 1b\n\t"
            "mov %%r8, (%0)\n\tmov %%r9, 8(%0)\n\tmov %%r10, 16(%0)\n\tmov %%r11, 24(%0)\n\t"
            "mov %%rcx, 32(%0)\n\tmov %%rdx, 40(%0)\n\tmov %%r12, 48(%0)\n\tmov %%r13, 56(%0)\n\t"
            "mov %%rbp, 64(%0)\n\tpop %%rbp\n\t"
            "movups %%xmm5, (%3)\n\t"
            "fstpt (%2)\n\t"
            :
            : "D"(out), "S"(four), "b"(&x87), "r"((void *)back)
            : "rax", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "xmm5", "memory", "cc");
        for (int i = 0; i < 9; i++)
            CHECK(out[i] == 0x1111u * (unsigned)(i + 1));
        CHECK(memcmp(four, back, sizeof(four)) == 0 && x87 == 3.25L);
        CHECK((_mm_getcsr() & 0x6000) == 0);
        rounds++;
    }
    CHECK(setitimer(ITIMER_REAL, &off, NULL) == 0 && rounds > 0);
}

/* The red zone below the stack pointer belongs to the interrupted code. */
static void red_zone(void)
{
    struct itimerval often = {{0, 500}, {0, 500}}, off = {{0, 0}, {0, 0}};
    int before = hits;
    CHECK(setitimer(ITIMER_REAL, &often, NULL) == 0);
    while (hits - before < 100) {
        uint64_t bad = 0;
        __asm__ volatile("mov $16, %%ecx\n\t"
                         "1: mov %%rcx, %%rdx\n\tneg %%rdx\n\tmov %%rcx, (%%rsp,%%rdx,8)\n\tloop 1b\n\t"
                         "mov $3000, %%ecx\n\t2: loop 2b\n\t"
                         "mov $16, %%ecx\n\t"
                         "3: mov %%rcx, %%rdx\n\tneg %%rdx\n\tcmp %%rcx, (%%rsp,%%rdx,8)\n\tje 4f\n\tinc "
                         "%0\n\t4: loop 3b\n\t"
                         : "+r"(bad)
                         :
                         : "rcx", "rdx", "memory", "cc");
        CHECK(bad == 0);
    }
    CHECK(setitimer(ITIMER_REAL, &off, NULL) == 0);
}

static sigjmp_buf back;
static volatile int overflow_code;
static void leave(int number, siginfo_t *info, void *context)
{
    (void)number, (void)context;
    overflow_code = info->si_code;
    siglongjmp(back, 1);
}

int main(void)
{
    act(SIGSEGV, rip_after, 0, 0);
    long result;
    __asm__ volatile("lea 1f(%%rip), %%rbx\n\tmov $0xdead0000, %%ecx\n\tmov (%%rcx), %%rax\n\thlt\n1:"
                     : "=a"(result)
                     :
                     : "rbx", "rcx", "memory");
    CHECK(result == 77 && hits == 1);

    act(SIGUSR1, nested, 0, 0), act(SIGUSR2, nested, 0, 0), hits = 0;
    raise(SIGUSR1);
    CHECK(hits == 2 && deepest == 2);
    act(SIGUSR1, nested, 0, SIGUSR2), deepest = 0, hits = 0;
    raise(SIGUSR1);
    CHECK(hits == 2 && deepest == 1);
    act(SIGUSR1, nested, SA_RESETHAND, 0);
    raise(SIGUSR1);
    struct sigaction now;
    CHECK(sigaction(SIGUSR1, NULL, &now) == 0 && now.sa_handler == SIG_DFL);

    act(SIGUSR1, unwinds, 0, 0);
    raise_deep(5);
    CHECK(frames >= 8); /* through the frame, up to main and beyond */

    any_instruction();
    red_zone();

    /* Writing to read-only memory is another code than to none. */
    act(SIGSEGV, leave, SA_NODEFER, 0);
    char *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (!sigsetjmp(back, 1))
        *(volatile char *)page = 1;
    CHECK(overflow_code == SEGV_ACCERR);
    act(SIGILL, leave, 0, 0), act(SIGTRAP, leave, 0, 0), act(SIGFPE, leave, 0, 0);
    if (!sigsetjmp(back, 1))
        __builtin_trap();
    CHECK(overflow_code == ILL_ILLOPN);
    if (!sigsetjmp(back, 1))
        __asm__ volatile("int3");
    CHECK(overflow_code == SI_KERNEL);
    volatile int zero = 0;
    if (!sigsetjmp(back, 1))
        zero = 100 / zero;
    CHECK(overflow_code == FPE_INTDIV);
    return 0;
}
