/* entry.h - what the programs that a loader enters have in common (boot/entry.S, unpack/entry.S): the note
 * that names the entry, the way to long mode, the end on a CPU without it. For assembly alone.
 *
 * The machine enters in 32-bit protected mode without paging, %ebx = physical address of the start info
 * (Xen's "PVH entry point", xen/include/public/arch-x86/hvm/start_info.h). Bits of registers, page tables and
 * descriptors: Intel SDM vol. 3, 2.2.1, 2.5, 3.4.5, 4.5. */
#ifndef UNIKIT_ENTRY_H
#define UNIKIT_ENTRY_H

#define EFER         0xc0000080
#define EFER_LME     0x100
#define CR4_PAE      0x20
#define CR0_PG       0x80000000
#define CR0_PE       1
#define TABLE        3    /* a table below: present, write */
#define LARGE_PAGE   0x83 /* the same as a page of 2 MiB */
#define TABLE_SIZE   4096
#define CODE_64      0x08 /* the selectors of GDT */
#define DATA         0x10
#define CODE_32      0x18
#define STATUS_ERROR 78 /* EX_CONFIG */

/* clang-format off */
    .macro PVH_NOTE entry
    .section .note.Xen, "a", @note
    .balign 4
    .long 4                     /* length of the name */
    .long 4                     /* length of the descriptor */
    .long 18                    /* XEN_ELFNOTE_PHYS32_ENTRY */
    .asciz "Xen"
    .long \entry
    .endm

    .macro GDT
    .balign 8
gdt:
    .quad 0
    .quad 0x00af9b000000ffff    /* code, 64 bits */
    .quad 0x00cf93000000ffff    /* data */
    .quad 0x00cf9b000000ffff    /* code, 32 bits */
gdt_pointer:
    .word . - gdt - 1
    .long gdt
    .endm

/* Takes %eax, %ebx, %ecx, %edx. */
    .macro NEED_LONG_MODE otherwise
    mov $0x80000000, %eax
    cpuid
    cmp $0x80000001, %eax
    jb \otherwise
    mov $0x80000001, %eax
    cpuid
    test $(1 << 29), %edx
    jz \otherwise
    .endm

/* `gigabytes` page directories from `directories` on: memory from address 0. Takes %eax, %ecx, %edi. */
    .macro MAP_FROM_ZERO directories, gigabytes
    mov $\directories, %edi
    mov $LARGE_PAGE, %eax
    mov $(\gigabytes * 512), %ecx
1:  mov %eax, (%edi)
    movl $0, 4(%edi)
    add $0x200000, %eax
    add $8, %edi
    dec %ecx
    jnz 1b
    .endm

/* To `there`, 64-bit code, with the page tables at `top`. Takes %eax, %ecx, %edx. */
    .macro ENTER_LONG_MODE top, there
    mov $CR4_PAE, %eax
    mov %eax, %cr4
    mov $\top, %eax
    mov %eax, %cr3
    mov $EFER, %ecx
    rdmsr
    or $EFER_LME, %eax
    wrmsr
    mov %cr0, %eax
    or $(CR0_PG | CR0_PE), %eax
    mov %eax, %cr0
    lgdt gdt_pointer
    ljmp $CODE_64, $\there
    .endm

/* Says `text` on the serial port and ends the machine. */
    .macro GIVE_UP text
    mov $\text, %esi
1:  lodsb
    test %al, %al
    jz 2f
    mov $0x3f8, %dx
    out %al, %dx
    jmp 1b
2:  mov $STATUS_ERROR, %eax
    out %al, $0xf4
3:  hlt
    jmp 3b
    .endm
/* clang-format on */

#endif
