/* component.h - how a piece of the runtime says what it is.
 *
 * A component is one .c file below runtimes/. The macros write one line of text each into the non-allocated section
 * `.unikit.decl` of its object, which the Python linker reads; nothing central lists components, calls or drivers.
 *
 *   needs NAME              a component (`vfs/pipe`) or a provided thing, beyond the object's undefined symbols
 *   provides NAME           something that others can need; two providers in one image are an error
 *   syscall NAME NUMBER     a Linux x86-64 system call
 *   driver NAME MATCH       a device driver, e.g. `driver virtio_rng virtio:4`
 *   init LEVEL              start-up work
 */
#ifndef UNIKIT_COMPONENT_H
#define UNIKIT_COMPONENT_H

#include <asm/unistd_64.h>
#include <stdint.h>

#define STRINGIFY_(x) #x
#define STRINGIFY(x)  STRINGIFY_(x)
#define JOIN_(a, b)   a##b
#define JOIN(a, b)    JOIN_(a, b)

#define DECLARE_(text) \
    __asm__(".pushsection .unikit.decl,\"\",@progbits\n\t.asciz \"" text "\"\n\t.popsection")

#define NEEDS(name)    DECLARE_("needs " #name)
#define PROVIDES(name) DECLARE_("provides " #name)

/* SYSCALL(getrandom, void *buf, size_t n, unsigned flags) { ... return -EFAULT; }
 * The result is the value or -errno, as in rax. No arguments: SYSCALL(getpid, void). The record goes into the dispatch
 * table that the linker script gathers between syscall_table_start and syscall_table_end. */
struct syscall_record {
    unsigned long number;
    void *handler;
};

#define SYSCALL(name, ...)                                                                                        \
    DECLARE_("syscall " #name " " STRINGIFY(JOIN(__NR_, name)));                                                  \
    long sys_##name(__VA_ARGS__);                                                                                 \
    static const struct syscall_record syscall_record_##name                                                      \
        __attribute__((used, section(".unikit.syscalls"))) = {JOIN(__NR_, name), (void *)sys_##name};             \
    long sys_##name(__VA_ARGS__)

/* DRIVER(virtio_rng, VIRTIO_ID(4)) { .probe = ... }; */
struct virtio_device;

enum bus { BUS_VIRTIO = 1 };

struct driver {
    /* Takes the device, or says why not with -errno. */
    int (*probe)(struct virtio_device *device);
};

struct driver_record {
    const char *name;
    const struct driver *driver;
    uint32_t bus;
    uint32_t id;
};

#define VIRTIO_ID(n) BUS_VIRTIO, n, "virtio:" #n

#define DRIVER(name, match) DRIVER_(name, match)
#define DRIVER_(name, bus_, id_, text)                                                                            \
    DECLARE_("driver " #name " " text);                                                                           \
    static const struct driver driver_##name;                                                                     \
    static const struct driver_record driver_record_##name                                                        \
        __attribute__((used, section(".unikit.drivers"))) = {#name, &driver_##name, bus_, id_};                   \
    static const struct driver driver_##name =

/* INIT(devices) { ... }: run once at boot, level by level in the order below; within a level the order is that of the
 * components' names. */
#define INIT_LEVELS early, memory, time, threads, bus, filesystems, devices, network, services

typedef void (*init_function)(void);

#define INIT(level)                                                                                               \
    DECLARE_("init " #level);                                                                                     \
    static void JOIN(init_##level##_, __LINE__)(void);                                                            \
    static const init_function JOIN(init_record_##level##_, __LINE__)                                             \
        __attribute__((used, section(".unikit.init." #level))) = JOIN(init_##level##_, __LINE__);                 \
    static void JOIN(init_##level##_, __LINE__)(void)

/* A hook with a do-nothing default that another component may replace (a strong definition wins at link time). */
#define WEAK __attribute__((weak))

#endif
