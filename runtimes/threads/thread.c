/* thread.c - threads come and go.
 *
 * A thread is a kernel stack with the user registers at its top, an area for the extended registers, and the
 * record. A new thread's stack is laid out as if it had been switched away from at the start of
 * thread_first().
 *
 * Identifiers start at PROCESS_ID, the first thread's and the process's own: not 1, because programs take
 * that for "I am init, in a container" and change their ways (reaping, signal defaults).
 */
#include "internal.h"
#include "memory.h"
#include "process.h"

#define STACK_ORDER 2

_Static_assert(KERNEL_STACK_SIZE == PAGE_SIZE << STACK_ORDER, "kernel stacks are whole page blocks");
_Static_assert(sizeof(struct registers) % 16 == 0, "the stack below the registers must be aligned");

struct list threads_all = LIST_INIT(threads_all);
int threads_count;
int process_id = PROCESS_ID;

static int last_tid = PROCESS_ID - 1;

/* What runs until boot_done(): it may wait, as any thread, but has no user side. */
static struct thread boot_thread = {
    .run = LIST_INIT(boot_thread.run),
    .state = THREAD_RUNNING,
    .signals = {.blocked = ~0UL, .queue = LIST_INIT(boot_thread.signals.queue)},
    .name = "boot",
};

static noreturn void thread_first(void)
{
    switch_finish();
    user_return(current->user);
}

/* As Linux, tids wrap at 4194304 (PID_MAX_LIMIT) and do not repeat while in use. */
static int tid_new(void)
{
    do {
        last_tid = last_tid >= 4194303 ? PROCESS_ID + 1 : last_tid + 1;
    } while (thread_by_tid(last_tid));
    return last_tid;
}

struct thread *thread_create(const struct registers *user, uintptr_t fs_base)
{
    struct thread *t = kzalloc(sizeof(*t));
    if (!t)
        return NULL;
    t->stack = (uintptr_t)pages_alloc(STACK_ORDER);
    t->fpu = fpu_new();
    if (!t->stack || !t->fpu) {
        thread_free(t);
        return NULL;
    }
    *(uint64_t *)t->stack = STACK_END;
    t->user = (struct registers *)(t->stack + KERNEL_STACK_SIZE) - 1;
    *t->user = *user;
    /* switch_stacks() pops six registers and returns: thread_first() finds the stack as after a call. */
    uintptr_t *frame = (uintptr_t *)t->user - 2;
    *frame = (uintptr_t)thread_first;
    frame[1] = 0;
    for (int i = 0; i < 6; i++)
        *--frame = 0;
    t->saved_sp = (uintptr_t)frame;
    t->fs_base = fs_base;
    t->tid = tid_new();
    list_init(&t->run);
    list_init(&t->signals.queue);
    t->signals.alt_flags = 2; /* SS_DISABLE */
    memcpy(t->name, current->name, sizeof(t->name));
    list_append(&threads_all, &t->all);
    threads_count++;
    return t;
}

void thread_renew(struct thread *t)
{
    t->tid = tid_new();
}

void thread_free(struct thread *t)
{
    if (t == &boot_thread)
        return;
    if (t->stack)
        pages_free((void *)t->stack, STACK_ORDER);
    fpu_free(t->fpu);
    kfree(t);
}

struct thread *thread_by_tid(int tid)
{
    list_for_each (p, &threads_all) {
        struct thread *t = list_entry(p, struct thread, all);
        if (t->tid == tid)
            return t;
    }
    return NULL;
}

START(threads)
{
    list_init(&boot_thread.all);
    list_init(&boot_thread.run);
    boot_thread.state = THREAD_RUNNING;
    boot_thread.since = 0;
    current = &boot_thread;
}
