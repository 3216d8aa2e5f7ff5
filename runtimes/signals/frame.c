/* frame.c - the frame on the user's stack that a handler runs on, and rt_sigreturn(2) which undoes it.
 *
 * The layout is Linux's struct rt_sigframe (arch/x86/include/asm/sigframe.h; its parts are in the exported
 * headers sigcontext.h, ucontext.h, siginfo.h), because unwinders, gdb and Go read it. From high to low
 * addresses: the red zone of the interrupted code, the xsave area with the software fields that describe it,
 * siginfo, ucontext, the return address.
 */
#include "signals.h"
#include <asm/sigcontext.h>
#include <asm/ucontext.h>
#include "cpu.h"
#include "memory.h"
#include "process.h"
#include "../threads/internal.h"

#define SS_ONSTACK   1 /* sigaltstack(2); the exported headers lack them */
#define SS_DISABLE   2
#define RED_ZONE     128
#define FRAME_ALIGN  16
#define AUTODISARM   (1U << 31) /* SS_AUTODISARM */
#define SW_OFFSET    464        /* of struct _fpx_sw_bytes in the FXSAVE area */
#define XSTATE_AT    512        /* the XSAVE header */
#define FXSAVE_BYTES 512

#define FLAG_TF 0x100UL
#define FLAG_IF 0x200UL
#define FLAG_DF 0x400UL
#define FLAG_RF 0x10000UL
/* What user code may set by itself: the arithmetic flags, TF, DF, RF, AC. */
#define FLAGS_OF_USER 0x50dd5UL
#define USER_CS       0x33 /* what Linux would show; the selectors are not taken back */
#define USER_SS       0x2b

struct frame {
    uintptr_t return_address;
    struct ucontext context;
    siginfo_t info;
};

static size_t area_size(void)
{
    return fpu_size + (cpu.xcr0 ? FP_XSTATE_MAGIC2_SIZE : 0);
}

size_t signal_frame_size(void)
{
    return align_up(sizeof(struct frame) + area_size() + 64 + FRAME_ALIGN, 16UL);
}

void siginfo_fill(siginfo_t *to, const struct signal_info *from)
{
    memset(to, 0, sizeof(*to));
    to->si_signo = from->number;
    to->si_code = from->code;
    to->si_errno = from->error;
    if (from->code == SI_TIMER) {
        to->si_tid = from->sender;
        to->si_overrun = from->value_int;
        to->si_ptr = (void *)from->value;
    } else if (from->code > 0 && from->code != SI_KERNEL && BIT(from->number) & SYNCHRONOUS) {
        to->si_addr = (void *)from->address;
    } else if (from->code == SI_KERNEL) {
        if (BIT(from->number) & SYNCHRONOUS)
            to->si_addr = (void *)from->address;
    } else {
        to->si_pid = from->sender;
        to->si_uid = 0;
        if (from->code != SI_USER && from->code != SI_TKILL)
            to->si_ptr = (void *)from->value;
    }
}

static bool on_alternate(uintptr_t sp)
{
    const struct thread_signals *s = &current->signals;
    return !((unsigned)s->alt_flags & AUTODISARM) && s->alt_size && sp > s->alt_stack &&
           sp - s->alt_stack <= s->alt_size;
}

static void context_fill(struct ucontext *c, const struct registers *r, const struct signal_info *info,
                         uint64_t mask)
{
    const struct thread_signals *s = &current->signals;
    struct sigcontext *m = &c->uc_mcontext;
    c->uc_flags = UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS | (cpu.xcr0 ? UC_FP_XSTATE : 0);
    c->uc_stack.ss_sp = (void *)s->alt_stack;
    c->uc_stack.ss_size = s->alt_size;
    c->uc_stack.ss_flags = s->alt_flags | (on_alternate(r->rsp) ? SS_ONSTACK : 0);
    m->r8 = r->r8, m->r9 = r->r9, m->r10 = r->r10, m->r11 = r->r11;
    m->r12 = r->r12, m->r13 = r->r13, m->r14 = r->r14, m->r15 = r->r15;
    m->rdi = r->rdi, m->rsi = r->rsi, m->rbp = r->rbp, m->rbx = r->rbx;
    m->rdx = r->rdx, m->rax = r->rax, m->rcx = r->rcx, m->rsp = r->rsp;
    m->rip = r->rip, m->eflags = r->rflags;
    m->cs = USER_CS;
    m->ss = USER_SS;
    m->oldmask = mask;
    if (BIT(info->number) & SYNCHRONOUS && info->code > 0) {
        m->err = r->error;
        m->cr2 = info->address;
        m->trapno = info->number == SIGSEGV || info->number == SIGBUS ? 14 : info->number == SIGILL ? 6 : 0;
    }
    memcpy(&c->uc_sigmask, &mask, sizeof(mask));
}

/* The registers into user memory that is held, with the words that say how large they are. */
static int area_save(uint8_t *area)
{
    fpu_save_to(area);
    struct _fpx_sw_bytes sw = {0};
    if (cpu.xcr0) {
        sw.magic1 = FP_XSTATE_MAGIC1;
        sw.extended_size = fpu_size + FP_XSTATE_MAGIC2_SIZE;
        sw.xfeatures = fpu_features.mask;
        sw.xstate_size = fpu_size;
        uint32_t end = FP_XSTATE_MAGIC2;
        memcpy(area + fpu_size, &end, sizeof(end));
    }
    memcpy(area + SW_OFFSET, &sw, sizeof(sw));
    return 0;
}

int frame_push(struct registers *user, const struct signal_info *info, const struct signal_action *action,
               uint64_t mask)
{
    struct thread_signals *s = &current->signals;
    uintptr_t sp = user->rsp - RED_ZONE;
    bool already = on_alternate(user->rsp);
    bool alternate = action->flags & SA_ONSTACK && s->alt_size && !already;
    if (alternate)
        sp = s->alt_stack + s->alt_size;
    if (sp > USER_END || sp < area_size() + sizeof(struct frame) + 256)
        return -EFAULT;
    uintptr_t area = align_down(sp - area_size(), 64UL);
    uintptr_t at = align_down(area - sizeof(struct frame), 16UL) - 8;
    if ((already || alternate) && (at < s->alt_stack || at - s->alt_stack > s->alt_size))
        return -EFAULT;
    if (!(action->flags & SA_RESTORER) || user_hold((void __user *)at, sp - at, true) < 0)
        return -EFAULT;

    struct frame frame;
    memset(&frame, 0, sizeof(frame));
    frame.return_address = action->restorer;
    siginfo_fill(&frame.info, info);
    context_fill(&frame.context, user, info, mask);
    frame.context.uc_mcontext.fpstate = (void *)area;
    area_save((uint8_t *)area);
    if (copy_out((void __user *)at, &frame, sizeof(frame)))
        return -EFAULT;
    if ((unsigned)s->alt_flags & AUTODISARM) {
        s->alt_stack = 0, s->alt_size = 0;
        s->alt_flags = SS_DISABLE;
    }

    user->rip = action->handler;
    user->rsp = at;
    user->rdi = (uint64_t)info->number;
    user->rsi = at + offsetof(struct frame, info);
    user->rdx = at + offsetof(struct frame, context);
    user->rax = 0;
    user->rflags &= ~(FLAG_DF | FLAG_RF | FLAG_TF);
    fpu_load_initial();
    return 0;
}

/* The area that the frame points to: checked in the thread's own area, which is free while the thread runs.
 */
static int area_load(uintptr_t from)
{
    if (!from) {
        fpu_load_initial();
        return 0;
    }
    uint8_t *area = current->fpu;
    memset(area, 0, fpu_size);
    if (copy_in(area, (const void __user *)from, FXSAVE_BYTES))
        return -EFAULT;
    struct _fpx_sw_bytes sw;
    memcpy(&sw, area + SW_OFFSET, sizeof(sw));
    if (cpu.xcr0) {
        uint32_t end = 0;
        uint64_t present = 3; /* x87 and SSE: all that a frame without the magic words has */
        if (sw.magic1 == FP_XSTATE_MAGIC1 && sw.xstate_size <= fpu_size && sw.xstate_size > XSTATE_AT + 64 &&
            get_user(end, (const uint32_t __user *)(from + sw.xstate_size)) == 0 && end == FP_XSTATE_MAGIC2) {
            if (copy_in(area + XSTATE_AT, (const void __user *)(from + XSTATE_AT),
                        sw.xstate_size - XSTATE_AT))
                return -EFAULT;
        } else {
            memcpy(area + XSTATE_AT, &present, sizeof(present));
        }
    }
    return fpu_load_from(area);
}

SYSCALL(rt_sigreturn, void)
{
    struct registers *user = current->user;
    struct thread_signals *s = &current->signals;
    struct frame frame;
    const struct sigcontext *m = &frame.context.uc_mcontext;
    /* The handler's `ret` took the return address. */
    if (copy_in(&frame, (const void __user *)(user->rsp - sizeof(uintptr_t)), sizeof(frame)))
        goto bad;
    user->r8 = m->r8, user->r9 = m->r9, user->r10 = m->r10, user->r11 = m->r11;
    user->r12 = m->r12, user->r13 = m->r13, user->r14 = m->r14, user->r15 = m->r15;
    user->rdi = m->rdi, user->rsi = m->rsi, user->rbp = m->rbp, user->rbx = m->rbx;
    user->rdx = m->rdx, user->rax = m->rax, user->rcx = m->rcx, user->rsp = m->rsp;
    user->rip = m->rip;
    user->rflags = (m->eflags & FLAGS_OF_USER) | (user->rflags & ~FLAGS_OF_USER) | FLAG_IF;
    user->number = (uint64_t)-1;
    if (user->rip >= USER_END || area_load((uintptr_t)m->fpstate) < 0)
        goto bad;
    uint64_t mask;
    memcpy(&mask, &frame.context.uc_sigmask, sizeof(mask));
    signals_set_blocked(mask);
    s->alt_stack = (uintptr_t)frame.context.uc_stack.ss_sp;
    s->alt_size = frame.context.uc_stack.ss_flags & SS_DISABLE ? 0 : frame.context.uc_stack.ss_size;
    s->alt_flags = frame.context.uc_stack.ss_flags & ~SS_ONSTACK;
    if (reschedule)
        schedule_if_needed();
    signal_deliver(user, false);
    user_return(user);
bad:
    user->number = (uint64_t)-1;
    signal_fault(SIGSEGV, SI_KERNEL, user->rsp);
    user_return(user);
}

/* sigaltstack(2) */
SYSCALL(sigaltstack, const stack_t __user *new, stack_t __user *old)
{
    struct thread_signals *s = &current->signals;
    uintptr_t sp = current->user->rsp;
    stack_t was = {.ss_sp = (void *)s->alt_stack, .ss_size = s->alt_size};
    was.ss_flags = s->alt_size ? s->alt_flags | (on_alternate(sp) ? SS_ONSTACK : 0) : SS_DISABLE;
    if (new) {
        stack_t wanted;
        if (copy_in(&wanted, new, sizeof(wanted)))
            return -EFAULT;
        unsigned mode = (unsigned)wanted.ss_flags & ~AUTODISARM;
        if (on_alternate(sp))
            return -EPERM;
        if (mode != SS_DISABLE && mode != SS_ONSTACK && mode != 0)
            return -EINVAL;
        if (mode == SS_DISABLE) {
            s->alt_stack = 0, s->alt_size = 0;
            s->alt_flags = SS_DISABLE;
        } else if (wanted.ss_size < MINSIGSTKSZ) {
            return -ENOMEM;
        } else {
            s->alt_stack = (uintptr_t)wanted.ss_sp;
            s->alt_size = wanted.ss_size;
            s->alt_flags = (int)((unsigned)wanted.ss_flags & AUTODISARM);
        }
    }
    return old && copy_out(old, &was, sizeof(was)) ? -EFAULT : 0;
}
