/* boot/cpu.c - the CPU's own state: control registers, descriptor tables, the MSRs of system calls.
 *
 * One function sets it all from constants and from memory, so that a resumed memory image can call it again.
 * SMEP and SMAP stay off: user code runs in ring 0 on pages that the kernel also touches. CR0.WP and
 * EFER.NXE make read-only and no-execute hold in ring 0 too. (Intel SDM volume 3, chapters 2, 6 and 13.)
 */
#include "cpu.h"
#include "kernel.h"
#include "port.h"

#define CR0_PE 0x1UL
#define CR0_MP 0x2UL
#define CR0_ET 0x10UL
#define CR0_NE 0x20UL
#define CR0_WP 0x10000UL
#define CR0_PG 0x80000000UL

#define CR4_PAE        0x20UL
#define CR4_PGE        0x80UL
#define CR4_OSFXSR     0x200UL
#define CR4_OSXMMEXCPT 0x400UL
#define CR4_FSGSBASE   0x10000UL
#define CR4_OSXSAVE    0x40000UL

#define EFER_SCE 0x1UL
#define EFER_LME 0x100UL
#define EFER_NXE 0x800UL

/* x87, SSE, AVX and the three parts of AVX-512: what glibc and numpy dispatch on. */
#define XCR0_WANTED 0xe7UL

#define IST_STACK_SIZE 2048

#define PIC_FIRST_MASK  0x21
#define PIC_SECOND_MASK 0xa1

struct cpu_features cpu;

struct gate {
    uint16_t offset_low, selector;
    uint8_t ist, type;
    uint16_t offset_middle;
    uint32_t offset_high, reserved;
};
struct task_state {
    uint32_t reserved0;
    uint64_t rsp[3];
    uint64_t reserved1;
    uint64_t ist[7];
    uint64_t reserved2;
    uint16_t reserved3, io_map;
} __attribute__((packed));
struct table_pointer {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

static uint64_t gdt[5];
static struct gate idt[256] __attribute__((aligned(16)));
static struct task_state task_state;
static uint8_t ist_stacks[4][IST_STACK_SIZE] __attribute__((aligned(16)));

extern const char trap_vectors[];
extern const char syscall_entry[];

static void find_features(void)
{
    uint32_t highest = cpuid(0, 0).a;
    uint32_t extended = cpuid(0x80000000, 0).a;
    struct cpuid one = cpuid(1, 0);
    struct cpuid seven = highest >= 7 ? cpuid(7, 0) : (struct cpuid){0};
    struct cpuid more = cpuid(0x80000001, 0);

    cpu.hwcap = one.d;
    cpu.rdrand = one.c >> 30 & 1;
    cpu.rdseed = seven.b >> 18 & 1;
    cpu.fsgsbase = seven.b & 1;
    cpu.hypervisor = one.c >> 31;
    struct cpuid name = cpu.hypervisor ? cpuid(0x40000000, 0) : (struct cpuid){0};
    cpu.translated = memcmp(&name.b, "TCGTCGTCGTCG", 12) == 0;
    cpu.gigabyte_pages = more.d >> 26 & 1;
    cpu.invariant_tsc = extended >= 0x80000007 && (cpuid(0x80000007, 0).d >> 8 & 1);
    cpu.physical_bits = extended >= 0x80000008 ? cpuid(0x80000008, 0).a & 0xff : 36;
    cpu.xcr0 = 0;
    cpu.xsave_size = 512;
    cpu.xsaveopt = false;
    if ((one.c >> 26 & 1) && highest >= 13) {
        cpu.xcr0 = cpuid(13, 0).a & XCR0_WANTED;
        if ((cpu.xcr0 & 0xe0) != 0xe0 || !(cpu.xcr0 & 4))
            cpu.xcr0 &= ~0xe0UL;
        if (cpu_level.kept) /* a frozen program's registers have the places that they had */
            cpu.xcr0 &= cpu_level.xcr0;
        cpu.xsaveopt = cpuid(13, 1).a & 1;
    }
    if (!(more.d >> 20 & 1))
        boot_error("cpu", "This CPU has no NX bit, which the kernel relies on. Use another CPU model.");
}

static void load_tables(void)
{
    uintptr_t base = (uintptr_t)&task_state;
    struct table_pointer gdt_pointer = {sizeof(gdt) - 1, (uintptr_t)gdt};
    struct table_pointer idt_pointer = {sizeof(idt) - 1, (uintptr_t)idt};

    gdt[1] = 0x00af9b000000ffff; /* code, 64 bits */
    gdt[2] = 0x00cf93000000ffff; /* data */
    gdt[3] = (sizeof(task_state) - 1) | (base & 0xffffff) << 16 | 0x89UL << 40 | (base >> 24 & 0xff) << 56;
    gdt[4] = base >> 32;
    for (unsigned i = 0; i < array_size(ist_stacks); i++)
        task_state.ist[i] = (uintptr_t)ist_stacks[i] + IST_STACK_SIZE;
    task_state.io_map = sizeof(task_state);

    for (unsigned i = 0; i < array_size(idt); i++) {
        uintptr_t entry = (uintptr_t)trap_vectors + 16 * i;
        uint8_t ist = i == 2 ? 2 : i == 18 ? 3 : i == 8 ? 4 : 1;
        idt[i] = (struct gate){.offset_low = entry & 0xffff,
                               .selector = KERNEL_CS,
                               .ist = ist,
                               .type = 0x8e,
                               .offset_middle = entry >> 16 & 0xffff,
                               .offset_high = (uint32_t)(entry >> 32)};
    }
    __asm__ volatile("lgdt %0\n\t"
                     "lidt %1\n\t"
                     "ltr %w2\n\t"
                     "mov %3, %%ds\n\t"
                     "mov %3, %%es\n\t"
                     "mov %3, %%ss\n\t"
                     "pushq %4\n\t"
                     "pushq $1f\n\t"
                     "lretq\n"
                     "1:"
                     :
                     : "m"(gdt_pointer), "m"(idt_pointer), "r"(TSS_SEL), "r"(KERNEL_SS), "i"(KERNEL_CS)
                     : "memory");
}

/* The old interrupt controllers stay silent: firmware leaves the timer's line open, and an interrupt that
 * they hold while the local APIC stops listening to them reaches the CPU without a vector. */
static void silence_pic(void)
{
    out8(PIC_FIRST_MASK, 0xff);
    out8(PIC_SECOND_MASK, 0xff);
}

void cpu_up(void)
{
    uint64_t cr4 = CR4_PAE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT;

    silence_pic();
    find_features();
    if (cpu.fsgsbase)
        cr4 |= CR4_FSGSBASE;
    if (cpu.xcr0)
        cr4 |= CR4_OSXSAVE;
    __asm__ volatile("mov %0, %%cr4" : : "r"(cr4));
    __asm__ volatile("mov %0, %%cr0" : : "r"(CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_PG));
    if (cpu.xcr0) {
        __asm__ volatile("xsetbv" : : "c"(0), "a"((uint32_t)cpu.xcr0), "d"((uint32_t)(cpu.xcr0 >> 32)));
        cpu.xsave_size = cpuid(13, 0).b;
    }
    __asm__ volatile("fninit");
    load_tables();
    msr_write(MSR_EFER, EFER_SCE | EFER_LME | EFER_NXE);
    msr_write(MSR_STAR, (uint64_t)KERNEL_CS << 32);
    msr_write(MSR_LSTAR, (uintptr_t)syscall_entry);
    msr_write(MSR_SFMASK, RFLAGS_IF | RFLAGS_DF | RFLAGS_TF | RFLAGS_AC | 0x4000);
}
