/* kill.c - sending to oneself, for there is nobody else: kill(2), tkill(2), tgkill(2), rt_sigqueueinfo(2),
 * rt_tgsigqueueinfo(2), pidfd_send_signal(2) is not there. Process groups: the process is alone in its own.
 */
#include "signals.h"
#include "memory.h"
#include "process.h"

static bool is_us(int pid)
{
    /* ourselves; our group; everybody: kill(2) leaves the caller out of the last */
    return pid == process_id || pid == 0 || pid == -process_id;
}

SYSCALL(kill, int pid, int number)
{
    if (number < 0 || number > SIGNALS)
        return -EINVAL;
    if (!is_us(pid))
        return -ESRCH;
    struct signal_info info = {.number = number, .code = SI_USER, .sender = process_id};
    return number ? signal_send(NULL, &info) : 0;
}

static long to_thread(int tid, const struct signal_info *info)
{
    struct thread *t = thread_by_tid(tid);
    if (!t)
        return -ESRCH;
    return info->number ? signal_send(t, info) : 0;
}

SYSCALL(tgkill, int pid, int tid, int number)
{
    if (pid <= 0 || tid <= 0 || number < 0 || number > SIGNALS)
        return -EINVAL;
    if (pid != process_id)
        return -ESRCH;
    return to_thread(tid, &(struct signal_info){.number = number, .code = SI_TKILL, .sender = process_id});
}

SYSCALL(tkill, int tid, int number)
{
    if (tid <= 0 || number < 0 || number > SIGNALS)
        return -EINVAL;
    return to_thread(tid, &(struct signal_info){.number = number, .code = SI_TKILL, .sender = process_id});
}

static int info_in(const siginfo_t __user *from, int number, struct signal_info *info)
{
    siginfo_t in;
    if (copy_in(&in, from, sizeof(in)))
        return -EFAULT;
    *info = (struct signal_info){.number = number,
                                 .code = in.si_code,
                                 .error = in.si_errno,
                                 .value = (uint64_t)in.si_ptr,
                                 .sender = in.si_pid};
    if (number < 0 || number > SIGNALS)
        return -EINVAL;
    return 0;
}

SYSCALL(rt_sigqueueinfo, int pid, int number, const siginfo_t __user *from)
{
    struct signal_info info;
    int error = info_in(from, number, &info);
    if (error)
        return error;
    if (!is_us(pid))
        return -ESRCH;
    return number ? signal_send(NULL, &info) : 0;
}

SYSCALL(rt_tgsigqueueinfo, int pid, int tid, int number, const siginfo_t __user *from)
{
    struct signal_info info;
    if (pid <= 0 || tid <= 0)
        return -EINVAL;
    int error = info_in(from, number, &info);
    if (error)
        return error;
    return pid == process_id ? to_thread(tid, &info) : -ESRCH;
}
