/* boot/entry.S - from the loader to C.
 *
 * The machine enters at boot_entry in 32-bit protected mode without paging, %ebx = physical address of the
 * start info (Xen's "PVH entry point", xen/include/public/arch-x86/hvm/start_info.h). The first page tables
 * map the first GiB three times: where it is, at DIRECT_MAP and at KERNEL_BASE; boot/tables.c builds the final
 * ones. A resumed (frozen) image enters here as well; boot_frozen says so.
 */

#include "registers.h"

    .section .note.Xen, "a", @note
    .balign 4
    .long 4                     /* length of the name */
    .long 4                     /* length of the descriptor */
    .long 18                    /* XEN_ELFNOTE_PHYS32_ENTRY */
    .asciz "Xen"
    .long boot_entry

    .section .boot.text, "ax"
    .code32
    .globl boot_entry
boot_entry:
    cld
    cli
    mov %ebx, %esi              /* start info, kept in esi until C */
    mov $boot_stack_top, %esp

    /* Long mode or nothing. */
    mov $0x80000000, %eax
    cpuid
    cmp $0x80000001, %eax
    jb no_long_mode
    mov $0x80000001, %eax
    cpuid
    test $(1 << 29), %edx
    jz no_long_mode

    /* Page directory: 512 large pages. */
    mov $boot_directory, %edi
    mov $0x83, %eax             /* present, write, large */
    mov $512, %ecx
1:  mov %eax, (%edi)
    movl $0, 4(%edi)
    add $0x200000, %eax
    add $8, %edi
    dec %ecx
    jnz 1b

    movl $(boot_directory + 3), boot_pointers_low
    movl $(boot_directory + 3), boot_pointers_high + 510 * 8
    movl $(boot_pointers_low + 3), boot_top
    movl $(boot_pointers_low + 3), boot_top + 256 * 8
    movl $(boot_pointers_high + 3), boot_top + 511 * 8

    mov %cr4, %eax
    or $0x20, %eax              /* PAE */
    mov %eax, %cr4
    mov $boot_top, %eax
    mov %eax, %cr3
    mov $0xc0000080, %ecx       /* EFER: LME */
    rdmsr
    or $0x100, %eax
    wrmsr
    mov %cr0, %eax
    or $0x80000001, %eax        /* PG, PE */
    mov %eax, %cr0
    lgdt boot_gdt_pointer
    ljmp $0x08, $boot_long

no_long_mode:
    mov $message, %esi
1:  lodsb
    test %al, %al
    jz 2f
    mov $0x3f8, %dx
    out %al, %dx
    jmp 1b
2:  mov $(70 & 0x7f), %eax
    mov $0xf4, %dx
    out %eax, %dx
3:  hlt
    jmp 3b

    .code64
boot_long:
    mov $0x10, %eax
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
    .balign 8
boot_gdt:
    .quad 0
    .quad 0x00af9b000000ffff    /* 0x08: code, 64 bits */
    .quad 0x00cf93000000ffff    /* 0x10: data */
boot_gdt_pointer:
    .word . - boot_gdt - 1
    .long boot_gdt

    .section .boot.bss, "aw", @nobits
    .balign 4096
boot_top:           .skip 4096
boot_pointers_low:  .skip 4096
boot_pointers_high: .skip 4096
boot_directory:     .skip 4096
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
