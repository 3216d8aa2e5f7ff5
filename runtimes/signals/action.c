/* action.c - what is to happen at a signal, and which are blocked: rt_sigaction(2), rt_sigprocmask(2),
 * rt_sigpending(2). */
#include "signals.h"
#include "memory.h"

#define SET_SIZE sizeof(uint64_t)
#define FLAGS                                                                                                \
    (SA_NOCLDSTOP | SA_NOCLDWAIT | SA_SIGINFO | SA_ONSTACK | SA_RESTART | SA_NODEFER | SA_RESETHAND |        \
     SA_RESTORER | SA_EXPOSE_TAGBITS)
#ifndef SA_EXPOSE_TAGBITS
#define SA_EXPOSE_TAGBITS 0x800
#endif

SYSCALL(rt_sigaction, int number, const struct signal_action __user *new, struct signal_action __user *old,
        size_t size)
{
    struct signal_action action;
    if (size != SET_SIZE)
        return -EINVAL;
    if (number < 1 || number > SIGNALS || (new &&BIT(number) & UNSTOPPABLE))
        return -EINVAL;
    if (new &&copy_in(&action, new, sizeof(action)))
        return -EFAULT;
    struct signal_action was = signal_actions[number];
    if (new) {
        /* Flags that are not known are dropped, so that a program can ask which are (SA_UNSUPPORTED). */
        action.flags &= (uint64_t)(unsigned)(FLAGS);
        action.mask &= ~UNSTOPPABLE;
        signal_actions[number] = action;
        if (signal_is_ignored(number))
            signals_drop(BIT(number));
    }
    return old && copy_out(old, &was, sizeof(was)) ? -EFAULT : 0;
}

SYSCALL(rt_sigprocmask, int how, const uint64_t __user *new, uint64_t __user *old, size_t size)
{
    uint64_t was = current->signals.blocked, set;
    if (size != SET_SIZE)
        return -EINVAL;
    if (new) {
        if (get_user(set, new))
            return -EFAULT;
        switch (how) {
        case SIG_BLOCK:
            set |= was;
            break;
        case SIG_UNBLOCK:
            set = was & ~set;
            break;
        case SIG_SETMASK:
            break;
        default:
            return -EINVAL;
        }
        signals_set_blocked(set);
    }
    return old && put_user(old, was) ? -EFAULT : 0;
}

SYSCALL(rt_sigpending, uint64_t __user *set, size_t size)
{
    if (size > SET_SIZE)
        return -EINVAL;
    uint64_t pending = signals_pending_for(current) & current->signals.blocked;
    return copy_out(set, &pending, size);
}

/* For /proc/self/status. */
void signal_sets(uint64_t *ignored, uint64_t *caught);
void signal_sets(uint64_t *ignored, uint64_t *caught)
{
    *ignored = *caught = 0;
    for (int n = 1; n <= SIGNALS; n++) {
        uintptr_t handler = signal_actions[n].handler;
        if (handler == HANDLER_IGNORE)
            *ignored |= BIT(n);
        else if (handler != HANDLER_DEFAULT)
            *caught |= BIT(n);
    }
}
