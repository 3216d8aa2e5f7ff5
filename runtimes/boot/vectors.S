/* boot/vectors.S - ways into the kernel and back: exceptions, interrupts, system calls.
 *
 * User code runs in ring 0 and keeps data below its stack pointer (the red zone), so nothing may be pushed
 * there: every vector has an interrupt stack (IST). That stack is used for a few instructions only. The stub
 * looks where the interrupted code was: in the user half, the registers go to the top of the thread's kernel
 * stack; in the kernel half, right below the interrupted stack pointer (the kernel is compiled without a red
 * zone). So kernel code may fault on user memory, and may even wait there.
 *
 * Intel SDM volume 3, 6.14 (interrupts in 64-bit mode); AMD64 manual volume 2, 6.1 (SYSCALL).
 */
#include "registers.h"

    .text
/* ---- 256 vectors, 16 bytes each */
    .balign 16
    .globl trap_vectors
trap_vectors:
    vector = 0
    .rept 256
    .balign 16
    .if vector != 8 && vector != 10 && vector != 11 && vector != 12 && vector != 13 && vector != 14 && vector != 17 && vector != 21 && vector != 29 && vector != 30
    pushq $0
    .endif
    pushq $vector
    .if vector == 2 || vector == 8 || vector == 18
    jmp trap_fatal
    .else
    jmp trap_common
    .endif
    vector = vector + 1
    .endr

/* All registers but rax, relative to rax, and what the vector and the CPU pushed. rax itself is on top. */
.macro SAVE_AT_RAX
    mov %r15, R_R15(%rax)
    mov %r14, R_R14(%rax)
    mov %r13, R_R13(%rax)
    mov %r12, R_R12(%rax)
    mov %rbp, R_RBP(%rax)
    mov %rbx, R_RBX(%rax)
    mov %r11, R_R11(%rax)
    mov %r10, R_R10(%rax)
    mov %r9, R_R9(%rax)
    mov %r8, R_R8(%rax)
    mov %rcx, R_RCX(%rax)
    mov %rdx, R_RDX(%rax)
    mov %rsi, R_RSI(%rax)
    mov %rdi, R_RDI(%rax)
    popq R_RAX(%rax)
    pop %rsi                    /* the vector */
    movq $-1, R_NUMBER(%rax)
    popq R_ERROR(%rax)
    popq R_RIP(%rax)
    popq R_CS(%rax)
    popq R_RFLAGS(%rax)
    popq R_RSP(%rax)
    popq R_SS(%rax)
    mov %rax, %rsp
    mov %rax, %rdi
    mov $STACK_SELECTOR, %ecx   /* emulators make it null, and keep what they translated apart by it */
    mov %ecx, %ss
    cld
.endm

trap_common:
    push %rax
    cmpq $0, 24(%rsp)           /* rip: negative is the kernel half */
    js 1f
trap_from_user:
    mov current, %rax
    mov THREAD_USER(%rax), %rax
    SAVE_AT_RAX
    call trap_user
    jmp registers_return

1:  mov 24(%rsp), %rax
    cmp $kernel_text_start, %rax /* user code that jumped astray */
    jb trap_from_user
    cmp $kernel_text_end, %rax
    jae trap_from_user
    cmp $trap_vectors, %rax     /* a fault in these very instructions: no stack to be trusted */
    jb 2f
    cmp $trap_vectors_code_end, %rax
    jb trap_fatal_pushed
2:  cmp $syscall_return_window, %rax
    je 3f
    cmp $syscall_return_window_2, %rax
    je 4f
    mov 48(%rsp), %rax          /* the interrupted rsp */
    and $-16, %rax
    sub $R_SIZE, %rax
    SAVE_AT_RAX
    call trap_kernel
    jmp registers_return

    /* Interrupts were just enabled by the popf that ends a system call: rcx holds the user's rip. */
3:  mov 48(%rsp), %rax
    mov (%rax), %rax
    mov %rax, 48(%rsp)
4:  mov %rcx, 24(%rsp)
    jmp trap_from_user

/* NMI, double fault, machine check: on stacks of their own, never to return. */
trap_fatal:
    push %rax
trap_fatal_pushed:
    mov $trap_fatal_registers, %rax
    SAVE_AT_RAX
    mov $trap_fatal_stack_top, %rsp
    xor %ebp, %ebp
    call trap_panic
    ud2

/* Everything from the registers at rsp. */
    .globl registers_return
registers_return:
    mov R_R15(%rsp), %r15
    mov R_R14(%rsp), %r14
    mov R_R13(%rsp), %r13
    mov R_R12(%rsp), %r12
    mov R_RBP(%rsp), %rbp
    mov R_RBX(%rsp), %rbx
    mov R_R11(%rsp), %r11
    mov R_R10(%rsp), %r10
    mov R_R9(%rsp), %r9
    mov R_R8(%rsp), %r8
    mov R_RAX(%rsp), %rax
    mov R_RCX(%rsp), %rcx
    mov R_RDX(%rsp), %rdx
    mov R_RSI(%rsp), %rsi
    mov R_RDI(%rsp), %rdi
    add $R_RIP, %rsp
    iretq
trap_vectors_code_end:

/* ---- system calls. In: rcx = rip, r11 = rflags, the user's stack; interrupts off (SFMASK). */
    .balign 16
    .globl syscall_entry
syscall_entry:
    mov %rsp, syscall_user_sp
    mov current, %rsp
    mov THREAD_USER(%rsp), %rsp
    mov %rcx, R_RIP(%rsp)
    mov %r11, R_RFLAGS(%rsp)
    mov syscall_user_sp, %rcx
    mov %rcx, R_RSP(%rsp)
    mov %rax, R_NUMBER(%rsp)
    mov %rdi, R_RDI(%rsp)
    mov %rsi, R_RSI(%rsp)
    mov %rdx, R_RDX(%rsp)
    mov %r10, R_R10(%rsp)
    mov %r8, R_R8(%rsp)
    mov %r9, R_R9(%rsp)
    mov %rbx, R_RBX(%rsp)
    mov %rbp, R_RBP(%rsp)
    mov %r12, R_R12(%rsp)
    mov %r13, R_R13(%rsp)
    mov %r14, R_R14(%rsp)
    mov %r15, R_R15(%rsp)
    cmp $SYSCALL_TABLE_SIZE, %rax
    jae 2f
    mov %r10, %rcx
    call *syscall_table(, %rax, 8)
1:  mov %rax, R_RAX(%rsp)
    cmpb $0, return_work
    jne syscall_return_slow
    mov R_RIP(%rsp), %rcx
    mov R_RDI(%rsp), %rdi
    mov R_RSI(%rsp), %rsi
    mov R_RDX(%rsp), %rdx
    mov R_R10(%rsp), %r10
    mov R_R8(%rsp), %r8
    mov R_R9(%rsp), %r9
    mov R_RFLAGS(%rsp), %r11
    add $R_RFLAGS, %rsp
    popfq
syscall_return_window:
    pop %rsp
syscall_return_window_2:
    jmp *%rcx
2:  call syscall_missing
    jmp 1b

/* With something to do first: threads to switch, signals to deliver. Then every register counts. */
syscall_return_slow:
    mov %rsp, %rdi
    call syscall_return
    jmp registers_return

    .bss
    .balign 16
syscall_user_sp: .skip 8
    .balign 16
    .globl trap_fatal_registers
trap_fatal_registers: .skip R_SIZE
trap_fatal_stack:
    .skip 8192
trap_fatal_stack_top:

    .section .note.GNU-stack, "", @progbits
