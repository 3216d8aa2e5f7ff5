/* proc_process.c - what the process was started with and stands in: /proc/self/cmdline, environ, auxv, exe,
 * cwd, root, limits, cgroup, oom_score, io (proc(5)). */
#include "exec.h"
#include "image.h"
#include "memory.h"
#include "path.h"
#include "proc.h"
#include "process.h"
#include "readwrite.h"

static void show_cmdline(struct text_sink *sink)
{
    if (boot_frozen)
        exec_show_arguments(sink);
    else
        text_put_user(sink, exec_information.arguments_start, exec_information.arguments_end);
}

static void show_environ(struct text_sink *sink)
{
    if (boot_frozen)
        exec_show_environment(sink);
    else
        text_put_user(sink, exec_information.environment_start, exec_information.environment_end);
}

static void show_auxv(struct text_sink *sink)
{
    text_put_user(sink, exec_information.auxiliary_start, exec_information.auxiliary_end);
}

TEXT_FILE(cmdline) = {"/proc/self/cmdline", show_cmdline};
TEXT_FILE(environ) = {"/proc/self/environ", show_environ};
TEXT_FILE(auxv) = {"/proc/self/auxv", show_auxv};

static ssize_t exe_target(intptr_t argument, char *to, size_t size)
{
    static char text[PATH_LONGEST];
    (void)argument;
    ssize_t n = path_canonical(exec_information.path, text, sizeof(text));
    return n < 0 ? n : proc_copy(to, size, text, (size_t)n);
}

static int exe_follow(intptr_t argument, struct node **node, struct file **file)
{
    (void)argument, (void)file;
    return path_find(exec_information.path, true, node);
}

static ssize_t place_target(struct node *place, char *to, size_t size)
{
    static char text[PATH_LONGEST];
    ssize_t n = path_of(place, NULL, 0, text, sizeof(text));
    return n < 0 ? n : proc_copy(to, size, text, (size_t)n);
}

static ssize_t cwd_target(intptr_t argument, char *to, size_t size)
{
    (void)argument;
    return place_target(path_cwd, to, size);
}

static int cwd_follow(intptr_t argument, struct node **node, struct file **file)
{
    (void)argument, (void)file;
    *node = node_get(path_cwd);
    return 0;
}

static ssize_t root_target(intptr_t argument, char *to, size_t size)
{
    (void)argument;
    return place_target(path_root, to, size);
}

static int root_follow(intptr_t argument, struct node **node, struct file **file)
{
    (void)argument, (void)file;
    *node = node_get(path_root);
    return 0;
}

PROC_LINK(exe) = {"/proc/self/exe", exe_target, exe_follow};
PROC_LINK(cwd) = {"/proc/self/cwd", cwd_target, cwd_follow};
PROC_LINK(root) = {"/proc/self/root", root_target, root_follow};

static void show_limits(struct text_sink *sink)
{
    /* In the order of RLIMIT_*. */
    static const struct {
        const char *name, *unit;
    } limits[] = {
        {"Max cpu time", "seconds"},    {"Max file size", "bytes"},      {"Max data size", "bytes"},
        {"Max stack size", "bytes"},    {"Max core file size", "bytes"}, {"Max resident set", "bytes"},
        {"Max processes", "processes"}, {"Max open files", "files"},     {"Max locked memory", "bytes"},
        {"Max address space", "bytes"}, {"Max file locks", "locks"},     {"Max pending signals", "signals"},
        {"Max msgqueue size", "bytes"}, {"Max nice priority", ""},       {"Max realtime priority", ""},
        {"Max realtime timeout", "us"},
    };

    text_put(sink, "%-26s%-21s%-21s%-10s\n", "Limit", "Soft Limit", "Hard Limit", "Units");
    for (size_t i = 0; i < array_size(limits); i++) {
        uint64_t limit = process_limit((int)i);
        char text[24] = "unlimited";
        if (limit != UINT64_MAX)
            snprintf(text, sizeof(text), "%lu", limit);
        text_put(sink, "%-26s%-21s%-21s%-10s\n", limits[i].name, text, text, limits[i].unit);
    }
}

static void show_cgroup(struct text_sink *sink)
{
    text_put(sink, "0::/\n");
}

static void show_zero(struct text_sink *sink)
{
    text_put(sink, "0\n");
}

static void show_io(struct text_sink *sink)
{
    text_put(sink, "rchar: %lu\nwchar: %lu\nsyscr: %lu\nsyscw: %lu\n", io_counts.read_bytes,
             io_counts.written_bytes, io_counts.reads, io_counts.writes);
    text_put(sink, "read_bytes: 0\nwrite_bytes: 0\ncancelled_write_bytes: 0\n"); /* no disk */
}

TEXT_FILE(limits) = {"/proc/self/limits", show_limits};
TEXT_FILE(cgroup) = {"/proc/self/cgroup", show_cgroup};
TEXT_FILE(oom_score) = {"/proc/self/oom_score", show_zero};
TEXT_FILE(oom_score_adj) = {"/proc/self/oom_score_adj", show_zero};
TEXT_FILE(process_io) = {"/proc/self/io", show_io};
