/* thread.h - threads, waiting and waking, timers, clocks. */
#ifndef UNIKIT_THREAD_H
#define UNIKIT_THREAD_H

#include "kernel.h"

/* User registers as the kernel's entry code lays them at the top of the thread's kernel stack. The order is
 * fixed by boot/entry.S. `error` is the exception's error code; `number` is the system call's number or -1.
 */
struct registers {
    uint64_t r15, r14, r13, r12, rbp, rbx;
    uint64_t r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
    uint64_t number, error;
    uint64_t rip, cs, rflags, rsp, ss;
};

/* ---- threads */
#define KERNEL_STACK_SIZE 16384UL

enum thread_state { THREAD_READY, THREAD_RUNNING, THREAD_WAITING, THREAD_DEAD };

/* Signals of one thread; signals/ owns the meaning. Bit n-1 of a set is signal n. */
struct thread_signals {
    uint64_t blocked, pending, saved_mask;
    bool restore_mask; /* sigsuspend, ppoll: the mask to come back to is saved_mask */
    struct list queue; /* queued siginfo */
    uintptr_t alt_stack;
    size_t alt_size;
    int alt_flags;
};

struct thread {
    struct list run; /* in the run queue */
    struct list all; /* in threads_all */
    int tid;
    enum thread_state state;
    uintptr_t stack;        /* kernel stack, lowest address; registers are at its top */
    uintptr_t saved_sp;     /* while not running */
    struct registers *user; /* == stack + KERNEL_STACK_SIZE - sizeof(struct registers) */
    uint8_t *fpu;           /* xsave area, 64-byte aligned */
    uintptr_t fs_base, gs_base;
    uint64_t ran;   /* ns of CPU used before `since` */
    uint64_t since; /* clock_now() when it last got the CPU */
    uint64_t slice_end;
    uint64_t share;      /* CPU used, as the scheduler counts it: the least of those ready runs next */
    uintptr_t clear_tid; /* CLONE_CHILD_CLEARTID */
    bool ending;         /* it ends before it runs user code again */
    bool restarted;      /* it need not be there after a freeze: the program starts another (freeze/) */
    uintptr_t robust_list;
    struct thread_signals signals;
    long (*restart)(struct thread *); /* ERESTART_RESTARTBLOCK */
    uint64_t restart_data[4];
    char name[16];
};

extern struct thread *current; /* never NULL after INIT(threads) */
extern struct list threads_all;
extern int threads_count;

/* A thread that will start in user mode with these registers; NULL: no memory. It is made ready with
 * thread_ready(). */
struct thread *thread_create(const struct registers *user, uintptr_t fs_base);
struct thread *thread_by_tid(int tid);
/* It gets a tid that was not used before. */
void thread_renew(struct thread *);
void thread_ready(struct thread *);
noreturn void thread_exit(int status); /* of the current thread; the last one ends the process */

/* threads/schedule.c: gives up the CPU until made ready. State must be set before. */
void schedule(void);
/* On the way back to user code: takes another thread if the slice ended or a better one is ready. */
void schedule_if_needed(void);
/* Lets all others run first that are ready, whatever the shares say. */
void thread_step_back(void);
extern bool reschedule; /* set by wake-ups and the slice timer, read on the way back to user code */

/* The whole process ends: report, power-off. signal 0: by exit_group(status). */
noreturn void process_exit(int status, int signal);

/* ---- freezing (freeze/) */
/* Did the program say that its next fork is the one? */
bool freeze_wanted(void);
/* The memory becomes an image. Comes back when that image resumes: 0; or at once: -errno, it cannot. */
int freeze(void);
/* Timers that a fork's child does not inherit (signals/). */
bool itimer_armed(void);
bool posix_timer_armed(void);
/* The image resumes: the frozen thread is ready. */
void thaw(void);
/* Instead: the frozen program is dropped, and executed anew. */
void start_over(void);

/* ---- waiting
 * A
 * wait queue is embedded in whatever can be waited for. `events` are EPOLL* bits; a waiter is only called for
 * events that it asked for (0 asks for all). */
struct wait_queue {
    struct list waiters;
};
struct waiter {
    struct list link;
    unsigned events;
    void (*wake)(struct waiter *, unsigned events); /* runs in the waker's context, must not block */
    void *data;
};
static inline void wait_queue_init(struct wait_queue *q)
{
    list_init(&q->waiters);
}
static inline void wait_queue_add(struct wait_queue *q, struct waiter *w)
{
    list_append(&q->waiters, &w->link);
}
static inline void wait_queue_remove(struct waiter *w)
{
    list_remove(&w->link);
}
void wake_all(struct wait_queue *q, unsigned events);
void wake_one(struct wait_queue *q, unsigned events);

#define NEVER UINT64_MAX
/* Sleeps until woken through `q` (NULL: only by time or signal) or until `deadline` on clock_now()'s scale. 0
 * when woken (perhaps for nothing: look again), -ETIMEDOUT, -ERESTARTSYS when a signal is to be handled. */
int wait_on(struct wait_queue *q, unsigned events, uint64_t deadline);
/* Sleeps until `condition` holds. 0, -ETIMEDOUT or -ERESTARTSYS. */
#define wait_for(q, events, deadline, condition)                                                             \
    ({                                                                                                       \
        int wait_result_ = 0;                                                                                \
        while (!(condition) && (wait_result_ = wait_on((q), (events), (deadline))) == 0)                     \
            ;                                                                                                \
        (condition) ? 0 : wait_result_;                                                                      \
    })
/* A thread's own sleep, for futexes and the like: set up, schedule(), cleaned up by the caller. */
void thread_wake(
    struct thread *); /* a waiting thread becomes ready, ahead of those that use up their slices */

/* ---- time */
uint64_t clock_now(void);       /* CLOCK_MONOTONIC: ns since power-on, continues over a freeze */
extern uint64_t clock_power_on; /* when this machine was switched on: 0, but in a frozen image */
int64_t clock_real(void);       /* CLOCK_REALTIME: ns since 1970 */
void clock_set_real(int64_t ns);
void clock_freeze(void); /* the memory is written out: time stands until it resumes */

struct timer {
    struct timer *child, *next, *prev; /* the heap's (clock/timers.c) */
    uint64_t when;
    void (*fire)(
        struct timer *); /* in interrupt context: wakes others, must not block; may start the timer again */
    bool active;
};
void timer_start(struct timer *, uint64_t when); /* again: moves it */
void timer_cancel(struct timer *);
void timers_run(void); /* fires what is due and programs the hardware for the next; by the timer interrupt */
/* Hardware one-shot (clock/lapic.c): interrupt at `when`; NEVER stops it. */
void clock_alarm(uint64_t when);

/* ---- signals (signals/) */
struct signal_info { /* what goes into siginfo_t */
    int number, code, error;
    uintptr_t address;
    int value_int;
    uint64_t value;
    int sender;
};
/* To the process (thread NULL) or a thread. 0 or -EAGAIN. */
int signal_send(struct thread *, const struct signal_info *);
/* A fault of the current thread: to its handler even if blocked as Linux does (blocked or ignored: it is
 * fatal). */
void signal_fault(int number, int code, uintptr_t address);
/* Is there one that interrupts the current thread's wait? */
bool signal_pending(void);
/* On the way back to user code: builds frames, restarts calls. `restart`: the registers are those of a system
 * call. */
void signal_deliver(struct registers *, bool system_call);

/* ---- what boot/ (entry, traps, exec) and threads/, clock/ want of each other */
/* Something is to be done before the current thread goes on in user code: reschedule, signals, restarts. Set
 * by threads/ and signals/ (also at every switch); whoever acts on it clears it first, then calls
 * schedule_if_needed() if `reschedule`, then signal_deliver(). */
extern bool return_work;
/* To user code with all of these registers, rcx and r11 too. New threads start with it, rt_sigreturn ends
 * with it. (threads/switch.S, by way of registers_return in boot/vectors.S) */
noreturn void user_return(struct registers *);
/* Called by the trap code after an interrupt's handler ran: end of interrupt. (clock/lapic.c) */
void lapic_eoi(void);
/* The vector of a spurious interrupt needs no eoi. The alarm's vector comes from interrupt_vector(). */
#define LAPIC_SPURIOUS_VECTOR 0xff
/* Bytes that a signal frame takes at most, for AT_MINSIGSTKSZ. (signals/frame.c) */
size_t signal_frame_size(void);
/* The boot context is over: the threads made ready take the CPU, its stack is never used again. */
noreturn void boot_done(void);
/* Bytes that a thread's xsave area takes (threads/fpu.c). */
extern uint32_t fpu_size;
/* Maps the vDSO and its data page; its start, for AT_SYSINFO_EHDR. 0 or -errno. (clock/vdso.c) */
int vdso_map(uintptr_t *address);

/* ---- interrupts (boot/traps.c, bus/) */
typedef void (*interrupt_handler)(void *data);
/* A free CPU vector for `handler`; the vector or -ENOSPC. The controller is acknowledged by the caller of the
 * handler. */
int interrupt_vector(interrupt_handler handler, void *data);
/* An ISA/ACPI global interrupt line routed to a new vector. level/low: trigger mode and polarity. */
int interrupt_line(unsigned line, bool level, bool low, interrupt_handler handler, void *data);

#endif
