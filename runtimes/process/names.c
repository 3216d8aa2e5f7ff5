/* names.c - the machine's names: uname(2), sethostname(2), setdomainname(2).
 *
 * The release names a Linux version, for programs read it to learn which calls they may expect (glibc, libuv,
 * psutil).
 */
#include <linux/utsname.h>
#include "config.h"
#include "memory.h"
#include "process.h"

char process_hostname[65] = "unikit";
static char domain[65] = "(none)";

START(services)
{
    const char *name = config_get("hostname");
    size_t n = name ? strnlen(name, sizeof(process_hostname) - 1) : 0;
    if (!n)
        return;
    memcpy(process_hostname, name, n);
    process_hostname[n] = 0;
}

SYSCALL(uname, struct new_utsname __user *to)
{
    struct new_utsname u = {
        .sysname = "Linux", .release = SYSTEM_RELEASE, .version = "#1 unikit", .machine = "x86_64"};
    memcpy(u.nodename, process_hostname, sizeof(u.nodename));
    memcpy(u.domainname, domain, sizeof(u.domainname));
    return copy_out(to, &u, sizeof(u));
}

static long set_name(char name[65], const char __user *from, int length)
{
    char text[65] = {0};
    if (length < 0 || length > 64)
        return -EINVAL;
    if (copy_in(text, from, (size_t)length))
        return -EFAULT;
    memcpy(name, text, sizeof(text));
    return 0;
}

SYSCALL(sethostname, const char __user *name, int length)
{
    return set_name(process_hostname, name, length);
}

SYSCALL(setdomainname, const char __user *name, int length)
{
    return set_name(domain, name, length);
}
