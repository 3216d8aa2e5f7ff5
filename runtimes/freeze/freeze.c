/* freeze.c - the program's memory becomes an image: docs/freeze.md.
 *
 * To the program it is a fork(2): the child is what resumes, on each machine that boots the image. Before it
 * the program says so by writing to /dev/unikit/freeze, which is there to be opened only while an image is
 * made (the boot configuration's `freeze=1`).
 *
 * What is written out is the machine's memory, by the host, when the machine is off. For it to be a whole
 * image, registers are in memory by then, what is not in use is zero, secrets are gone, and the record below
 * says where the rest is. The thread's side of it is an ordinary switch to another stack; the resumed boot
 * switches back.
 */
#include <linux/fcntl.h>

#include "../boot/registers.h"
#include "../signals/signals.h"
#include "../threads/internal.h"
#include "../vfs/descriptors.h"
#include "config.h"
#include "cpu.h"
#include "entropy.h"
#include "exec.h"
#include "file.h"
#include "freeze.h"
#include "image.h"
#include "memory.h"
#include "network.h"
#include "process.h"
#include "report.h"

#define RANGES 64

/* What the host looks for in the memory: physical ranges [start, end), 0 after the last
 * (unikit/vm/frozen.py).
 */
static struct {
    uint64_t magic, count;
    uint64_t ranges[RANGES][2];
} record;

extern char kernel_start[], kernel_end[], start_stack[START_STACK_SIZE];

bool boot_frozen;

static bool wanted;
static struct thread *frozen;

WEAK void network_freeze(void) {}

bool freeze_wanted(void)
{
    return wanted;
}

static void add(uintptr_t start, uintptr_t end)
{
    assert(record.count < RANGES);
    record.ranges[record.count][0] = start;
    record.ranges[record.count++][1] = end;
}

static noreturn void write_out(void)
{
    uintptr_t start, used, end;

    report_begin("frozen");
    report_hex("record", virt_to_phys(&record));
    report_end();
    report_flush();

    /* Nobody is told anything from here on: it would be frozen half said. */
    boot_frozen = true;
    wanted = false;
    network_freeze();
    cpu_level_keep();
    entropy_forget();
    pages_freeze();
    record.magic = BOOT_IMAGE_MAGIC;
    record.count = 0;
    add(virt_to_phys(kernel_start), virt_to_phys(kernel_end));
    for (unsigned i = 0; pages_range(i, &start, &used, &end); i++)
        add(start, used);
    clock_freeze();
    machine_off(0);
}

int freeze(void)
{
    struct thread *t = current;

    wanted = false;
    if (freeze_refused())
        return -EBUSY;
    freeze_end_forgotten();
    space_fork();
    fpu_copy_current(t->fpu);
    fpu_forget(t);
    t->fs_base = fs_base_read();
    t->gs_base = gs_base_read();
    t->state = THREAD_WAITING;
    frozen = t;
    /* On the stack of the boot, which is over: laid out as thread.c does it for a new thread. */
    uintptr_t *frame = (uintptr_t *)(void *)(start_stack + START_STACK_SIZE) - 2;
    *frame = (uintptr_t)write_out;
    frame[1] = 0;
    for (int i = 0; i < 6; i++)
        *--frame = 0;
    switch_stacks(&t->saved_sp, (uintptr_t)frame);
    switch_finish();
    return 0;
}

/* The boot configuration's `fresh=1`: nothing of the program stays but its files in memory, and it is
 * executed as on a cold boot, with a hash seed, addresses and canaries of its own. */
void start_over(void)
{
    fd_close_range(0, ~0U, false);
    space_unmap(0, USER_END);
    memset(signal_actions, 0, sizeof(signal_actions));
    list_remove(&frozen->all);
    threads_count--;
    thread_free(frozen);
    program_files();
    program_folder();
    boot_frozen = false;
    exec();
    timers_run();
}

void thaw(void)
{
    thread_wake(frozen);
    timers_run(); /* the alarm of this machine is not set yet */
}

/* ---- how the program says it, and what it asks afterwards */

static int open_freeze(struct file *file)
{
    (void)file;
    return config_get("freeze") ? 0 : -ENXIO;
}

/* "freeze": the next fork. "renumber": another process number from now on, for what looks whether it was
 * forked. "forget ...": freeze_forget(). "import ...": modules that came in after the freeze. Anything else
 * is a reason not to freeze, for the host. */
static ssize_t write_freeze(struct file *file, struct io *io, uint64_t *pos)
{
    static char text[16384];
    ssize_t n = io_take(io, text, sizeof(text));

    (void)file, (void)pos;
    if (n <= 0)
        return n;
    if (n == 6 && memcmp(text, "freeze", 6) == 0) {
        wanted = true;
    } else if (n == 8 && memcmp(text, "renumber", 8) == 0) {
        thread_renew(current);
        process_id = current->tid;
    } else if (n > 7 && memcmp(text, "forget ", 7) == 0) {
        freeze_forget(text + 7, (size_t)n - 7);
    } else {
        report_begin(n >= 7 && memcmp(text, "import ", 7) == 0 ? "imported" : "refused");
        report_string("text", text, (size_t)n);
        report_end();
    }
    return n;
}

static void show_item(struct text_sink *out, char kind, const char *value)
{
    text_add(out, &kind, 1);
    text_add(out, value, strlen(value) + 1);
}

/* This boot's environment, arguments and kind of console, each with a letter in front and a NUL behind: what
 * is not the program's memory any more is asked for here. */
static void show_boot(struct text_sink *out)
{
    const char *(*each)(const char *, size_t) =
        config_each_override("arg", 0) ? config_each_override : config_each;
    const char *value;

    if ((value = config_get("freeze")) && strcmp(value, "watch") == 0)
        show_item(out, 'w', "");
    if ((value = config_get("tty")))
        show_item(out, 't', value);
    for (size_t i = 0; (value = config_each("env", i)); i++)
        show_item(out, 'e', value);
    for (size_t i = 0; (value = each("arg", i)); i++)
        show_item(out, 'a', value);
}

/* All of it, or nothing where it does not fit. */
static ssize_t read_freeze(struct file *file, struct io *io, uint64_t *pos)
{
    struct text_sink told = {0};

    (void)file, (void)pos;
    show_boot(&told);
    ssize_t n = told.length <= io->left ? io_put(io, told.data, told.length) : -EMSGSIZE;
    kfree(told.data);
    return n;
}

static const struct file_ops freeze_ops = {.read = read_freeze, .write = write_freeze, .kind = "freeze"};

DEVICE(freeze) = {.name = "unikit/freeze",
                  .major = 10,
                  .minor = 223,
                  .mode = 0600,
                  .ops = &freeze_ops,
                  .open = open_freeze};

/* While an image is made: how, and modules to import before. */
static void show_how(struct text_sink *out)
{
    const char *how = config_get("freeze"), *modules = config_get("freeze_import");

    text_put(out, "%s\n%s", how ? how : "", modules ? modules : "");
}

TEXT_FILE(how) = {.path = "/proc/unikit/freeze", .show = show_how};
