/* control.c - what a process may set about itself: prctl(2), personality(2), capget(2), capset(2), and the
 * tracing and accounting calls that answer a fixed error. */
#include <linux/capability.h>
#include <linux/prctl.h>
#include "memory.h"
#include "process.h"
#include "thread.h"

#define TIMER_SLACK 50000UL /* ns; Linux's default, kept but unused: timers here are exact */

static int dumpable = 1, death_signal, keep_capabilities, no_new_privileges, reaper;
static unsigned long timer_slack = TIMER_SLACK;

static int name_in(uintptr_t from)
{
    char name[16];
    long length = string_in(name, (const char __user *)from, sizeof(name));
    if (length == -ENAMETOOLONG) {
        if (copy_in(name, (const void __user *)from, sizeof(name)))
            return -EFAULT;
    } else if (length < 0) {
        return (int)length;
    } else {
        memset(name + length, 0, sizeof(name) - (size_t)length);
    }
    name[sizeof(name) - 1] = '\0';
    memcpy(current->name, name, sizeof(name));
    return 0;
}

static int set_bool(int *what, uintptr_t value)
{
    if (value > 1)
        return -EINVAL;
    *what = (int)value;
    return 0;
}

SYSCALL(prctl, int option, uintptr_t a, uintptr_t b, uintptr_t c, uintptr_t d)
{
    switch (option) {
    case PR_SET_NAME:
        return name_in(a);
    case PR_GET_NAME:
        return copy_out((void __user *)a, current->name, sizeof(current->name));
    case PR_SET_PDEATHSIG:
        if (a > 64)
            return -EINVAL;
        death_signal = (int)a;
        return 0;
    case PR_GET_PDEATHSIG:
        return put_user((int __user *)a, death_signal);
    case PR_SET_DUMPABLE:
        return set_bool(&dumpable, a);
    case PR_GET_DUMPABLE:
        return dumpable;
    case PR_SET_KEEPCAPS:
        return set_bool(&keep_capabilities, a);
    case PR_GET_KEEPCAPS:
        return keep_capabilities;
    case PR_SET_NO_NEW_PRIVS:
        if (a != 1 || b || c || d)
            return -EINVAL;
        no_new_privileges = 1;
        return 0;
    case PR_GET_NO_NEW_PRIVS:
        return b || c || d || a ? -EINVAL : no_new_privileges;
    case PR_SET_CHILD_SUBREAPER:
        reaper = a != 0;
        return 0;
    case PR_GET_CHILD_SUBREAPER:
        return put_user((int __user *)a, reaper);
    case PR_SET_TIMERSLACK:
        timer_slack = a ? a : TIMER_SLACK;
        return 0;
    case PR_GET_TIMERSLACK:
        return (long)timer_slack;
    case PR_GET_TIMING:
        return 0; /* PR_TIMING_STATISTICAL */
    case PR_SET_TIMING:
        return a == PR_TIMING_STATISTICAL ? 0 : -EINVAL;
    case PR_CAPBSET_READ:
        return a <= CAP_LAST_CAP ? 1 : -EINVAL;
    case PR_CAPBSET_DROP:
        return a <= CAP_LAST_CAP ? 0 : -EINVAL;
    case PR_GET_SECUREBITS:
        return 0;
    case PR_GET_SECCOMP:
        return 0;
    case PR_GET_TID_ADDRESS:
        return put_user((uintptr_t __user *)a, current->clear_tid);
    default: /* PR_SET_VMA too, names for anonymous memory: as a Linux without CONFIG_ANON_VMA_NAME */
        return -EINVAL;
    }
}

/* personality(2): asking is answered, changing (32-bit, no randomisation) is not taken. */
SYSCALL(personality, unsigned wanted)
{
    return wanted == 0xffffffffU || wanted == 0 ? 0 : -EINVAL;
}

SYSCALL(capget, struct __user_cap_header_struct __user *header, struct __user_cap_data_struct __user *data)
{
    struct __user_cap_header_struct h;
    if (copy_in(&h, header, sizeof(h)))
        return -EFAULT;
    int parts = h.version == _LINUX_CAPABILITY_VERSION_1 ? 1 : 2;
    if (h.version != _LINUX_CAPABILITY_VERSION_1 && h.version != _LINUX_CAPABILITY_VERSION_2 &&
        h.version != _LINUX_CAPABILITY_VERSION_3) {
        if (put_user(&header->version, (uint32_t)_LINUX_CAPABILITY_VERSION_3))
            return -EFAULT;
        return data ? -EINVAL : 0;
    }
    if (h.pid && h.pid != process_id && !thread_by_tid(h.pid))
        return h.pid < 0 ? -EINVAL : -ESRCH;
    uint64_t all = (1UL << (CAP_LAST_CAP + 1)) - 1;
    struct __user_cap_data_struct out[2] = {
        {.effective = (uint32_t)all, .permitted = (uint32_t)all},
        {.effective = (uint32_t)(all >> 32), .permitted = (uint32_t)(all >> 32)},
    };
    return data ? copy_out(data, out, (size_t)parts * sizeof(out[0])) : 0;
}

SYSCALL(capset, struct __user_cap_header_struct __user *header,
        const struct __user_cap_data_struct __user *data)
{
    (void)header, (void)data;
    return -EPERM;
}

/* Nobody to trace, and no debugger inside. */
SYSCALL(ptrace, long request, long pid, uintptr_t address, uintptr_t data)
{
    (void)request, (void)pid, (void)address, (void)data;
    return -EPERM;
}
