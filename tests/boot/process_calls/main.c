/* Who the process is, what it may use, how it is scheduled. */
#define _GNU_SOURCE
#include "../check.h"
#include <grp.h>
#include <linux/membarrier.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

int main(void)
{
    CHECK(getpid() > 1 && gettid() == getpid() && getpid() == (int)syscall(SYS_getpid));
    CHECK(getpgid(0) == getpgrp() && getpgid(getpid()) == getpgrp());
    CHECK_ERRNO(getpgid(99999), ESRCH);
    struct utsname names;
    CHECK(uname(&names) == 0 && !strcmp(names.sysname, "Linux") && !strcmp(names.machine, "x86_64"));
    int major = 0, minor = 0;
    CHECK(sscanf(names.release, "%d.%d", &major, &minor) == 2 && major >= 4);

    struct rlimit limit;
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur >= 1024);
    limit.rlim_cur = 512;
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0 && getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
          limit.rlim_cur == 512);
    limit.rlim_cur = limit.rlim_max + 1;
    CHECK_ERRNO(setrlimit(RLIMIT_NOFILE, &limit), EINVAL);
    CHECK_ERRNO(getrlimit(99, &limit), EINVAL);
    CHECK(getrlimit(RLIMIT_STACK, &limit) == 0 && limit.rlim_cur == 8 << 20);

    cpu_set_t set;
    CHECK(sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_ISSET(0, &set));
    CHECK(sched_getcpu() >= 0 && sched_yield() == 0 && sched_getscheduler(0) == SCHED_OTHER);
    CHECK(sched_get_priority_max(SCHED_FIFO) == 99 && sched_get_priority_min(SCHED_RR) == 1);
    CHECK_ERRNO(sched_get_priority_max(42), EINVAL);
    errno = 0;
    CHECK(getpriority(PRIO_PROCESS, 0) == 0 && errno == 0 && setpriority(PRIO_PROCESS, 0, 5) == 0);
    CHECK(getpriority(PRIO_PROCESS, 0) == 5);
    CHECK(syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0) & MEMBARRIER_CMD_PRIVATE_EXPEDITED);
    CHECK(syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0);
    CHECK(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0);
    CHECK_ERRNO(syscall(SYS_membarrier, 3, 0, 0), EINVAL);

    char name[16];
    CHECK(prctl(PR_SET_NAME, "a name that is too long") == 0 && prctl(PR_GET_NAME, name) == 0);
    CHECK(!strcmp(name, "a name that is "));
    CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
    int number = 0;
    CHECK(prctl(PR_SET_PDEATHSIG, SIGTERM) == 0 && prctl(PR_GET_PDEATHSIG, &number) == 0 &&
          number == SIGTERM);
    CHECK_ERRNO(prctl(12345), EINVAL);

    struct sysinfo info;
    CHECK(sysinfo(&info) == 0 && info.totalram > 0 && info.freeram <= info.totalram && info.mem_unit >= 1);
    unsigned char a[300], b[300];
    CHECK(getrandom(a, sizeof(a), 0) == sizeof(a) && getrandom(b, sizeof(b), GRND_NONBLOCK) == sizeof(b));
    CHECK(memcmp(a, b, sizeof(a)) != 0 && memcmp(a, a + 32, 32) != 0);
    CHECK_ERRNO(getrandom(a, 1, 0x80), EINVAL);
    int ones = 0;
    for (size_t i = 0; i < sizeof(a); i++)
        ones += __builtin_popcount(a[i]);
    CHECK(ones > 1000 && ones < 1400);

    CHECK_ERRNO(waitpid(-1, NULL, WNOHANG), ECHILD);
    siginfo_t child;
    CHECK_ERRNO(waitid(P_ALL, 0, &child, WEXITED), ECHILD);
    CHECK_ERRNO(waitid(P_ALL, 0, &child, 0), EINVAL);
    CHECK_ERRNO(kill(1234567, SIGTERM), ESRCH);
    if (!getenv("ON_LINUX")) {
        CHECK(getuid() == 0 && getegid() == 0 && getppid() == 0);
        CHECK(sethostname("other", 5) == 0 && uname(&names) == 0 && !strcmp(names.nodename, "other"));
        gid_t groups[2] = {5, 6}, got[4];
        CHECK(setgroups(2, groups) == 0 && getgroups(4, got) == 2 && got[1] == 6);
        CHECK(setresgid(7, 7, 7) == 0 && setresuid(1000, 1000, 1000) == 0 && getuid() == 1000 &&
              getgid() == 7);
        CHECK_ERRNO(setuid(0), EPERM);
        CHECK_ERRNO(setsid(), EPERM);
    }
    return 0;
}
