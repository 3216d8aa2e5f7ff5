/* switch.S - from one kernel stack to another.
 *
 * void switch_stacks(uintptr_t *saved, uintptr_t to);
 *
 * Only what the System V ABI wants kept across a call is pushed: the caller's frame holds the rest. User registers lie
 * at the top of each stack already; x87, SSE and AVX registers are the business of fpu.c. The return takes the
 * place where the other thread gave up the CPU, or the start of a new one (thread.c lays out such a stack).
 */
    .text
    .globl switch_stacks
    .type switch_stacks, @function
switch_stacks:
    push %rbp
    push %rbx
    push %r12
    push %r13
    push %r14
    push %r15
    mov %rsp, (%rdi)
    mov %rsi, %rsp
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbx
    pop %rbp
    ret
    .size switch_stacks, . - switch_stacks

/* noreturn void user_return(struct registers *): the end of boot/vectors.S with these registers. */
    .globl user_return
    .type user_return, @function
user_return:
    mov %rdi, %rsp
    jmp registers_return
    .size user_return, . - user_return

    .section .note.GNU-stack, "", @progbits
