/* The first program of the Linux guest that we measure ourselves against: modules, network, then the
 * application. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <net/route.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "guest.h" /* MODULES, ARGUMENTS, ENVIRONMENT: generated */

static struct sockaddr address(const char *text)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr out;
    inet_pton(AF_INET, text, &in.sin_addr);
    memcpy(&out, &in, sizeof(out));
    return out;
}

static void interface(const char *name, const char *ip, const char *mask)
{
    int s = socket(AF_INET, SOCK_DGRAM, 0);
    struct ifreq r = {0};
    strcpy(r.ifr_name, name);
    r.ifr_addr = address(ip);
    ioctl(s, SIOCSIFADDR, &r);
    r.ifr_netmask = address(mask);
    ioctl(s, SIOCSIFNETMASK, &r);
    r.ifr_flags = IFF_UP | IFF_RUNNING;
    ioctl(s, SIOCSIFFLAGS, &r);
    close(s);
}

int main(void)
{
    static const char *modules[] = MODULES;
    static char *arguments[] = ARGUMENTS, *environment[] = ENVIRONMENT;

    mount("dev", "/dev", "devtmpfs", 0, NULL);
    mount("proc", "/proc", "proc", 0, NULL);
    mount("sys", "/sys", "sysfs", 0, NULL);
    mount("tmp", "/tmp", "tmpfs", 0, NULL);
    for (int fd = open("/dev/console", O_RDWR); fd >= 0 && fd < 2; fd = dup(fd))
        ;
    for (const char **m = modules; *m; m++) {
        int fd = open(*m, O_RDONLY);
        if (fd < 0 || syscall(SYS_finit_module, fd, "", 0))
            perror(*m);
        close(fd);
    }
    interface("lo", "127.0.0.1", "255.0.0.0");
    interface("eth0", "10.0.2.15", "255.255.255.0");
    int s = socket(AF_INET, SOCK_DGRAM, 0);
    struct rtentry route = {.rt_flags = RTF_UP | RTF_GATEWAY, .rt_gateway = address("10.0.2.2")};
    route.rt_dst = route.rt_genmask = address("0.0.0.0");
    ioctl(s, SIOCADDRT, &route);
    close(s);
    chdir(FOLDER);
    execve(PROGRAM, arguments, environment);
    perror(PROGRAM);
    return 1;
}
