/* unpack/entry.S - the entry of a compressed image, and the way on to what was unpacked.
 *
 * Enters as a kernel does. The C code runs in long mode with the first 4 GiB mapped where they are; then the CPU
 * goes back to the state in which it came, for the PVH entry of what was unpacked.
 */
#include "entry.h"

#define GIGABYTES 4

/* struct start_info and struct map_entry (pvh.h). */
#define START_MAGIC  0x336ec578
#define VERSION      4
#define MAP          40
#define MAP_ENTRIES  48
#define ENTRY_SIZE   24
#define ENTRY_LENGTH 8
#define ENTRY_TYPE   16
#define MEMORY_RAM   1

    PVH_NOTE first_entry

/* What is frozen keeps the unpacker behind itself, where there may be no memory to run it from: so the first
 * steps are in the place of something that is not unpacked yet. */
    .section .first, "ax"
    .code32
    .globl first_entry
first_entry:
    cld
    cli
    cmpl $START_MAGIC, (%ebx)
    jne enough                  /* the C code says what is wrong */
    cmpl $0, VERSION(%ebx)
    je enough
    mov MAP(%ebx), %esi
    mov MAP_ENTRIES(%ebx), %ecx
    jecxz no_room
1:  cmpl $MEMORY_RAM, ENTRY_TYPE(%esi)
    jne 2f
    cmpl $0, 4(%esi)
    jne 2f
    mov (%esi), %eax
    cmp $unpack_start, %eax
    ja 2f
    mov ENTRY_LENGTH + 4(%esi), %edx
    add ENTRY_LENGTH(%esi), %eax
    adc $0, %edx
    jnz enough                  /* it ends beyond 4 GiB */
    cmp $unpack_end, %eax
    jae enough
2:  add $ENTRY_SIZE, %esi
    loop 1b
no_room:
    GIVE_UP too_little
enough:
    mov $unpack_entry, %eax
    jmp *%eax
too_little:                     /* the linker script adds the number */
    .ascii "unikit: The memory ends before the unpacked image does. Start the machine with at least as many MiB (-m): "

    .section .boot.text, "ax"
    .code32
    .globl unpack_entry
unpack_entry:
    cld
    cli
    mov $stack_top, %esp
    mov %ebx, %esi              /* start info */
    NEED_LONG_MODE no_long_mode

    MAP_FROM_ZERO directories, GIGABYTES
    mov $(directories + TABLE), %eax
    mov $pointers, %edi
1:  mov %eax, (%edi)
    add $8, %edi
    add $TABLE_SIZE, %eax
    cmp $(directories + GIGABYTES * TABLE_SIZE), %eax
    jb 1b
    movl $(pointers + TABLE), top
    ENTER_LONG_MODE top, unpack_long

no_long_mode:
    GIVE_UP message

    .code64
unpack_long:
    mov $DATA, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov %esi, %edi
    mov %esi, %ebx              /* where the next entry wants it, and a callee keeps it */
    call unpack
    pushq $CODE_32
    pushq $unpack_return
    lretq

    .code32
unpack_return:
    mov $DATA, %edx
    mov %edx, %ds
    mov %edx, %es
    mov %edx, %ss
    mov %eax, %esi              /* the entry */
    mov %cr0, %eax
    and $~CR0_PG, %eax
    mov %eax, %cr0
    mov $EFER, %ecx
    rdmsr
    and $~EFER_LME, %eax
    wrmsr
    xor %eax, %eax
    mov %eax, %cr4
    jmp *%esi

    .section .rodata.unpack, "a"
message:
    .asciz "unikit: this CPU has no 64-bit mode\n"
    GDT

    .section .bss.unpack, "aw", @nobits
    .balign TABLE_SIZE
top:         .skip TABLE_SIZE
pointers:    .skip TABLE_SIZE
directories: .skip GIGABYTES * TABLE_SIZE
    .skip 16384
stack_top:

    .section .note.GNU-stack, "", @progbits
