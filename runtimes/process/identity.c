/* identity.c - who the process is: process, group and session ids, users and groups (credentials(7)).
 *
 * There is one process, started by nobody, in its own group and session; its user is root, and becoming
 * anybody else is remembered but forbids nothing: there is nobody to be protected from. Python programs that
 * drop privileges (os.setuid) so find what they set.
 */
#include "memory.h"
#include "process.h"
#include "thread.h"

static struct ids {
    unsigned real, effective, saved, files;
} user, group;

static unsigned groups[32];
static int group_count;

#define SAME ((unsigned)-1)

SYSCALL(getpid, void)
{
    return process_id;
}

/* The parent is outside: 0, as for the first process of a pid namespace. */
SYSCALL(getppid, void)
{
    return 0;
}

SYSCALL(getpgrp, void)
{
    return process_id;
}

static bool is_us(int pid)
{
    return pid == 0 || pid == process_id;
}

SYSCALL(getpgid, int pid)
{
    return is_us(pid) ? process_id : -ESRCH;
}

SYSCALL(getsid, int pid)
{
    return is_us(pid) ? process_id : -ESRCH;
}

/* A session's leader cannot change its group (EPERM), nor found another session. */
SYSCALL(setpgid, int pid, int group_id)
{
    if (group_id < 0)
        return -EINVAL;
    if (!is_us(pid))
        return -ESRCH;
    return -EPERM;
}

SYSCALL(setsid, void)
{
    return -EPERM;
}

SYSCALL(getuid, void)
{
    return user.real;
}
SYSCALL(geteuid, void)
{
    return user.effective;
}
SYSCALL(getgid, void)
{
    return group.real;
}
SYSCALL(getegid, void)
{
    return group.effective;
}

static bool privileged(void)
{
    return user.effective == 0;
}

static bool is_one_of(unsigned id, const struct ids *ids)
{
    return id == ids->real || id == ids->effective || id == ids->saved;
}

static long set_simple(struct ids *ids, unsigned id)
{
    if (id == SAME)
        return -EINVAL;
    if (privileged())
        ids->real = ids->saved = id;
    else if (id != ids->real && id != ids->saved)
        return -EPERM;
    ids->effective = ids->files = id;
    return 0;
}

static long set_three(struct ids *ids, unsigned real, unsigned effective, unsigned saved)
{
    if (!privileged() &&
        ((real != SAME && !is_one_of(real, ids)) || (effective != SAME && !is_one_of(effective, ids)) ||
         (saved != SAME && !is_one_of(saved, ids))))
        return -EPERM;
    ids->real = real != SAME ? real : ids->real;
    ids->saved = saved != SAME ? saved : ids->saved;
    ids->effective = ids->files = effective != SAME ? effective : ids->effective;
    return 0;
}

static long set_two(struct ids *ids, unsigned real, unsigned effective)
{
    unsigned before = ids->real;
    if (!privileged() && ((real != SAME && real != ids->real && real != ids->effective) ||
                          (effective != SAME && !is_one_of(effective, ids))))
        return -EPERM;
    ids->real = real != SAME ? real : ids->real;
    ids->effective = ids->files = effective != SAME ? effective : ids->effective;
    if (real != SAME || (effective != SAME && effective != before))
        ids->saved = ids->effective;
    return 0;
}

static long get_three(const struct ids *ids, unsigned __user *real, unsigned __user *effective,
                      unsigned __user *saved)
{
    return put_user(real, ids->real) || put_user(effective, ids->effective) || put_user(saved, ids->saved)
               ? -EFAULT
               : 0;
}

SYSCALL(setuid, unsigned id)
{
    return set_simple(&user, id);
}
SYSCALL(setgid, unsigned id)
{
    return set_simple(&group, id);
}
SYSCALL(setreuid, unsigned real, unsigned effective)
{
    return set_two(&user, real, effective);
}
SYSCALL(setregid, unsigned real, unsigned effective)
{
    return set_two(&group, real, effective);
}
SYSCALL(setresuid, unsigned real, unsigned effective, unsigned saved)
{
    return set_three(&user, real, effective, saved);
}
SYSCALL(setresgid, unsigned real, unsigned effective, unsigned saved)
{
    return set_three(&group, real, effective, saved);
}
SYSCALL(getresuid, unsigned __user *real, unsigned __user *effective, unsigned __user *saved)
{
    return get_three(&user, real, effective, saved);
}
SYSCALL(getresgid, unsigned __user *real, unsigned __user *effective, unsigned __user *saved)
{
    return get_three(&group, real, effective, saved);
}

/* setfsuid(2), setfsgid(2): they answer with the old value, whether they changed it or not. */
static long set_files(struct ids *ids, unsigned id)
{
    unsigned before = ids->files;
    if (privileged() || is_one_of(id, ids))
        ids->files = id != SAME ? id : before;
    return before;
}
SYSCALL(setfsuid, unsigned id)
{
    return set_files(&user, id);
}
SYSCALL(setfsgid, unsigned id)
{
    return set_files(&group, id);
}

SYSCALL(getgroups, int size, unsigned __user *list)
{
    if (size < 0 || (size && size < group_count))
        return -EINVAL;
    if (size && copy_out(list, groups, (size_t)group_count * sizeof(*groups)))
        return -EFAULT;
    return group_count;
}

SYSCALL(setgroups, int size, const unsigned __user *list)
{
    if (!privileged())
        return -EPERM;
    if (size < 0 || size > (int)array_size(groups))
        return -EINVAL;
    if (copy_in(groups, list, (size_t)size * sizeof(*groups)))
        return -EFAULT;
    group_count = size;
    return 0;
}
