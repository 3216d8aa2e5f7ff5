/* timerfd, POSIX timers, signalfd, interval timers of CPU time. */
#define _GNU_SOURCE
#include "../check.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t count, value, overruns;
static timer_t timer;

static void on_timer(int number, siginfo_t *info, void *context)
{
    (void)number, (void)context;
    if (info->si_code == SI_TIMER)
        count++, value = info->si_value.sival_int, overruns += timer_getoverrun(timer);
}
static void on_virtual(int number)
{
    (void)number;
    count++;
}
static volatile int threaded;
static void in_thread(union sigval v)
{
    threaded = v.sival_int;
}

static void timerfds(void)
{
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    CHECK(fd >= 0);
    CHECK_ERRNO(timerfd_create(CLOCK_PROCESS_CPUTIME_ID, 0), EINVAL);
    uint64_t times;
    CHECK_ERRNO(read(fd, &times, 8), EAGAIN);
    struct itimerspec every = {{0, 10000000}, {0, 10000000}}, now;
    CHECK(timerfd_settime(fd, 0, &every, NULL) == 0);
    CHECK(timerfd_gettime(fd, &now) == 0 && now.it_interval.tv_nsec == 10000000 && now.it_value.tv_nsec > 0);
    int ep = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = 7};
    CHECK(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event) == 0);
    CHECK(epoll_wait(ep, &event, 1, 1000) == 1 && event.data.u32 == 7);
    usleep(35000);
    CHECK(read(fd, &times, 8) == 8 && times >= 3 && times < 50);
    CHECK_ERRNO(read(fd, &times, 4), EINVAL);
    struct itimerspec stop = {{0, 0}, {0, 0}};
    CHECK(timerfd_settime(fd, 0, &stop, &now) == 0 && now.it_interval.tv_nsec == 10000000);
    struct pollfd p = {fd, POLLIN, 0};
    CHECK(poll(&p, 1, 30) == 0);
    /* An absolute time that is past fires at once; a blocking read waits. */
    struct itimerspec past = {{0, 0}, {0, 1}};
    CHECK(timerfd_settime(fd, TFD_TIMER_ABSTIME, &past, NULL) == 0 && poll(&p, 1, 1000) == 1);
    CHECK(read(fd, &times, 8) == 8 && times == 1);
    CHECK(fcntl(fd, F_SETFL, 0) == 0);
    struct itimerspec once = {{0, 0}, {0, 20000000}};
    CHECK(timerfd_settime(fd, 0, &once, NULL) == 0 && read(fd, &times, 8) == 8 && times == 1);
    CHECK(close(fd) == 0 && close(ep) == 0);
}

static void posix_timers(void)
{
    struct sigaction action = {.sa_sigaction = on_timer, .sa_flags = SA_SIGINFO};
    CHECK(sigaction(SIGRTMIN, &action, NULL) == 0);
    struct sigevent event = {
        .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN, .sigev_value.sival_int = 42};
    CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
    struct itimerspec every = {{0, 5000000}, {0, 5000000}}, now, stop = {{0, 0}, {0, 0}};
    CHECK(timer_settime(timer, 0, &every, NULL) == 0);
    CHECK(timer_gettime(timer, &now) == 0 && now.it_interval.tv_nsec == 5000000);
    while (count < 4)
        pause();
    CHECK(value == 42 && timer_settime(timer, 0, &stop, NULL) == 0);
    CHECK(timer_gettime(timer, &now) == 0 && now.it_value.tv_sec == 0 && now.it_value.tv_nsec == 0);
    /* While the signal is blocked the misses are counted, not queued. */
    sigset_t set;
    sigemptyset(&set), sigaddset(&set, SIGRTMIN);
    CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
    count = 0, overruns = 0;
    CHECK(timer_settime(timer, 0, &every, NULL) == 0);
    usleep(60000);
    CHECK(sigprocmask(SIG_UNBLOCK, &set, NULL) == 0);
    CHECK(count >= 1 && count <= 3 && overruns >= 5);
    CHECK(timer_delete(timer) == 0);
    CHECK_ERRNO(timer_delete(timer), EINVAL);

    event = (struct sigevent){
        .sigev_notify = SIGEV_THREAD, .sigev_notify_function = in_thread, .sigev_value.sival_int = 9};
    CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
    struct itimerspec once = {{0, 0}, {0, 5000000}};
    CHECK(timer_settime(timer, 0, &once, NULL) == 0);
    for (int i = 0; i < 100 && !threaded; i++)
        usleep(10000);
    CHECK(threaded == 9 && timer_delete(timer) == 0);
}

static void signal_files(void)
{
    sigset_t set;
    sigemptyset(&set), sigaddset(&set, SIGUSR1), sigaddset(&set, SIGUSR2);
    CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
    int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    struct signalfd_siginfo info[2];
    CHECK(fd >= 0);
    CHECK_ERRNO(read(fd, info, sizeof(info)), EAGAIN);
    CHECK_ERRNO(read(fd, info, 16), EINVAL);
    struct pollfd p = {fd, POLLIN, 0};
    CHECK(poll(&p, 1, 0) == 0 && kill(getpid(), SIGUSR2) == 0 && raise(SIGUSR1) == 0 &&
          poll(&p, 1, 1000) == 1);
    CHECK(read(fd, info, sizeof(info)) == sizeof(info));
    CHECK(info[0].ssi_signo == SIGUSR1 && info[1].ssi_signo == SIGUSR2 &&
          info[1].ssi_pid == (uint32_t)getpid());
    CHECK(close(fd) == 0);
}

int main(void)
{
    timerfds();
    posix_timers();
    signal_files();
    count = 0;
    signal(SIGPROF, on_virtual), signal(SIGVTALRM, on_virtual);
    struct itimerval every = {{0, 5000}, {0, 5000}}, off = {{0, 0}, {0, 0}}, now;
    CHECK(setitimer(ITIMER_PROF, &every, NULL) == 0 && getitimer(ITIMER_PROF, &now) == 0);
    CHECK(now.it_interval.tv_usec == 5000);
    while (count < 3)
        ;
    CHECK(setitimer(ITIMER_PROF, &off, NULL) == 0);
    count = 0;
    struct itimerval later = {{0, 0}, {0, 200000}};
    CHECK(setitimer(ITIMER_VIRTUAL, &later, NULL) == 0);
    usleep(250000); /* sleeping is not computing */
    CHECK(count == 0);
    CHECK_ERRNO(setitimer(3, &off, NULL), EINVAL);
    return 0;
}
