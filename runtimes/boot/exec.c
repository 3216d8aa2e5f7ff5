/* exec.c - loads the configured program and its dynamic linker, and lays out the stack that they start on.
 *
 * As execve(2) on Linux does it: segments are mapped from the image in place, position-independent programs
 * at random addresses; the stack holds strings, the auxiliary vector (System V ABI for x86-64, 3.4.1;
 * getauxval(3)), environment and arguments. There is no exec a second time.
 */
#include "exec.h"
#include "config.h"
#include "cpu.h"
#include "elf.h"
#include "entropy.h"
#include "file.h"
#include "memory.h"
#include "node.h"
#include "process.h"
#include "thread.h"
#include <asm/fcntl.h>
#include <linux/mman.h>
#include <linux/auxvec.h>

#define STACK_SIZE      (8UL << 20)
#define PROGRAM_BASE    0x555555554000UL
#define HEADER_BYTES    4096
#define HWCAP2_FSGSBASE 2UL

struct exec_information exec_information;

static ssize_t read_at(struct file *file, void *to, size_t n, uint64_t offset)
{
    struct io io;
    io_init(&io, to, n, true);
    return file->ops->read ? file->ops->read(file, &io, &offset) : -EINVAL;
}

static noreturn void cannot_run(const char *path, const char *why)
{
    boot_error("exec", "The program %s cannot run: %s. Build the image again with this version of unikit.",
               path, why);
}

static struct file *open_program(const char *path, struct elf *elf)
{
    struct file *file;
    if (kernel_open(path, O_RDONLY, 0, &file) < 0)
        cannot_run(path, "it is not in the image");
    char *header = kmalloc(HEADER_BYTES);
    if (!header)
        boot_error("memory", "There is not enough memory to start %s; give the guest more.", path);
    ssize_t n = read_at(file, header, HEADER_BYTES, 0);
    int error = n < 0 ? (int)n : elf_parse(header, (size_t)n, file->node->size, elf);
    kfree(header);
    if (error)
        cannot_run(path, "it is not an x86-64 ELF program");
    return file;
}

static void must_map(const char *path, long result)
{
    if (result == -ENOMEM)
        boot_error("memory", "There is not enough memory to map %s; give the guest more.", path);
    if (result < 0)
        cannot_run(path, "one of its segments cannot be mapped");
}

/* Memory of a segment beyond its file part is zero: the rest of the last file page, and whole pages after it.
 */
static void map_zeros(const char *path, const struct elf_segment *s, uintptr_t base)
{
    uintptr_t zero = base + s->address + s->file_size, end = base + s->address + s->memory_size;
    uintptr_t pages = s->file_size ? align_up(zero, PAGE_SIZE) : align_down(zero, PAGE_SIZE);
    /* To the page's end, even if the segment ends before: ld.so's first allocations come from there. */
    if (s->protection & PROT_WRITE && zero < pages && clear_out((void *)zero, pages - zero) < 0)
        must_map(path, -ENOMEM);
    if (end > pages)
        must_map(path, space_map(pages, align_up(end, PAGE_SIZE) - pages, s->protection,
                                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, NULL, 0));
}

/* Maps all segments; the difference between where they are and where they were linked. */
static uintptr_t map_program(const char *path, struct file *file, const struct elf *elf, uintptr_t hint)
{
    uintptr_t base = 0;
    size_t size = elf->high - elf->low;
    if (elf->position_independent) {
        long start = space_map(hint, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, NULL, 0);
        must_map(path, start);
        base = (uintptr_t)start - elf->low;
    }
    for (unsigned i = 0; i < elf->segment_count; i++) {
        const struct elf_segment *s = &elf->segments[i];
        uintptr_t start = align_down(base + s->address, PAGE_SIZE);
        size_t length = base + s->address + s->file_size - start;
        if (s->file_size)
            must_map(path, space_map(start, length, s->protection, MAP_PRIVATE | MAP_FIXED, file,
                                     align_down(s->offset, PAGE_SIZE)));
        if (s->memory_size > s->file_size)
            map_zeros(path, s, base);
        if (s->protection & PROT_EXEC && !exec_information.code_start)
            exec_information.code_start = start, exec_information.code_end = start + length;
    }
    return base;
}

/* ---- the first stack */

struct stack {
    uintptr_t at; /* grows down */
};

static uintptr_t push(struct stack *s, const void *data, size_t n)
{
    s->at -= n;
    if (copy_out((void *)s->at, data, n) < 0)
        boot_error("memory", "There is not enough memory for the program's arguments; give the guest more.");
    return s->at;
}

static uintptr_t push_string(struct stack *s, const char *text)
{
    return push(s, text, strlen(text) + 1);
}

/* A growing array of user addresses. */
struct pointers {
    uint64_t *data;
    size_t count, room;
};

static void append(struct pointers *p, uint64_t value)
{
    if (p->count == p->room) {
        size_t more = p->room ? p->room * 2 : 32;
        p->data = krealloc(p->data, more * sizeof(*p->data));
        if (!p->data)
            boot_error("memory",
                       "There is not enough memory for the program's arguments; give the guest more.");
        p->room = more;
    }
    p->data[p->count++] = value;
}

static bool same_variable(const char *a, const char *b)
{
    const char *end = strchr(a, '=');
    return end ? strncmp(a, b, (size_t)(end - a) + 1) == 0 : strcmp(a, b) == 0;
}

/* Is there a later setting of the same variable? */
static bool overridden(const char *setting, size_t i)
{
    const char *later;
    while ((later = config_each("env", ++i)))
        if (same_variable(setting, later))
            return true;
    return false;
}

/* Strings go below each other, so the last one is pushed first: arguments end up below the environment, both
 * in order. */
static void push_environment(struct stack *s, struct pointers *environment)
{
    size_t n = 0;
    while (config_each("env", n))
        n++;
    exec_information.environment_end = s->at;
    while (n-- > 0) {
        const char *setting = config_each("env", n);
        if (!overridden(setting, n))
            append(environment, push_string(s, setting));
    }
    exec_information.environment_start = s->at;
}

static void push_arguments(struct stack *s, struct pointers *arguments)
{
    const char *(*each)(const char *, size_t) =
        config_each_override("arg", 0) ? config_each_override : config_each;
    size_t fixed = 0, own = 0;
    while (config_each("argv", fixed))
        fixed++;
    while (each("arg", own))
        own++;
    exec_information.arguments_end = s->at;
    while (own-- > 0)
        append(arguments, push_string(s, each("arg", own)));
    while (fixed-- > 0)
        append(arguments, push_string(s, config_each("argv", fixed)));
    exec_information.arguments_start = s->at;
}

/* What a frozen image was started with is not what this boot says. */
void exec_show_environment(struct text_sink *out)
{
    const char *setting;

    for (size_t i = 0; (setting = config_each("env", i)); i++)
        if (!overridden(setting, i))
            text_put(out, "%s%c", setting, 0);
}

void exec_show_arguments(struct text_sink *out)
{
    const char *(*each)(const char *, size_t) =
        config_each_override("arg", 0) ? config_each_override : config_each;
    const char *argument;

    for (size_t i = 0; (argument = config_each("argv", i)); i++)
        text_put(out, "%s%c", argument, 0);
    for (size_t i = 0; (argument = each("arg", i)); i++)
        text_put(out, "%s%c", argument, 0);
}

static void reverse(struct pointers *p)
{
    for (size_t i = 0; i < p->count / 2; i++) {
        uint64_t other = p->data[p->count - 1 - i];
        p->data[p->count - 1 - i] = p->data[i];
        p->data[i] = other;
    }
}

struct loaded {
    const struct elf *program;
    uintptr_t base, interpreter_base;
};

static void append_auxiliary(struct pointers *v, struct stack *s, const struct loaded *l, uintptr_t path)
{
    uint8_t random[16];
    random_bytes(random, sizeof(random));
    uintptr_t vdso = 0;
    const struct elf *e = l->program;
    const uint64_t pairs[][2] = {
        {AT_SYSINFO_EHDR, vdso_map(&vdso) == 0 ? vdso : 0},
        {AT_MINSIGSTKSZ, signal_frame_size()},
        {AT_HWCAP, cpu.hwcap},
        {AT_PAGESZ, PAGE_SIZE},
        {AT_CLKTCK, 100},
        {AT_PHDR, e->header_address ? e->header_address + l->base : 0},
        {AT_PHENT, 56},
        {AT_PHNUM, e->header_count},
        {AT_BASE, l->interpreter_base},
        {AT_FLAGS, 0},
        {AT_ENTRY, e->entry + l->base},
        {AT_UID, 0},
        {AT_EUID, 0},
        {AT_GID, 0},
        {AT_EGID, 0},
        {AT_SECURE, 0},
        {AT_RANDOM, push(s, random, sizeof(random))},
        {AT_HWCAP2, cpu.fsgsbase ? HWCAP2_FSGSBASE : 0},
        {AT_EXECFN, path},
        {AT_PLATFORM, push_string(s, "x86_64")},
        {AT_NULL, 0},
    };
    for (size_t i = 0; i < array_size(pairs); i++)
        if (pairs[i][0] != AT_SYSINFO_EHDR || vdso)
            append(v, pairs[i][0]), append(v, pairs[i][1]);
}

static void map_stack(void)
{
    uintptr_t end = USER_END - PAGE_SIZE - (random_u64() & 0x3fffffUL) * PAGE_SIZE; /* 16 GiB of places */
    must_map("the stack",
             space_map(end - STACK_SIZE, STACK_SIZE, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_STACK | MAP_NORESERVE, NULL, 0));
    must_map("the stack", space_map(end - STACK_SIZE - PAGE_SIZE, PAGE_SIZE, PROT_NONE,
                                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, NULL, 0));
    exec_information.stack_start = end - STACK_SIZE, exec_information.stack_end = end;
}

/* From the top: zero bytes (tunables are read past the last string), the path, environment, arguments, random
 * bytes; then the vectors: auxiliary, environment, arguments, their count at rsp. */
static uintptr_t build_stack(const struct loaded *l)
{
    struct stack s = {exec_information.stack_end - (random_u64() & 0xff0)};
    struct pointers environment = {0}, arguments = {0}, vector = {0}, auxiliary = {0};
    push(&s, (char[16]){0}, 16);
    uintptr_t path = push_string(&s, exec_information.path);
    push_environment(&s, &environment);
    push_arguments(&s, &arguments);
    append_auxiliary(&auxiliary, &s, l, path);

    append(&vector, arguments.count);
    reverse(&arguments), reverse(&environment);
    for (size_t i = 0; i < arguments.count; i++)
        append(&vector, arguments.data[i]);
    append(&vector, 0);
    for (size_t i = 0; i < environment.count; i++)
        append(&vector, environment.data[i]);
    append(&vector, 0);
    for (size_t i = 0; i < auxiliary.count; i++)
        append(&vector, auxiliary.data[i]);
    size_t bytes = vector.count * sizeof(*vector.data);
    s.at = align_down(s.at - bytes, 16) + bytes;
    uintptr_t top = push(&s, vector.data, bytes);
    exec_information.auxiliary_end = top + bytes;
    exec_information.auxiliary_start = top + bytes - auxiliary.count * sizeof(*auxiliary.data);
    kfree(environment.data), kfree(arguments.data), kfree(vector.data), kfree(auxiliary.data);
    return top;
}

static uintptr_t load_interpreter(const char *program, struct file *file, const struct elf *elf,
                                  uintptr_t *entry)
{
    char *path = kzalloc(elf->interpreter_size + 1);
    struct elf interpreter;
    if (!path || read_at(file, path, elf->interpreter_size, elf->interpreter_offset) < 0)
        cannot_run(program, "the name of its dynamic linker cannot be read");
    struct file *linker = open_program(path, &interpreter);
    uintptr_t base = map_program(path, linker, &interpreter, 0);
    *entry = base + interpreter.entry;
    file_put(linker);
    kfree(path);
    return base;
}

void exec(void)
{
    const char *path = config_get("exec");
    if (!path)
        boot_error(
            "exec",
            "The boot configuration names no program; build the image again with this version of unikit.");
    struct elf elf;
    struct file *file = open_program(path, &elf);
    exec_information.path = path;

    uintptr_t hint = PROGRAM_BASE + (random_u64() & 0xffffffUL) * PAGE_SIZE; /* 64 GiB of places */
    struct loaded loaded = {.program = &elf, .base = map_program(path, file, &elf, hint)};
    uintptr_t entry = loaded.base + elf.entry;
    space_set_brk(loaded.base + elf.high + (random_u64() & 0x1fff) * PAGE_SIZE);
    map_stack();
    if (elf.interpreter_size)
        loaded.interpreter_base = load_interpreter(path, file, &elf, &entry);
    file_put(file);

    struct registers start = {.rip = entry,
                              .rflags = RFLAGS_IF | RFLAGS_ONE,
                              .cs = KERNEL_CS,
                              .ss = KERNEL_SS,
                              .number = (uint64_t)-1};
    start.rsp = exec_information.stack_top = build_stack(&loaded);
    struct thread *thread = thread_create(&start, 0);
    if (!thread)
        boot_error("memory",
                   "There is not enough memory for the program's first thread; give the guest more.");
    process_id = thread->tid;
    const char *name = strrchr(path, '/');
    snprintf(thread->name, sizeof(thread->name), "%s", name ? name + 1 : path);
    thread_ready(thread);
}
