/* boot/entry.S - from the loader to C.
 *
 * The first page tables map the first GiB three times: where it is, at DIRECT_MAP and at KERNEL_BASE;
 * boot/tables.c builds the final ones. A resumed (frozen) image enters here as well; boot_frozen says so.
 */

#include "entry.h"
#include "registers.h"

    PVH_NOTE boot_entry

    .section .boot.text, "ax"
    .code32
    .globl boot_entry
boot_entry:
    cld
    cli
    mov %ebx, %esi              /* start info, kept in esi until C */
    mov $boot_stack_top, %esp
    NEED_LONG_MODE no_long_mode

    MAP_FROM_ZERO boot_directory, 1
    movl $(boot_directory + TABLE), boot_pointers_low
    movl $(boot_directory + TABLE), boot_pointers_high + 510 * 8
    movl $(boot_pointers_low + TABLE), boot_top
    movl $(boot_pointers_low + TABLE), boot_top + 256 * 8
    movl $(boot_pointers_high + TABLE), boot_top + 511 * 8
    ENTER_LONG_MODE boot_top, boot_long

no_long_mode:
    GIVE_UP message

    .code64
boot_long:
    mov $DATA, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    xor %eax, %eax
    mov %eax, %fs
    mov %eax, %gs
    mov $boot_high, %rax
    jmp *%rax

    .section .boot.data, "aw"
message:
    .asciz "unikit: this CPU has no 64-bit mode\n"
    GDT

    .section .boot.bss, "aw", @nobits
    .balign TABLE_SIZE
boot_top:           .skip TABLE_SIZE
boot_pointers_low:  .skip TABLE_SIZE
boot_pointers_high: .skip TABLE_SIZE
boot_directory:     .skip TABLE_SIZE
    .skip 256
boot_stack_top:

    .text
boot_high:
    mov $start_stack_top, %rsp
    xor %ebp, %ebp
    mov %esi, %edi
    call start
    ud2

    .section .bss.start_stack, "aw", @nobits
    .balign 16
    .globl start_stack
start_stack:
    .skip START_STACK_SIZE
start_stack_top:

    .section .note.GNU-stack, "", @progbits
