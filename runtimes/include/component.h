/* component.h - how a piece of the runtime says what it is.
 *
 * A component is one .c file below runtimes/. The macros write one line of text each into the non-allocated
 * section
 * `.unikit.decl` of its object, which the Python linker reads; nothing central lists components, calls or
 * drivers.
 *
 *   needs NAME              a component (`vfs/pipe`) or a provided thing, beyond the object's undefined
 * symbols provides NAME           something that others can need; two providers in one image are an error
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

#define DECLARE_(text)                                                                                       \
    __asm__(".pushsection .unikit.decl,\"\",@progbits\n\t.asciz \"" text "\"\n\t.popsection")

#define NEEDS(name)    DECLARE_("needs " #name)
#define PROVIDES(name) DECLARE_("provides " #name)

/* Tables: records of one kind, gathered by the linker from all objects. The section's name is a C identifier,
 * so the linker itself defines __start_NAME and __stop_NAME, in an image and in a host library alike.
 *
 *   TABLE(unikit_drivers, struct driver_record);                declares it (in a header)
 *   TABLE_RECORD(unikit_drivers, struct driver_record, x) = {...};   adds to it (in a component)
 *   for_each_record (unikit_drivers, record) ...                walks it */
#define TABLE(table, type)                                                                                   \
    extern const type __start_##table[] WEAK;                                                                \
    extern const type __stop_##table[] WEAK

#define TABLE_RECORD(table, type, name)                                                                      \
    static const type name __attribute__((used, section(#table), aligned(8)))

#define for_each_record(table, record)                                                                       \
    for (__typeof__(&__start_##table[0]) record = __start_##table; record != __stop_##table; record++)

/* A hook with a do-nothing default that another component may replace (a strong definition wins at link
 * time). */
#define WEAK __attribute__((weak))

/* SYSCALL(getrandom, void *buf, size_t n, unsigned flags) { ... return -EFAULT; }
 * The result is the value or -errno, as in rax. No arguments: SYSCALL(getpid, void). */
struct syscall_record {
    unsigned long number;
    void *handler;
};
TABLE(unikit_syscalls, struct syscall_record);

#define SYSCALL(name, ...)                                                                                   \
    DECLARE_("syscall " #name " " STRINGIFY(JOIN(__NR_, name)));                                             \
    long sys_##name(__VA_ARGS__);                                                                            \
    TABLE_RECORD(unikit_syscalls, struct syscall_record, syscall_record_##name) = {JOIN(__NR_, name),        \
                                                                                   (void *)sys_##name};      \
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
TABLE(unikit_drivers, struct driver_record);

#define VIRTIO_ID(n) BUS_VIRTIO, n, "virtio:" #n

#define DRIVER(name, match) DRIVER_(name, match)
#define DRIVER_(name, bus_, id_, text)                                                                       \
    DECLARE_("driver " #name " " text);                                                                      \
    static const struct driver driver_##name;                                                                \
    TABLE_RECORD(unikit_drivers, struct driver_record, driver_record_##name) = {#name, &driver_##name, bus_, \
                                                                                id_};                        \
    static const struct driver driver_##name =

/* INIT(devices) { ... }: run once, at power-on, level by level; within a level the order is that of the
 * components' names. START(devices) { ... }: the same, after the level's INITs, and again each time that a
 * frozen image resumes. The levels, in order:
 *
 * - early: nothing works yet but a stack; the serial port, the command line
 * - memory: page allocator, kernel heap, address space
 * - time: clocks, timers, entropy
 * - threads: scheduler, signals
 * - bus: ACPI, interrupt controllers
 * - filesystems: root, tmpfs, proc; the boot configuration is complete after it
 * - devices: virtio discovery and drivers: console, report channel, rng, net
 * - network: TCP/IP, addresses
 * - services: what needs all of the above */
typedef void (*init_function)(void);
TABLE(unikit_init_early, init_function);
TABLE(unikit_init_memory, init_function);
TABLE(unikit_init_time, init_function);
TABLE(unikit_init_threads, init_function);
TABLE(unikit_init_bus, init_function);
TABLE(unikit_init_filesystems, init_function);
TABLE(unikit_init_devices, init_function);
TABLE(unikit_init_network, init_function);
TABLE(unikit_init_services, init_function);
TABLE(unikit_start_early, init_function);
TABLE(unikit_start_memory, init_function);
TABLE(unikit_start_time, init_function);
TABLE(unikit_start_threads, init_function);
TABLE(unikit_start_bus, init_function);
TABLE(unikit_start_filesystems, init_function);
TABLE(unikit_start_devices, init_function);
TABLE(unikit_start_network, init_function);
TABLE(unikit_start_services, init_function);

#define INIT(level)  INIT_(init, level)
#define START(level) INIT_(start, level)
#define INIT_(kind, level)                                                                                   \
    DECLARE_("init " #level);                                                                                \
    static void JOIN(init_##level##_, __LINE__)(void);                                                       \
    TABLE_RECORD(unikit_##kind##_##level, init_function, JOIN(init_record_##level##_, __LINE__)) =           \
        JOIN(init_##level##_, __LINE__);                                                                     \
    static void JOIN(init_##level##_, __LINE__)(void)

/* A variable about the machine rather than the program: zero at power-on, and zero again when a frozen image
 * resumes, perhaps on another machine. */
#define PER_BOOT __attribute__((section(".bss.per_boot")))

#endif
