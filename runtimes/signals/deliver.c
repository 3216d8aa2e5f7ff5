/* deliver.c - signals arrive: on the way back to user code, and at faults (signal(7)).
 *
 * A system call that was interrupted answers with one of the ERESTART codes of kernel.h; here is decided
 * whether it runs again or ends with EINTR. Running again means to point rip back at the `syscall`
 * instruction (two bytes) with its number in rax.
 */
#include "signals.h"
#include "memory.h"
#include "report.h"

#define SYSCALL_LENGTH 2

static noreturn void die(const struct signal_info *info, const struct registers *user)
{
    if (CRASHES & BIT(info->number))
        crash_report(info, user);
    process_exit(0, info->number);
}

/* `handler`: one is going to run, with these flags; else the call goes on. */
static void restart(struct registers *user, long result, bool handler, uint64_t flags)
{
    if (handler && (result == -ERESTARTNOHAND || result == -ERESTART_RESTARTBLOCK ||
                    (result == -ERESTARTSYS && !(flags & SA_RESTART)))) {
        user->rax = (uint64_t)-EINTR;
        return;
    }
    user->rax = result == -ERESTART_RESTARTBLOCK ? __NR_restart_syscall : user->number;
    user->rip -= SYSCALL_LENGTH;
}

static bool wants_restart(long result)
{
    return result == -ERESTARTSYS || result == -ERESTARTNOHAND || result == -ERESTART_RESTARTBLOCK;
}

/* Runs the handler of a signal with the mask that its action asks for. */
static void enter_handler(struct registers *user, const struct signal_info *info)
{
    struct thread_signals *s = &current->signals;
    struct signal_action action = signal_actions[info->number];
    uint64_t back = s->restore_mask ? s->saved_mask : s->blocked;
    if (frame_push(user, info, &action, back) < 0) {
        /* No room for the frame: the handler cannot run. As Linux: SIGSEGV, fatal if that was it. */
        struct signal_info fault = {.number = SIGSEGV, .code = SI_KERNEL, .address = user->rsp};
        if (info->number == SIGSEGV)
            die(info->code > 0 && info->code != SI_KERNEL ? info : &fault, user);
        signal_fault(SIGSEGV, SI_KERNEL, user->rsp);
        return;
    }
    s->restore_mask = false;
    uint64_t mask = s->blocked | action.mask;
    if (!(action.flags & SA_NODEFER))
        mask |= BIT(info->number);
    if (action.flags & SA_RESETHAND)
        signal_actions[info->number].handler = HANDLER_DEFAULT;
    signals_set_blocked(mask);
}

void signal_deliver(struct registers *user, bool system_call)
{
    struct thread_signals *s = &current->signals;
    long result = system_call && (long)user->number >= 0 ? (long)user->rax : 0;
    bool again = wants_restart(result);
    struct signal_info info;

    if (current->ending)
        thread_exit(0);
    return_work = false;
    /* The call's own mask was for the wait; it lasts only if a signal ended that. */
    if (s->restore_mask && !again && result != -EINTR) {
        s->restore_mask = false;
        signals_set_blocked(s->saved_mask);
    }
    while (signal_take(signals_deliverable(), &info)) {
        uintptr_t handler = signal_actions[info.number].handler;
        if (info.number != SIGKILL && signal_is_ignored(info.number))
            continue;
        if (handler == HANDLER_DEFAULT)
            die(&info, user);
        if (again)
            restart(user, result, true, signal_actions[info.number].flags);
        again = false;
        enter_handler(user, &info);
    }
    if (again)
        restart(user, result, false, 0);
    if (s->restore_mask) {
        s->restore_mask = false;
        signals_set_blocked(s->saved_mask);
    }
}

void signal_fault(int number, int code, uintptr_t address)
{
    struct signal_info info = {.number = number, .code = code, .address = address};
    uintptr_t handler = signal_actions[number].handler;
    if (handler == HANDLER_DEFAULT || handler == HANDLER_IGNORE || current->signals.blocked & BIT(number))
        die(&info, current->user);
    crash_remember(&info, current->user);
    enter_handler(current->user, &info);
}

/* restart_syscall(2): only ever made by restart() above. */
SYSCALL(restart_syscall, void)
{
    long (*again)(struct thread *) = current->restart;
    current->restart = NULL;
    return again ? again(current) : -EINTR;
}
