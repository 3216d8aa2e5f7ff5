/* boot/traps.c - exceptions, interrupts, and the way back to user code, after boot/vectors.S saved the
 * registers.
 *
 * An exception of user code becomes a signal, except page faults that the address space can mend. An
 * exception of the kernel is a page fault in user memory, one that the table unikit_extable foresees, or the
 * end. Signals and codes as Linux gives them: sigaction(2), "The si_code field".
 */
#include "cpu.h"
#include "extable.h"
#include "memory.h"
#include "registers.h"
#include "report.h"
#include "thread.h"

#define SIGILL  4
#define SIGTRAP 5
#define SIGBUS  7
#define SIGFPE  8
#define SIGSEGV 11

#define SI_KERNEL   0x80
#define SEGV_MAPERR 1
#define SEGV_ACCERR 2
#define BUS_ADRALN  1
#define BUS_ADRERR  2
#define ILL_ILLOPN  2
#define FPE_INTDIV  1
#define FPE_FLTDIV  3
#define FPE_FLTOVF  4
#define FPE_FLTUND  5
#define FPE_FLTRES  6
#define FPE_FLTINV  7
#define TRAP_TRACE  2
#define TRAP_HWBKPT 4

enum {
    EXCEPTION_DE = 0,
    EXCEPTION_DB = 1,
    EXCEPTION_BP = 3,
    EXCEPTION_UD = 6,
    EXCEPTION_NP = 11,
    EXCEPTION_SS = 12,
    EXCEPTION_PF = 14,
    EXCEPTION_MF = 16,
    EXCEPTION_AC = 17,
    EXCEPTION_XM = 19
};

#define FIRST_VECTOR 32
/* Interrupts after which an emulator may look anew how large its TLB should be: QEMU's translator (TCG) does
 * so when all of it is flushed, which a program at work has no reason for. */
#define TLB_PERIOD 1024
#define VECTORS    256

_Static_assert(offsetof(struct registers, rip) == R_RIP && offsetof(struct registers, rax) == R_RAX &&
                   offsetof(struct registers, number) == R_NUMBER && sizeof(struct registers) == R_SIZE &&
                   offsetof(struct thread, user) == THREAD_USER && KERNEL_SS == STACK_SELECTOR,
               "boot/registers.h is out of date");

WEAK void lapic_eoi(void) {}

static struct {
    interrupt_handler handler;
    void *data;
} interrupts[VECTORS] PER_BOOT;
static unsigned vectors_given PER_BOOT;

int interrupt_vector(interrupt_handler handler, void *data)
{
    unsigned vector = FIRST_VECTOR + vectors_given;
    if (vector >= LAPIC_SPURIOUS_VECTOR)
        return -ENOSPC;
    vectors_given++;
    interrupts[vector].handler = handler;
    interrupts[vector].data = data;
    return (int)vector;
}

static void interrupt(unsigned vector)
{
    static unsigned count;

    if (vector == LAPIC_SPURIOUS_VECTOR)
        return;
    if (cpu.translated && !(++count % TLB_PERIOD))
        cr3_write(cr3_read());
    if (interrupts[vector].handler)
        interrupts[vector].handler(interrupts[vector].data);
    lapic_eoi();
}

/* ---- back to user code */
static void leave(struct registers *user, bool system_call)
{
    return_work = false;
    if (reschedule)
        schedule_if_needed();
    signal_deliver(user, system_call);
}

void syscall_return(struct registers *user);
void syscall_return(struct registers *user)
{
    if (user->number != (uint64_t)-1) { /* as the instruction leaves them */
        user->rcx = user->rip;
        user->r11 = user->rflags;
    }
    leave(user, user->number != (uint64_t)-1);
}

/* ---- exceptions of user code */

/* The first unmasked exception that the status word holds (x87) or MXCSR holds. */
static int float_code(unsigned raised)
{
    return raised & 1    ? FPE_FLTINV
           : raised & 4  ? FPE_FLTDIV
           : raised & 8  ? FPE_FLTOVF
           : raised & 18 ? FPE_FLTUND
           : raised & 32 ? FPE_FLTRES
                         : FPE_FLTINV;
}

static unsigned x87_raised(void)
{
    uint16_t status, control;
    __asm__ volatile("fnstsw %0" : "=m"(status));
    __asm__ volatile("fnstcw %0" : "=m"(control));
    return status & ~control & 0x3fU;
}

static unsigned sse_raised(void)
{
    uint32_t mxcsr;
    __asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
    return mxcsr & ~(mxcsr >> 7) & 0x3fU;
}

static void user_page_fault(uintptr_t address, uint64_t error)
{
    int result = address < USER_END ? space_fault(address, error & (FAULT_WRITE | FAULT_EXEC)) : -EFAULT;

    switch (result) {
    case 0:
        return;
    case -ENOMEM:
        space_out_of_memory();
    case -ENXIO:
        signal_fault(SIGBUS, BUS_ADRERR, address);
        return;
    case -EACCES:
        signal_fault(SIGSEGV, SEGV_ACCERR, address);
        return;
    default:
        signal_fault(SIGSEGV, SEGV_MAPERR, address);
    }
}

static void user_exception(struct registers *user, unsigned vector)
{
    switch (vector) {
    case EXCEPTION_PF:
        user_page_fault(cr2_read(), user->error);
        return;
    case EXCEPTION_DE:
        signal_fault(SIGFPE, FPE_INTDIV, user->rip);
        return;
    case EXCEPTION_DB:
        user->rflags &= ~RFLAGS_TF;
        signal_fault(SIGTRAP, TRAP_TRACE, user->rip);
        return;
    case EXCEPTION_BP:
        signal_fault(SIGTRAP, SI_KERNEL, 0);
        return;
    case EXCEPTION_UD:
        signal_fault(SIGILL, ILL_ILLOPN, user->rip);
        return;
    case EXCEPTION_NP:
    case EXCEPTION_SS:
        signal_fault(SIGBUS, SI_KERNEL, 0);
        return;
    case EXCEPTION_AC:
        signal_fault(SIGBUS, BUS_ADRALN, 0);
        return;
    case EXCEPTION_MF:
        signal_fault(SIGFPE, float_code(x87_raised()), user->rip);
        return;
    case EXCEPTION_XM:
        signal_fault(SIGFPE, float_code(sse_raised()), user->rip);
        return;
    default: /* general protection and what should not occur in 64-bit mode */
        signal_fault(SIGSEGV, SI_KERNEL, 0);
    }
}

void trap_user(struct registers *user, unsigned vector);
void trap_user(struct registers *user, unsigned vector)
{
    if (vector >= FIRST_VECTOR)
        interrupt(vector);
    else
        user_exception(user, vector);
    leave(user, false);
}

/* ---- of the kernel */
static noreturn void kernel_fault(const struct registers *r, unsigned vector, uintptr_t address)
{
    char line[256];
    int n = snprintf(line, sizeof(line),
                     "unikit: rax %#lx rbx %#lx rcx %#lx rdx %#lx rsi %#lx rdi %#lx rbp %#lx rsp %#lx "
                     "r8 %#lx r9 %#lx r10 %#lx r12 %#lx\n",
                     r->rax, r->rbx, r->rcx, r->rdx, r->rsi, r->rdi, r->rbp, r->rsp, r->r8, r->r9, r->r10,
                     r->r12);
    console_write(line, (size_t)min(n, (int)sizeof(line) - 1));
    panic("exception %u (error %#lx) in the kernel at %#lx, address %#lx", vector, (unsigned long)r->error,
          (unsigned long)r->rip, address);
}

void trap_kernel(struct registers *r, unsigned vector);
void trap_kernel(struct registers *r, unsigned vector)
{
    uintptr_t address;

    if (vector >= FIRST_VECTOR) {
        interrupt(vector);
        return;
    }
    address = vector == EXCEPTION_PF ? cr2_read() : 0;
    if (vector == EXCEPTION_PF && address < USER_END && !(r->error & FAULT_EXEC)) {
        int result = space_fault(address, r->error & FAULT_WRITE);
        if (result == 0)
            return;
        if (result == -ENOMEM)
            space_out_of_memory();
    }
    for_each_record(unikit_extable, record)
    {
        if (record->fault == r->rip) {
            r->rip = record->fixup;
            return;
        }
    }
    kernel_fault(r, vector, address);
}

/* NMI, double fault, machine check, or a fault on the way in: on a stack of its own. */
noreturn void trap_panic(struct registers *r, unsigned vector);
void trap_panic(struct registers *r, unsigned vector)
{
    kernel_fault(r, vector, vector == EXCEPTION_PF ? cr2_read() : 0);
}
