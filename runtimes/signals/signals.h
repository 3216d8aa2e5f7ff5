/* signals.h - what the files of signals/ share. Bit n-1 of a set is signal n. */
#ifndef UNIKIT_SIGNALS_H
#define UNIKIT_SIGNALS_H

#include <stddef.h> /* before asm/signal.h, which in older kernel headers relies on it */

#include <asm/siginfo.h>
#include <asm/signal.h>

#include "kernel.h"
#include "thread.h"

#define SIGNALS 64
#define BIT(n)  (1UL << ((n)-1))

/* Nobody can block, ignore or catch these. */
#define UNSTOPPABLE (BIT(SIGKILL) | BIT(SIGSTOP))
/* Ignored unless there is a handler. Stopping is ignored too: nobody could continue the machine's only
 * process. */
#define IGNORED_BY_DEFAULT                                                                                   \
    (BIT(SIGCHLD) | BIT(SIGURG) | BIT(SIGWINCH) | BIT(SIGCONT) | BIT(SIGSTOP) | BIT(SIGTSTP) |               \
     BIT(SIGTTIN) | BIT(SIGTTOU))
/* The program is at fault: told with address and frames. */
#define CRASHES                                                                                              \
    (BIT(SIGSEGV) | BIT(SIGBUS) | BIT(SIGILL) | BIT(SIGFPE) | BIT(SIGTRAP) | BIT(SIGABRT) | BIT(SIGSYS) |    \
     BIT(SIGQUIT) | BIT(SIGXCPU) | BIT(SIGXFSZ))
/* Come from the thread's own instruction, so they are taken first. */
#define SYNCHRONOUS (BIT(SIGSEGV) | BIT(SIGBUS) | BIT(SIGILL) | BIT(SIGTRAP) | BIT(SIGFPE) | BIT(SIGSYS))

/* As rt_sigaction(2) has it on x86-64. */
struct signal_action {
    uintptr_t handler;
    uint64_t flags;
    uintptr_t restorer;
    uint64_t mask;
};
#define HANDLER_DEFAULT 0UL
#define HANDLER_IGNORE  1UL

extern struct signal_action signal_actions[SIGNALS + 1];

/* Woken for every signal that becomes pending: sigtimedwait, signalfd. */
extern struct wait_queue signal_arrivals;

/* What is pending for this thread, its own and the process's, blocked or not. */
uint64_t signals_pending_for(const struct thread *t);
/* Those that the current thread is to take now: its own, and of the process's those that it was chosen for.
 */
uint64_t signals_deliverable(void);
/* Does such a signal wait already, in the queue of a thread or (NULL) of the process? */
bool signal_queued(const struct thread *to, int number, int code, int sender);
/* Takes the next pending signal out of `set` for the current thread; 0: none. */
int signal_take(uint64_t set, struct signal_info *info);
/* The current thread blocks these from now on. Signals for the process that it now blocks find another
 * thread. */
void signals_set_blocked(uint64_t mask);
/* Signals that became ignored are dropped. */
void signals_drop(uint64_t set);
bool signal_is_ignored(int number);

/* frame.c */
void siginfo_fill(siginfo_t *to, const struct signal_info *from);
/* Prepares the registers to run the handler; 0 or -EFAULT: the stack cannot take the frame. */
int frame_push(struct registers *user, const struct signal_info *info, const struct signal_action *action,
               uint64_t mask_to_restore);

/* crash.c: tells the host where the process died of the signal. */
void crash_report(const struct signal_info *info, const struct registers *user);
/* A fault goes to a handler: what it was, should the handler raise it again. */
void crash_remember(const struct signal_info *info, const struct registers *user);

#endif
