/* cpu.h - what the CPU can do, and the instructions that C has no words for. (boot/cpu.c)
 *
 * Sources: Intel SDM volume 2 (CPUID, XSAVE), volume 3 chapter 2 (control registers), volume 4 (MSRs).
 */
#ifndef UNIKIT_CPU_H
#define UNIKIT_CPU_H

#include <stdbool.h>
#include <stdint.h>

#define MSR_APIC_BASE      0x1bU
#define MSR_PAT            0x277U
#define MSR_EFER           0xc0000080U
#define MSR_STAR           0xc0000081U
#define MSR_LSTAR          0xc0000082U
#define MSR_SFMASK         0xc0000084U
#define MSR_FS_BASE        0xc0000100U
#define MSR_GS_BASE        0xc0000101U
#define MSR_KERNEL_GS_BASE 0xc0000102U

#define RFLAGS_TF  0x100UL
#define RFLAGS_IF  0x200UL
#define RFLAGS_DF  0x400UL
#define RFLAGS_RF  0x10000UL
#define RFLAGS_AC  0x40000UL
#define RFLAGS_ONE 0x2UL

/* Selectors of the GDT. User code runs in ring 0 too, with the kernel's. */
#define KERNEL_CS 0x08
#define KERNEL_SS 0x10
#define TSS_SEL   0x18

/* Set by cpu_up(), constant from then on. */
struct cpu_features {
    uint64_t xcr0;       /* the state components that xsave saves; 0: no xsave, use fxsave */
    uint32_t xsave_size; /* bytes of a thread's area: 512 without xsave */
    uint32_t hwcap;      /* CPUID.1:EDX, for AT_HWCAP */
    uint32_t physical_bits;
    bool xsaveopt, fsgsbase, gigabyte_pages, rdrand, rdseed, invariant_tsc, hypervisor, translated;
};
extern struct cpu_features cpu;

/* Brings the CPU into the state that the kernel wants: control registers, descriptor tables, MSRs. Works on a
 * cold boot and on a resumed memory image alike: all it reads is memory. */
void cpu_up(void);

/* What the CPU had when the image was frozen (boot/level.c). */
struct cpu_level {
    bool kept;
    uint32_t words[4]; /* CPUID.1:ECX, 7:EBX, 80000001:ECX, 7:ECX */
    uint32_t xsave_size;
    uint64_t xcr0;
};
extern struct cpu_level cpu_level;
void cpu_level_keep(void);
/* Ends the boot if this CPU has less. */
void cpu_level_check(void);

struct cpuid {
    uint32_t a, b, c, d;
};
static inline struct cpuid cpuid(uint32_t leaf, uint32_t sub)
{
    struct cpuid r;
    __asm__ volatile("cpuid" : "=a"(r.a), "=b"(r.b), "=c"(r.c), "=d"(r.d) : "a"(leaf), "c"(sub));
    return r;
}
static inline uint64_t msr_read(uint32_t msr)
{
    uint32_t low, high;
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
    return (uint64_t)high << 32 | low;
}
static inline void msr_write(uint32_t msr, uint64_t value)
{
    __asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
}
static inline uint64_t cr2_read(void)
{
    uint64_t value;
    __asm__ volatile("mov %%cr2, %0" : "=r"(value));
    return value;
}
static inline uint64_t cr3_read(void)
{
    uint64_t value;
    __asm__ volatile("mov %%cr3, %0" : "=r"(value));
    return value;
}
static inline void cr3_write(uint64_t value)
{
    __asm__ volatile("mov %0, %%cr3" : : "r"(value) : "memory");
}

#endif
