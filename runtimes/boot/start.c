/* boot/start.c - the boot, from the first C function to the first user instruction. */
#include "boot.h"
#include "config.h"
#include "cpu.h"
#include "exec.h"
#include "file.h"
#include "image.h"
#include "memory.h"
#include "report.h"
#include "thread.h"

extern char per_boot_start[], per_boot_end[];

struct boot_image boot_image __attribute__((section(".data"))) = {.magic = BOOT_IMAGE_MAGIC};

#define PHASES 12

static struct {
    const char *name;
    int64_t ended; /* ns since power-on */
} phases[PHASES] PER_BOOT;
static unsigned phase_count PER_BOOT, phases_told PER_BOOT;

static void phases_report(void)
{
    for (; phases_told < phase_count; phases_told++) {
        const char *name = phases[phases_told].name;
        report_begin("boot");
        report_string("phase", name, strlen(name));
        report_number("ns", phases[phases_told].ended);
        report_end();
    }
}

/* Told once there is a report channel: a boot without one makes no text. */
static void phase_ended(const char *name)
{
    assert(phase_count < PHASES);
    phases[phase_count].name = name;
    phases[phase_count++].ended = (int64_t)(clock_now() - clock_power_on);
    if (report_connected())
        phases_report();
}

static noreturn void boot_ended(void)
{
    phase_ended("exec");
    report_settle();
    phases_report();
    boot_done();
}

/* `cold`: at power-on, and not when a frozen image resumes. */
#define RUN_LEVEL(level, cold)                                                                               \
    do {                                                                                                     \
        if (cold)                                                                                            \
            for_each_record(unikit_init_##level, function) (*function)();                                    \
        for_each_record(unikit_start_##level, function) (*function)();                                       \
        phase_ended(#level);                                                                                 \
    } while (0)

/* The file's part of the configuration; an image without the file is configured by the command line alone. */
static void read_configuration(void)
{
    char *text;
    size_t length;

    if (kernel_read_file("/.unikit/boot.conf", &text, &length) < 0)
        return;
    config_add(text, length, false);
    kfree(text);
}

/* Memory that was frozen goes on: what is about the machine comes up as on a cold boot, the rest is there. */
static noreturn void resume(uintptr_t start_info)
{
    memset(per_boot_start, 0, (size_t)(per_boot_end - per_boot_start));
    tables_use();
    RUN_LEVEL(early, false);
    pvh_read(start_info);
    pvh_fit_pages();
    tables_extend();
    config_forget_overrides();
    config_add(boot_information.command_line, strlen(boot_information.command_line), true);
    RUN_LEVEL(time, false);
    RUN_LEVEL(threads, false);
    RUN_LEVEL(bus, false);
    RUN_LEVEL(devices, false);
    RUN_LEVEL(network, false);
    if (config_get("fresh"))
        start_over(); /* the program is executed anew */
    RUN_LEVEL(services, false);
    if (!config_get("fresh")) {
        cpu_level_check(); /* only the program needs more than the kernel */
        thaw();            /* the frozen thread is ready */
    }
    boot_ended();
}

noreturn void start(uintptr_t start_info);

void start(uintptr_t start_info)
{
    cpu_up(); /* traps are told from here on */
    if (boot_frozen)
        resume(start_info);
    RUN_LEVEL(early, true); /* the serial port: so that the next steps can complain */
    pvh_read(start_info);   /* memory map, command line, where the root is */
    pvh_add_pages();        /* the page allocator; with it the heap */
    tables_build();         /* all of RAM is there, the null page is not */
    config_add(boot_information.command_line, strlen(boot_information.command_line), true);
    RUN_LEVEL(memory, true);      /* system calls */
    RUN_LEVEL(time, true);        /* clocks, timers, entropy */
    RUN_LEVEL(threads, true);     /* `current` is this boot's own thread */
    RUN_LEVEL(bus, true);         /* ACPI, interrupt controllers */
    RUN_LEVEL(filesystems, true); /* the root is there */
    read_configuration();
    RUN_LEVEL(devices, true); /* consoles, report channel, network cards */
    RUN_LEVEL(network, true);
    RUN_LEVEL(services, true);
    exec(); /* the program's first thread is ready */
    boot_ended();
}
