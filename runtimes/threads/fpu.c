/* fpu.c - the extended registers (x87, SSE, AVX, AVX-512) and the segment bases of threads.
 *
 * The kernel is compiled without floating point, so user registers stay in the CPU through system calls,
 * waits and idling. They are saved only when another thread gets the CPU. XCR0 takes what the CPU has of x87,
 * SSE, AVX and AVX-512 (Intel SDM vol. 1, ch. 13); areas have the standard format and the size that CPUID.0Dh
 * gives. A CPU without XSAVE (qemu64) gets FXSAVE and 512 bytes.
 *
 * FS and GS bases: with FSGSBASE user code may change them without a call, so they are read back at a switch.
 */
#include <asm/prctl.h>
#include "cpu.h"
#include "internal.h"
#include "memory.h"

#define FXSAVE_SIZE   512
#define AREA_FCW      0
#define AREA_MXCSR    24
#define AREA_MASK     28
#define AREA_XSTATE   512
#define XSAVE_MINIMUM 576

#define FCW_INITIAL   0x37f
#define MXCSR_INITIAL 0x1f80U

struct fpu_features fpu_features;
uint32_t fpu_size = FXSAVE_SIZE;

static struct thread *owner; /* whose registers are in the CPU; NULL: nobody's */
static uint8_t initial[PAGE_SIZE] __attribute__((aligned(64)));

uintptr_t fs_base_read(void)
{
    uintptr_t base;
    if (!cpu.fsgsbase)
        return msr_read(MSR_FS_BASE);
    __asm__ volatile("rdfsbase %0" : "=r"(base));
    return base;
}

void fs_base_write(uintptr_t base)
{
    if (cpu.fsgsbase)
        __asm__ volatile("wrfsbase %0" ::"r"(base));
    else
        msr_write(MSR_FS_BASE, base);
}

uintptr_t gs_base_read(void)
{
    uintptr_t base;
    if (!cpu.fsgsbase)
        return msr_read(MSR_GS_BASE);
    __asm__ volatile("rdgsbase %0" : "=r"(base));
    return base;
}

void gs_base_write(uintptr_t base)
{
    if (cpu.fsgsbase)
        __asm__ volatile("wrgsbase %0" ::"r"(base));
    else
        msr_write(MSR_GS_BASE, base);
}

/* Without FSGSBASE only arch_prctl(2) changes the bases, and it keeps the records right. */
void segments_switch(struct thread *from, struct thread *to)
{
    if (cpu.fsgsbase) {
        from->fs_base = fs_base_read();
        from->gs_base = gs_base_read();
    }
    if (!to->fpu)
        return; /* the boot context has no user side */
    fs_base_write(to->fs_base);
    if (to->gs_base != from->gs_base)
        gs_base_write(to->gs_base);
}

static void save(uint8_t *area, bool optimised)
{
    uint32_t low = (uint32_t)fpu_features.mask, high = (uint32_t)(fpu_features.mask >> 32);
    if (!cpu.xcr0)
        __asm__ volatile("fxsave64 %0" : "=m"(*area)::"memory");
    else if (optimised)
        __asm__ volatile("xsaveopt64 %0" : "=m"(*area) : "a"(low), "d"(high) : "memory");
    else
        __asm__ volatile("xsave64 %0" : "=m"(*area) : "a"(low), "d"(high) : "memory");
}

static void load(const uint8_t *area)
{
    uint32_t low = (uint32_t)fpu_features.mask, high = (uint32_t)(fpu_features.mask >> 32);
    if (!cpu.xcr0)
        __asm__ volatile("fxrstor64 %0" ::"m"(*area) : "memory");
    else
        __asm__ volatile("xrstor64 %0" ::"m"(*area), "a"(low), "d"(high) : "memory");
}

uint8_t *fpu_new(void)
{
    /* kmalloc aligns to 16; the area wants 64. The byte before it says how far it was moved. */
    uint8_t *raw = kmalloc(fpu_size + 64);
    if (!raw)
        return NULL;
    uint8_t *area = (uint8_t *)align_down((uintptr_t)raw + 64, 64UL);
    area[-1] = (uint8_t)(area - raw);
    memcpy(area, initial, fpu_size);
    return area;
}

void fpu_free(uint8_t *area)
{
    if (area)
        kfree(area - area[-1]);
}

void fpu_enter(struct thread *t)
{
    if (owner == t || !t->fpu)
        return;
    if (owner)
        save(owner->fpu, cpu.xsaveopt);
    load(t->fpu);
    owner = t;
}

void fpu_forget(const struct thread *t)
{
    if (owner == t)
        owner = NULL;
}

void fpu_copy_current(uint8_t *area)
{
    if (owner == current)
        save(area, false);
}

/* XSAVE leaves the header's reserved bytes alone, and XRSTOR wants them zero. */
void fpu_save_to(uint8_t *area)
{
    if (cpu.xcr0)
        memset(area + AREA_XSTATE, 0, XSAVE_MINIMUM - AREA_XSTATE);
    save(area, false);
}

int fpu_load_from(uint8_t *area)
{
    uint32_t mxcsr;
    memcpy(&mxcsr, area + AREA_MXCSR, sizeof(mxcsr));
    if (mxcsr & ~fpu_features.mxcsr_mask)
        return -EINVAL;
    if (cpu.xcr0) {
        uint64_t header[8];
        memcpy(header, area + AREA_XSTATE, sizeof(header));
        if (header[0] & ~fpu_features.mask)
            return -EINVAL;
        for (size_t i = 1; i < array_size(header); i++)
            if (header[i])
                return -EINVAL;
    }
    load(area);
    return 0;
}

void fpu_load_initial(void)
{
    load(initial);
}

INIT(threads)
{
    fpu_features.mask = cpu.xcr0 ? cpu.xcr0 : 3;
    fpu_size = cpu.xsave_size;
    assert(fpu_size <= sizeof(initial));
    uint32_t mxcsr = MXCSR_INITIAL;
    __asm__ volatile("ldmxcsr %0" ::"m"(mxcsr));
    save(initial, false);
    memcpy(&fpu_features.mxcsr_mask, initial + AREA_MASK, 4);
    if (!fpu_features.mxcsr_mask)
        fpu_features.mxcsr_mask = 0xffbf; /* SDM vol. 1, 11.6.6 */
    /* Values left by firmware do not get to programs. */
    memset(initial + 32, 0, FXSAVE_SIZE - 32);
    memset(initial + AREA_XSTATE, 0, sizeof(initial) - AREA_XSTATE);
    uint16_t fcw = FCW_INITIAL;
    memcpy(initial + AREA_FCW, &fcw, sizeof(fcw));
    load(initial);
}

#ifndef ARCH_GET_XCOMP_SUPP
#define ARCH_GET_XCOMP_SUPP 0x1021
#define ARCH_GET_XCOMP_PERM 0x1022
#endif

/* arch_prctl(2). Shadow stacks and LAM (0x3001..., 0x4001...) are not offered: -EINVAL, as a kernel without
 * them. */
SYSCALL(arch_prctl, int code, uintptr_t address)
{
    uint64_t supported = fpu_features.mask;
    switch (code) {
    case ARCH_SET_FS:
        if (address >= USER_END)
            return -EPERM;
        current->fs_base = address;
        fs_base_write(address);
        return 0;
    case ARCH_SET_GS:
        if (address >= USER_END)
            return -EPERM;
        current->gs_base = address;
        gs_base_write(address);
        return 0;
    case ARCH_GET_FS:
        return put_user((uintptr_t __user *)address, fs_base_read());
    case ARCH_GET_GS:
        return put_user((uintptr_t __user *)address, gs_base_read());
    case ARCH_GET_CPUID:
        return 1;
    case ARCH_SET_CPUID:
        return -ENODEV;
    case ARCH_GET_XCOMP_SUPP:
    case ARCH_GET_XCOMP_PERM:
        return put_user((uint64_t __user *)address, supported);
    default:
        return -EINVAL;
    }
}
