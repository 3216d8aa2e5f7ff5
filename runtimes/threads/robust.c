/* robust.c - robust mutexes: set_robust_list(2), get_robust_list(2), and what happens to locks when their
 * owner ends.
 *
 * The list is user memory and may be damaged or circular: at most ROBUST_LIST_LIMIT entries are followed, and
 * none that cannot be read.
 */
#include <linux/futex.h>
#include "internal.h"
#include "memory.h"

static int entry_in(uintptr_t address, uintptr_t *entry, bool *pi)
{
    uintptr_t value;
    if (get_user(value, (const uintptr_t __user *)address))
        return -EFAULT;
    *entry = value & ~1UL; /* bit 0: a priority-inheriting mutex */
    *pi = value & 1;
    return 0;
}

void robust_release(struct thread *t)
{
    struct robust_list_head head;
    uintptr_t list = t->robust_list, entry, pending, next;
    bool pi, pending_pi, next_pi = false;
    if (!list || copy_in(&head, (const void __user *)list, sizeof(head)))
        return;
    if (entry_in(list, &entry, &pi) ||
        entry_in(list + offsetof(struct robust_list_head, list_op_pending), &pending, &pending_pi))
        return;
    for (int i = 0; i < ROBUST_LIST_LIMIT && entry != list; i++) {
        /* The next is read first: the woken thread may change the entry. */
        bool more = entry_in(entry, &next, &next_pi) == 0;
        if (entry != pending)
            futex_owner_died(entry + (uintptr_t)head.futex_offset, pi);
        if (!more)
            return;
        entry = next, pi = next_pi;
    }
    if (pending)
        futex_owner_died(pending + (uintptr_t)head.futex_offset, pending_pi);
}

SYSCALL(set_robust_list, uintptr_t head, size_t length)
{
    if (length != sizeof(struct robust_list_head))
        return -EINVAL;
    current->robust_list = head;
    return 0;
}

SYSCALL(get_robust_list, int tid, uintptr_t __user *head, size_t __user *length)
{
    const struct thread *t = tid ? thread_by_tid(tid) : current;
    if (!t)
        return -ESRCH;
    if (put_user(length, sizeof(struct robust_list_head)) || put_user(head, t->robust_list))
        return -EFAULT;
    return 0;
}
