/* What the CPU objects to becomes the signal, code and address that Linux gives; and red zones survive
 * interrupts. */
#define _GNU_SOURCE
#include "../check.h"
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <ucontext.h>

static sigjmp_buf back;
static volatile int got_code, ticks;
static void *volatile got_address;

static void on_fault(int number, siginfo_t *info, void *context)
{
    (void)context;
    got_code = info->si_code, got_address = info->si_addr;
    siglongjmp(back, number);
}

static void on_step(int number, siginfo_t *info, void *context)
{
    (void)number;
    got_code = info->si_code;
    ((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL] &= ~0x100L;
}

static void on_tick(int number)
{
    (void)number;
    ticks++;
}

#define EXPECT(signal_number, code, ...)                                                                     \
    do {                                                                                                     \
        int number_ = sigsetjmp(back, 1);                                                                    \
        if (!number_) {                                                                                      \
            __VA_ARGS__;                                                                                     \
            CHECK(!"came back");                                                                             \
        }                                                                                                    \
        CHECK(number_ == (signal_number) && got_code == (code));                                             \
    } while (0)

static void jump(uintptr_t to)
{
    ((void (*)(void))to)();
}

static int deep(volatile char *up)
{
    volatile char room[512];
    room[0] = up ? up[0] : 0;
    return deep(room) + room[1];
}

/* Sums in the red zone only, for as long as signals come. */
static void red_zone(void)
{
    uint64_t rounds = 0;
    while (ticks < 50) {
        uint64_t bad;
        __asm__ volatile("mov $0x1234567, %%rax\n\t"
                         "mov %%rax, -8(%%rsp)\n\t"
                         "mov %%rax, -64(%%rsp)\n\t"
                         "mov %%rax, -128(%%rsp)\n\t"
                         "mov $2000, %%ecx\n"
                         "1: dec %%ecx\n\t"
                         "jnz 1b\n\t"
                         "xor %%edx, %%edx\n\t"
                         "cmp %%rax, -8(%%rsp)\n\t"
                         "setne %%dl\n\t"
                         "cmp %%rax, -64(%%rsp)\n\t"
                         "setne %%cl\n\t"
                         "or %%ecx, %%edx\n\t"
                         "cmp %%rax, -128(%%rsp)\n\t"
                         "setne %%cl\n\t"
                         "or %%ecx, %%edx"
                         : "=d"(bad)
                         :
                         : "rax", "rcx", "memory", "cc");
        CHECK(!bad);
        rounds++;
    }
    CHECK(rounds > 50);
}

int main(void)
{
    static char stack[65536];
    stack_t alternate = {.ss_sp = stack, .ss_size = sizeof(stack)};
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    volatile int zero = 0;

    CHECK(sigaltstack(&alternate, NULL) == 0);
    for (int i = 0; i < 5; i++)
        CHECK(sigaction((const int[]){SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP}[i], &action, NULL) == 0);

    EXPECT(SIGFPE, FPE_INTDIV, zero = 100 / zero);
    EXPECT(SIGILL, ILL_ILLOPN, __asm__ volatile("ud2"));
    EXPECT(SIGTRAP, SI_KERNEL, __asm__ volatile("int3"));
    EXPECT(SIGSEGV, SEGV_MAPERR, jump(0));
    CHECK(got_address == NULL);
    EXPECT(SIGSEGV, SEGV_MAPERR, jump(0x123456000));
    CHECK(got_address == (void *)0x123456000);
    EXPECT(SIGSEGV, got_code, jump(0xffff800000001000));                  /* the kernel's half */
    EXPECT(SIGSEGV, SI_KERNEL, *(volatile char *)0x8000000000000000 = 1); /* not canonical */
    EXPECT(SIGSEGV, SEGV_ACCERR, jump((uintptr_t)stack));
    EXPECT(SIGSEGV, SEGV_ACCERR, *(volatile char *)(uintptr_t)main = 1);
    EXPECT(SIGSEGV, got_code, deep(NULL));
    EXPECT(SIGSEGV, got_code, __asm__ volatile("mov $16, %%rsp; push %%rax" ::: "memory"));

    action.sa_sigaction = on_step;
    CHECK(sigaction(SIGTRAP, &action, NULL) == 0);
    got_code = 0;
    __asm__ volatile(
        "lea -128(%%rsp), %%rsp; pushfq; orq $0x100, (%%rsp); popfq; nop; lea 128(%%rsp), %%rsp" ::
            : "memory", "cc");
    CHECK(got_code == TRAP_TRACE);

    struct sigaction tick = {.sa_handler = on_tick};
    struct itimerval every = {{0, 2000}, {0, 2000}};
    CHECK(sigaction(SIGALRM, &tick, NULL) == 0 && setitimer(ITIMER_REAL, &every, NULL) == 0);
    red_zone();
    return 0;
}
