/* unpack/entry.S - the entry of a compressed image, and the way on to what was unpacked.
 *
 * Enters as a kernel does (boot/entry.S): 32-bit protected mode without paging, %ebx = the start info. The C
 * code runs in long mode with the first 4 GiB mapped where they are; then the CPU goes back to the state in
 * which it came, for the PVH entry of what was unpacked.
 */
#define EFER      0xc0000080
#define EFER_LME  0x100
#define CR4_PAE   0x20
#define PG_AND_PE 0x80000001
#define GIB_PAGES 4

    .section .note.Xen, "a", @note
    .balign 4
    .long 4                     /* length of the name */
    .long 4                     /* length of the descriptor */
    .long 18                    /* XEN_ELFNOTE_PHYS32_ENTRY */
    .asciz "Xen"
    .long unpack_entry

    .section .boot.text, "ax"
    .code32
    .globl unpack_entry
unpack_entry:
    cld
    cli
    mov $stack_top, %esp
    mov $0x80000000, %eax
    push %ebx
    cpuid
    cmp $0x80000001, %eax
    jb 3f
    mov $0x80000001, %eax
    cpuid
    test $(1 << 29), %edx
    jz 3f
    pop %ebx

    mov $directories, %edi      /* 2 MiB a page: present, write, large */
    mov $0x83, %eax
1:  mov %eax, (%edi)
    movl $0, 4(%edi)
    add $8, %edi
    add $0x200000, %eax
    jnc 1b                      /* until 4 GiB */
    mov $(directories + 3), %eax
    mov $pointers, %edi
2:  mov %eax, (%edi)
    add $8, %edi
    add $4096, %eax
    cmp $(directories + GIB_PAGES * 4096), %eax
    jb 2b
    movl $(pointers + 3), top

    mov $CR4_PAE, %eax
    mov %eax, %cr4
    mov $top, %eax
    mov %eax, %cr3
    mov $EFER, %ecx
    rdmsr
    or $EFER_LME, %eax
    wrmsr
    mov %cr0, %eax
    or $PG_AND_PE, %eax
    mov %eax, %cr0
    lgdt descriptors_pointer
    ljmp $0x08, $unpack_long

3:  mov $no_long_mode, %esi
4:  lodsb
    mov $0x3f8, %dx
    out %al, %dx
    test %al, %al
    jnz 4b
    mov $78, %al
    out %al, $0xf4
5:  hlt
    jmp 5b

    .code64
unpack_long:
    mov $0x10, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov %ebx, %edi              /* the start info; a callee keeps ebx */
    call unpack
    pushq $0x18
    pushq $unpack_return
    lretq

    .code32
unpack_return:
    mov $0x10, %edx
    mov %edx, %ds
    mov %edx, %es
    mov %edx, %ss
    mov %eax, %esi              /* the entry */
    mov %cr0, %eax
    and $~0x80000000, %eax
    mov %eax, %cr0
    mov $EFER, %ecx
    rdmsr
    and $~EFER_LME, %eax
    wrmsr
    xor %eax, %eax
    mov %eax, %cr4
    jmp *%esi

    .section .rodata.unpack, "a"
no_long_mode:
    .asciz "unikit: this CPU has no 64-bit mode\n"
    .balign 8
descriptors:
    .quad 0
    .quad 0x00af9b000000ffff    /* 0x08: code, 64 bits */
    .quad 0x00cf93000000ffff    /* 0x10: data */
    .quad 0x00cf9b000000ffff    /* 0x18: code, 32 bits */
descriptors_pointer:
    .word . - descriptors - 1
    .long descriptors

    .section .bss.unpack, "aw", @nobits
    .balign 4096
top:         .skip 4096
pointers:    .skip 4096
directories: .skip GIB_PAGES * 4096
    .skip 16384
stack_top:

    .section .note.GNU-stack, "", @progbits
