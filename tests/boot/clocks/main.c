/* Clocks: all ids, setting, sleeping to a time, CPU time. */
#define _GNU_SOURCE
#include "../check.h"
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#define MS 1000000L

static long ns(clockid_t id)
{
    struct timespec t;
    CHECK(clock_gettime(id, &t) == 0 && t.tv_nsec >= 0 && t.tv_nsec < 1000000000);
    return t.tv_sec * 1000000000 + t.tv_nsec;
}
static long by_call(clockid_t id)
{
    struct timespec t;
    CHECK(syscall(SYS_clock_gettime, id, &t) == 0);
    return t.tv_sec * 1000000000 + t.tv_nsec;
}
static struct timespec span(long n)
{
    return (struct timespec){n / 1000000000, n % 1000000000};
}
static volatile unsigned long sink;
static void burn(long n)
{
    for (long end = ns(CLOCK_THREAD_CPUTIME_ID) + n; ns(CLOCK_THREAD_CPUTIME_ID) < end;)
        sink++;
}
static void *burner(void *arg)
{
    burn(30 * MS);
    return arg;
}
static void ignore(int number)
{
    (void)number;
}

int main(void)
{
    static const clockid_t same[] = {CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW, CLOCK_MONOTONIC_COARSE,
                                     CLOCK_BOOTTIME};
    static const clockid_t real[] = {CLOCK_REALTIME, CLOCK_REALTIME_COARSE, CLOCK_TAI};
    for (int i = 0; i < 4; i++) { /* the vDSO and the call tell the same time */
        long before = ns(same[i]), call = by_call(same[i]), after = ns(same[i]);
        CHECK(before <= call && call <= after && after - before < 500 * MS);
    }
    for (int i = 0; i < 3; i++)
        CHECK(ns(real[i]) <= by_call(real[i]) && ns(real[i]) > 1700000000L * 1000000000);
    struct timeval tv;
    CHECK(gettimeofday(&tv, NULL) == 0 && labs(tv.tv_sec - time(NULL)) <= 1);
    for (long last = ns(CLOCK_MONOTONIC), i = 0; i < 20000; i++) {
        long now = ns(CLOCK_MONOTONIC);
        CHECK(now >= last);
        last = now;
    }
    struct timespec t;
    CHECK(clock_getres(CLOCK_MONOTONIC, &t) == 0 && t.tv_sec == 0 && t.tv_nsec == 1);
    CHECK_ERRNO(clock_gettime(77, &t), EINVAL);
    CHECK_ERRNO(clock_getres(-1, &t), EINVAL);

    /* CPU time passes only while computing, and adds up. */
    long cpu = ns(CLOCK_PROCESS_CPUTIME_ID), wall = ns(CLOCK_MONOTONIC);
    t = span(60 * MS);
    CHECK(nanosleep(&t, NULL) == 0);
    CHECK(ns(CLOCK_PROCESS_CPUTIME_ID) - cpu < 20 * MS && ns(CLOCK_MONOTONIC) - wall >= 60 * MS);
    cpu = ns(CLOCK_PROCESS_CPUTIME_ID);
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, burner, NULL) == 0);
    clockid_t of_thread;
    CHECK(pthread_getcpuclockid(thread, &of_thread) == 0);
    burn(30 * MS);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(ns(CLOCK_PROCESS_CPUTIME_ID) - cpu >= 60 * MS);
    CHECK_ERRNO(clock_gettime(of_thread, &t), EINVAL);
    struct rusage usage;
    CHECK(getrusage(RUSAGE_SELF, &usage) == 0 && usage.ru_utime.tv_usec + usage.ru_stime.tv_usec >= 50000);
    CHECK(usage.ru_maxrss > 0);
    struct tms tms;
    CHECK(times(&tms) > 0 && tms.tms_utime + tms.tms_stime >= 6);
    CHECK(clock() >= 60000);

    /* Absolute sleeps on both clocks; one already past. */
    static const clockid_t sleepers[] = {CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_BOOTTIME};
    for (int i = 0; i < 3; i++) {
        long until = ns(sleepers[i]) + 20 * MS;
        t = span(until);
        CHECK(clock_nanosleep(sleepers[i], TIMER_ABSTIME, &t, NULL) == 0);
        CHECK(ns(sleepers[i]) >= until && ns(sleepers[i]) - until < 100 * MS);
        CHECK(clock_nanosleep(sleepers[i], TIMER_ABSTIME, &t, NULL) == 0);
    }
    t = (struct timespec){0, 1000000000};
    CHECK(clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL) == EINVAL);
    t = (struct timespec){-1, 0};
    CHECK(clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL) == EINVAL);
    CHECK(clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &t, NULL) == EINVAL);

    /* A signal cuts a sleep and the rest is told. */
    struct sigaction action = {.sa_handler = ignore};
    CHECK(sigaction(SIGALRM, &action, NULL) == 0);
    struct itimerval soon = {{0, 0}, {0, 20000}};
    CHECK(setitimer(ITIMER_REAL, &soon, NULL) == 0);
    struct timespec rest = {0, 0};
    t = (struct timespec){5, 0};
    CHECK_ERRNO(nanosleep(&t, &rest), EINTR);
    CHECK(rest.tv_sec == 4 && rest.tv_nsec > 500 * MS);
    /* Ignored, it does not. */
    action.sa_handler = SIG_IGN;
    CHECK(sigaction(SIGALRM, &action, NULL) == 0 && setitimer(ITIMER_REAL, &soon, NULL) == 0);
    t = span(60 * MS);
    CHECK(nanosleep(&t, NULL) == 0);

    struct timex timex = {0};
    CHECK(adjtimex(&timex) >= 0);
    if (!getenv("ON_LINUX")) {
        long monotonic = ns(CLOCK_MONOTONIC);
        t = (struct timespec){2000000000, 500};
        CHECK(clock_settime(CLOCK_REALTIME, &t) == 0 && time(NULL) == 2000000000);
        CHECK(ns(CLOCK_MONOTONIC) - monotonic < 500 * MS);
        CHECK_ERRNO(clock_settime(CLOCK_MONOTONIC, &t), EINVAL);
    }
    return 0;
}
