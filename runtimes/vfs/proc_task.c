/* proc_task.c - /proc/self/task, and what is said of a thread and of the process as one: stat, status, comm
 * (proc(5)).
 *
 * CPU time is the program's own: calls into the kernel are not timed apart. */
#include "descriptors.h"
#include "exec.h"
#include "memory.h"
#include "path.h"
#include "proc.h"
#include "process.h"
#include "thread.h"

#define TICK (1000000000 / 100) /* sysconf(_SC_CLK_TCK) is 100 */

/* Handlers as sets of signals, bit n-1 is signal n. (signals/) */
void signal_sets(uint64_t *ignored, uint64_t *caught) WEAK;

static char state_of(const struct thread *t)
{
    return t == current || t->state == THREAD_READY || t->state == THREAD_RUNNING ? 'R' : 'S';
}

static uint64_t time_of(const struct thread *t)
{
    return t->ran + (t == current ? clock_now() - t->since : 0);
}

/* tid 0: of the process. */
static struct thread *thread_of(intptr_t tid)
{
    struct thread *t = thread_by_tid(tid ? (int)tid : process_id);
    return t || tid ? t : current; /* the first thread may have ended */
}

static uint64_t time_used(intptr_t tid, const struct thread *t)
{
    uint64_t sum = 0;

    if (tid)
        return time_of(t);
    list_for_each (p, &threads_all)
        sum += time_of(list_entry(p, struct thread, all));
    return sum;
}

static void show_stat(struct text_sink *sink, intptr_t tid)
{
    struct thread *t = thread_of(tid);
    struct space_totals space = space_totals();
    uintptr_t brk_start = 0, brk_end = 0;
    uint64_t ignored = 0, caught = 0;

    if (!t)
        return;
    if (signal_sets)
        signal_sets(&ignored, &caught);
    space_brk_range(&brk_start, &brk_end);
    int id = tid ? t->tid : process_id;
    text_put(sink, "%d (%s) %c 0 %d %d 0 -1 4194304 0 0 0 0 ", id, t->name, state_of(t), process_id,
             process_id);
    text_put(sink, "%lu 0 0 0 20 0 %d 0 1 ", time_used(tid, t) / TICK, threads_count);
    text_put(sink, "%zu %zu 18446744073709551615 ", space.mapped * PAGE_SIZE, space.resident);
    text_put(sink, "%lu %lu %lu 0 0 ", exec_information.code_start, exec_information.code_end,
             exec_information.stack_top);
    text_put(sink, "%lu %lu %lu %lu ", t->signals.pending & 0x7fffffff, t->signals.blocked & 0x7fffffff,
             ignored & 0x7fffffff, caught & 0x7fffffff);
    text_put(sink, "0 0 0 17 0 0 0 0 0 0 0 0 %lu %lu %lu %lu %lu 0\n", brk_start,
             exec_information.arguments_start, exec_information.arguments_end,
             exec_information.environment_start, exec_information.environment_end);
}

static void show_status(struct text_sink *sink, intptr_t tid)
{
    struct thread *t = thread_of(tid);
    struct space_totals space = space_totals();
    struct page_totals pages = pages_totals();
    uint64_t ignored = 0, caught = 0;

    if (!t)
        return;
    if (signal_sets)
        signal_sets(&ignored, &caught);
    size_t mapped = space.mapped * 4, resident = space.resident * 4;
    text_put(sink, "Name:\t%s\nUmask:\t%04o\nState:\t%s\n", t->name, path_umask,
             state_of(t) == 'R' ? "R (running)" : "S (sleeping)");
    text_put(sink, "Tgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t0\nTracerPid:\t0\n", process_id,
             tid ? t->tid : process_id);
    text_put(sink, "Uid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\nFDSize:\t%u\nGroups:\t \n", fd_room());
    text_put(sink, "NStgid:\t%d\nNSpid:\t%d\n", process_id, tid ? t->tid : process_id);
    text_put(sink, "VmPeak:\t%8zu kB\nVmSize:\t%8zu kB\nVmLck:\t       0 kB\nVmPin:\t       0 kB\n", mapped,
             mapped);
    text_put(sink,
             "VmHWM:\t%8zu kB\nVmRSS:\t%8zu kB\nRssAnon:\t%8zu kB\nRssFile:\t       0 kB\nRssShmem:\t       "
             "0 kB\n",
             max(resident, (pages.total - pages.low) * 4), resident, resident);
    text_put(sink, "VmSwap:\t       0 kB\nThreads:\t%d\nSigQ:\t0/1024\n", threads_count);
    text_put(sink, "SigPnd:\t%016lx\nShdPnd:\t%016lx\nSigBlk:\t%016lx\nSigIgn:\t%016lx\nSigCgt:\t%016lx\n",
             t->signals.pending, 0UL, t->signals.blocked, ignored, caught);
    text_put(sink, "CapInh:\t0000000000000000\nCapPrm:\t000001ffffffffff\nCapEff:\t000001ffffffffff\n"
                   "CapBnd:\t000001ffffffffff\nCapAmb:\t0000000000000000\nNoNewPrivs:\t0\nSeccomp:\t0\n"
                   "Cpus_allowed:\t1\nCpus_allowed_list:\t0\nMems_allowed:\t1\nMems_allowed_list:\t0\n"
                   "voluntary_ctxt_switches:\t0\nnonvoluntary_ctxt_switches:\t0\n");
}

static void show_comm(struct text_sink *sink, intptr_t tid)
{
    const struct thread *t = thread_of(tid);
    if (t)
        text_put(sink, "%s\n", t->name);
}

static void show_schedstat(struct text_sink *sink, intptr_t tid)
{
    const struct thread *t = thread_of(tid);
    if (t)
        text_put(sink, "%lu 0 0\n", time_used(tid, t));
}

static void show_own_stat(struct text_sink *sink)
{
    show_stat(sink, 0);
}
static void show_own_status(struct text_sink *sink)
{
    show_status(sink, 0);
}
static void show_own_comm(struct text_sink *sink)
{
    show_comm(sink, 0);
}
static void show_own_schedstat(struct text_sink *sink)
{
    show_schedstat(sink, 0);
}

TEXT_FILE(self_stat) = {"/proc/self/stat", show_own_stat};
TEXT_FILE(self_status) = {"/proc/self/status", show_own_status};
TEXT_FILE(self_comm) = {"/proc/self/comm", show_own_comm};
TEXT_FILE(self_schedstat) = {"/proc/self/schedstat", show_own_schedstat};

/* ---- /proc/self/task/TID */

struct task_node {
    struct node node;
    int tid;
    char name[12];
};

static const struct {
    const char *name;
    text_show show;
} task_files[] = {
    {"stat", show_stat}, {"status", show_status}, {"comm", show_comm}, {"schedstat", show_schedstat}};

static int task_file_lookup(struct node *directory, const char *name, size_t length, struct node **out)
{
    const struct task_node *task = container_of(directory, struct task_node, node);

    if (!thread_by_tid(task->tid))
        return -ENOENT;
    for (size_t i = 0; i < array_size(task_files); i++) {
        if (strlen(task_files[i].name) == length && memcmp(task_files[i].name, name, length) == 0) {
            *out = text_node_new(task_files[i].show, task->tid, 0444);
            if (*out)
                (*out)->device = DEVICE_PROC;
            return *out ? 0 : -ENOMEM;
        }
    }
    return -ENOENT;
}

static int task_files_getdents(struct file *file, struct io *io)
{
    size_t room = io->left;
    int result = 1;

    for (; file->pos < 2 + array_size(task_files); file->pos++) {
        const char *name = file->pos < 2 ? ".." : task_files[file->pos - 2].name;
        size_t length = file->pos < 2 ? file->pos + 1 : strlen(name);
        result = dirent_put(io, file->node->number + file->pos, file->pos + 1, file->pos < 2 ? 4 : 8, name,
                            length);
        if (result <= 0)
            break;
    }
    if (io->left < room)
        return (int)(room - io->left);
    return result == 0 ? -EINVAL : min(result, 0);
}

static const struct file_ops task_files_ops = {
    .seek = file_seek_plain, .getdents = task_files_getdents, .kind = "directory"};

static int task_open(struct node *n, struct file *file)
{
    (void)n;
    file->ops = &task_files_ops;
    return 0;
}

static void task_release(struct node *n)
{
    node_put(n->parent);
    kfree(container_of(n, struct task_node, node));
}

static const struct node_ops task_ops = {
    .lookup = task_file_lookup, .open = task_open, .release = task_release};

static int tasks_lookup(struct node *directory, const char *name, size_t length, struct node **out)
{
    long tid = proc_number(name, length);

    if (tid <= 0 || !thread_by_tid((int)tid))
        return -ENOENT;
    struct task_node *task = kzalloc(sizeof(*task));
    if (!task)
        return -ENOMEM;
    node_init(&task->node, &task_ops, NODE_DIRECTORY | 0555);
    task->node.device = DEVICE_PROC;
    task->node.links = 2;
    task->node.parent = node_get(directory);
    task->tid = (int)tid;
    snprintf(task->name, sizeof(task->name), "%ld", tid);
    task->node.name = task->name;
    *out = &task->node;
    return 0;
}

static long next_tid(long above)
{
    long least = -1;

    list_for_each (p, &threads_all) {
        long tid = list_entry(p, struct thread, all)->tid;
        if (tid > above && (least < 0 || tid < least))
            least = tid;
    }
    return least;
}

static int tasks_getdents(struct file *file, struct io *io)
{
    return proc_list_numbers(file, io, 4, next_tid);
}

static const struct file_ops tasks_file_ops = {
    .seek = file_seek_plain, .getdents = tasks_getdents, .kind = "directory"};

static int tasks_open(struct node *n, struct file *file)
{
    (void)n;
    file->ops = &tasks_file_ops;
    return 0;
}

static const struct node_ops tasks_ops = {
    .lookup = tasks_lookup, .open = tasks_open, .release = tree_release};

PROC_DIRECTORY(task) = {"/proc/self/task", &tasks_ops};
