/* boot/registers.h - offsets that assembly needs; boot/traps.c asserts them. */
#ifndef UNIKIT_BOOT_REGISTERS_H
#define UNIKIT_BOOT_REGISTERS_H

#define R_R15    0
#define R_R14    8
#define R_R13    16
#define R_R12    24
#define R_RBP    32
#define R_RBX    40
#define R_R11    48
#define R_R10    56
#define R_R9     64
#define R_R8     72
#define R_RAX    80
#define R_RCX    88
#define R_RDX    96
#define R_RSI    104
#define R_RDI    112
#define R_NUMBER 120
#define R_ERROR  128
#define R_RIP    136
#define R_CS     144
#define R_RFLAGS 152
#define R_RSP    160
#define R_SS     168
#define R_SIZE   176

#define THREAD_USER 56 /* struct thread: user */

#define STACK_SELECTOR 0x10 /* KERNEL_SS */

#define SYSCALL_TABLE_SIZE 512

#define START_STACK_SIZE 16384 /* entry.S */

#endif
