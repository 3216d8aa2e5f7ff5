/* internal.h - what the files of threads/ (and signals/, for the register state) share. */
#ifndef UNIKIT_THREADS_INTERNAL_H
#define UNIKIT_THREADS_INTERNAL_H

#include "thread.h"

/* The lowest word of each kernel stack: if it is another at a switch, the stack was too small. */
#define STACK_END 0x6b63617473206f6eUL

/* switch.S: pushes what a call keeps, stores the stack pointer in *saved, continues where `to` was stored. */
void switch_stacks(uintptr_t *saved, uintptr_t to);

/* schedule.c: what a thread just switched to does first: frees the one that ended before it. */
void switch_finish(void);
/* schedule.c: the timer interrupt's last step: is the running thread's slice over? */
void schedule_tick(void);
/* schedule.c: CPU time of a thread in ns, up to this moment. */
uint64_t thread_cpu_time(const struct thread *t);
/* CPU time of threads that ended (exit.c). */
extern uint64_t threads_ended_time;

/* thread.c: the memory of a dead thread, when its stack is no longer in use. */
void thread_free(struct thread *t);

/* fpu.c: extended registers. */
struct fpu_features {
    uint64_t mask; /* XCR0, or x87 and SSE without XSAVE */
    uint32_t mxcsr_mask;
};
extern struct fpu_features fpu_features;
uint8_t *fpu_new(void);                  /* an area in the initial state; NULL: no memory */
void fpu_free(uint8_t *area);            /* also if NULL */
void fpu_enter(struct thread *t);        /* t's registers are in the CPU afterwards */
void fpu_forget(const struct thread *t); /* t ended: nobody's registers are in the CPU */
void fpu_copy_current(uint8_t *area);    /* the current thread's registers */
void fpu_save_to(uint8_t *area);         /* 64-byte aligned, fpu_size bytes, perhaps user memory (held) */
int fpu_load_from(uint8_t *area);        /* checked: 0, or -EINVAL and nothing changed */
void fpu_load_initial(void);             /* what a signal handler and a new program start with */
void segments_switch(struct thread *from, struct thread *to);
uintptr_t fs_base_read(void);
void fs_base_write(uintptr_t base);
uintptr_t gs_base_read(void);
void gs_base_write(uintptr_t base);

/* signals/send.c: t ended: what was pending for it alone is gone. */
void signals_forget(struct thread *t);
/* robust.c: a thread ends: its robust mutexes are told. */
void robust_release(struct thread *t);
/* futex.c: wakes up to n waiters on a user word. */
int futex_wake_address(uintptr_t address, int n);
/* The current thread ends and may hold the lock in this word. */
void futex_owner_died(uintptr_t address, bool pi);

#endif
