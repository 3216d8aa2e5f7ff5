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

struct boot_image boot_image __attribute__((section(".data"))) = {.magic = BOOT_IMAGE_MAGIC};

/* The report channel keeps what it is told until it is open. */
static void phase_ended(const char *name)
{
    report_begin("boot");
    report_string("phase", name, strlen(name));
    report_number("ns", (int64_t)clock_now());
    report_end();
}

#define RUN_LEVEL(level)                                                                                     \
    do {                                                                                                     \
        for_each_record(unikit_init_##level, function) (*function)();                                        \
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

noreturn void start(uintptr_t start_info);

void start(uintptr_t start_info)
{
    cpu_up();             /* traps are told from here on */
    RUN_LEVEL(early);     /* the serial port: so that the next steps can complain */
    pvh_read(start_info); /* memory map, command line, where the root is */
    pvh_add_pages();      /* the page allocator; with it the heap */
    tables_build();       /* all of RAM is there, the null page is not */
    config_add(boot_information.command_line, strlen(boot_information.command_line), true);
    RUN_LEVEL(memory);      /* system calls */
    RUN_LEVEL(time);        /* clocks, timers, entropy */
    RUN_LEVEL(threads);     /* `current` is this boot's own thread */
    RUN_LEVEL(bus);         /* ACPI, interrupt controllers */
    RUN_LEVEL(filesystems); /* the root is there */
    read_configuration();
    RUN_LEVEL(devices); /* consoles, report channel, network cards */
    RUN_LEVEL(network);
    RUN_LEVEL(services);
    exec(); /* the program's first thread is ready */
    phase_ended("exec");
    boot_done();
}
