/* Signals: handlers, masks, alternate stacks, interrupted and restarted calls, timers. */
#define _GNU_SOURCE
#include "../check.h"
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t count, last, on_stack;
static volatile uintptr_t value;
static char *stack;
static sigjmp_buf back;
#define STACK 65536

static void handler(int number)
{
    count++, last = number;
}
static void with_info(int number, siginfo_t *info, void *context)
{
    (void)context;
    count++, last = number, value = (uintptr_t)info->si_value.sival_ptr;
}
static void overflowed(int number)
{
    char here;
    on_stack = &here >= stack && &here < stack + STACK;
    siglongjmp(back, number);
}

static void act(int number, void (*f)(int), int flags)
{
    struct sigaction action = {.sa_handler = f, .sa_flags = flags};
    CHECK(sigaction(number, &action, NULL) == 0);
}

static void *write_soon(void *fd)
{
    usleep(20000);
    CHECK(kill(getpid(), SIGUSR1) == 0);
    usleep(20000);
    CHECK(write(*(int *)fd, "x", 1) == 1);
    return NULL;
}

__attribute__((noinline)) static int recurse(volatile char *p)
{
    volatile char room[4096];
    room[0] = p ? p[0] : 0;
    return recurse(room) + room[0];
}

int main(void)
{
    act(SIGUSR1, handler, 0);
    CHECK(raise(SIGUSR1) == 0 && count == 1 && last == SIGUSR1);

    sigset_t set, old;
    sigemptyset(&set), sigaddset(&set, SIGUSR1);
    CHECK(sigprocmask(SIG_BLOCK, &set, &old) == 0 && raise(SIGUSR1) == 0 && count == 1);
    sigset_t pending;
    CHECK(sigpending(&pending) == 0 && sigismember(&pending, SIGUSR1) == 1);
    struct timespec none = {0, 0};
    CHECK(sigtimedwait(&set, NULL, &none) == SIGUSR1);
    CHECK_ERRNO(sigtimedwait(&set, NULL, &none), EAGAIN);
    raise(SIGUSR1);
    CHECK(sigprocmask(SIG_SETMASK, &old, NULL) == 0 && count == 2);

    struct sigaction info = {.sa_sigaction = with_info, .sa_flags = SA_SIGINFO};
    CHECK(sigaction(SIGRTMIN, &info, NULL) == 0);
    CHECK(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_ptr = (void *)0x1234}) == 0 && value == 0x1234);

    int ends[2];
    char byte;
    pthread_t thread;
    CHECK(pipe(ends) == 0);
    sigset_t all; /* so that the signal comes to this thread */
    act(SIGUSR1, handler, SA_RESTART), count = 0;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    CHECK(pthread_create(&thread, NULL, write_soon, &ends[1]) == 0);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    CHECK(read(ends[0], &byte, 1) == 1 && count == 1 && pthread_join(thread, NULL) == 0);
    act(SIGUSR1, handler, 0);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    CHECK(pthread_create(&thread, NULL, write_soon, &ends[1]) == 0);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    CHECK_ERRNO(read(ends[0], &byte, 1), EINTR);
    CHECK(pthread_join(thread, NULL) == 0 && read(ends[0], &byte, 1) == 1);

    signal(SIGPIPE, handler);
    close(ends[0]);
    CHECK_ERRNO(write(ends[1], "x", 1), EPIPE);
    CHECK(last == SIGPIPE);

    act(SIGALRM, handler, 0), count = 0;
    struct itimerval every = {{0, 5000}, {0, 5000}}, off = {{0, 0}, {0, 0}};
    CHECK(setitimer(ITIMER_REAL, &every, NULL) == 0);
    while (count < 5) /* no system call: the signal must come by preemption */
        ;
    CHECK(setitimer(ITIMER_REAL, &off, NULL) == 0);
    CHECK(alarm(100) == 0 && alarm(0) == 100);

    double d = 1.5; /* vector registers survive a handler */
    raise(SIGALRM);
    CHECK(d * 2 == 3.0);

    stack = malloc(STACK);
    stack_t alternate = {.ss_sp = stack, .ss_size = STACK};
    CHECK(sigaltstack(&alternate, NULL) == 0);
    act(SIGSEGV, overflowed, SA_ONSTACK);
    if (!sigsetjmp(back, 1))
        recurse(NULL);
    CHECK(on_stack == 1);
    stack_t now;
    CHECK(sigaltstack(NULL, &now) == 0 && !(now.ss_flags & SS_ONSTACK));

    act(SIGFPE, overflowed, 0);
    volatile int zero = 0;
    if (!sigsetjmp(back, 1))
        zero = 1 / zero;
    CHECK_ERRNO(kill(99999, 0), ESRCH);
    CHECK(kill(getpid(), 0) == 0);
    return 0;
}
