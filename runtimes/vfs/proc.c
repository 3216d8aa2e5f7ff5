/* proc.c - /proc and /sys: the directories, filled from the records that components declare.
 *
 * The files are not made at boot: whoever looks into /proc or /sys first makes them, so a program that never
 * does pays nothing. /proc/self is a link to the directory of the process; files declared as /proc/self/x are
 * there. */
#include "proc.h"
#include "memory.h"
#include "process.h"
#include "thread.h"

#define SELF "/proc/self/"

static struct node *process_directory; /* /proc/PID; NULL before the first look */
static int process_directory_id;       /* the name it has */

long proc_number(const char *name, size_t length)
{
    long n = 0;

    if (length == 0 || length > 9 || (name[0] == '0' && length > 1))
        return -1;
    for (size_t i = 0; i < length; i++) {
        if (name[i] < '0' || name[i] > '9')
            return -1;
        n = n * 10 + (name[i] - '0');
    }
    return n;
}

ssize_t proc_copy(char *to, size_t size, const char *text, size_t length)
{
    length = min(length, size);
    memcpy(to, text, length);
    return (ssize_t)length;
}

int proc_list_numbers(struct file *file, struct io *io, unsigned type, long (*next)(long above))
{
    size_t room = io->left;
    struct node *d = file->node;
    int result = 1;

    /* Positions: 0 ".", 1 "..", then the number that was given last plus 3. */
    for (; file->pos < 2 && result > 0; file->pos += result > 0)
        result =
            dirent_put(io, file->pos ? d->parent->number : d->number, file->pos + 1, 4, "..", file->pos + 1);
    while (result > 0) {
        char name[12];
        long n = next((long)file->pos - 3);
        if (n < 0)
            break;
        int length = snprintf(name, sizeof(name), "%ld", n);
        result = dirent_put(io, d->number * 65536 + (uint64_t)n, (uint64_t)n + 3, type, name, (size_t)length);
        if (result > 0)
            file->pos = (uint64_t)n + 3;
    }
    if (io->left < room)
        return (int)(room - io->left);
    return result == 0 ? -EINVAL : min(result, 0);
}

/* ---- links to where the process is */

static ssize_t self_target(intptr_t argument, char *to, size_t size)
{
    char text[48];
    int n = argument ? snprintf(text, sizeof(text), "%d/task/%d", process_id, current->tid)
                     : snprintf(text, sizeof(text), "%d", process_id);
    return proc_copy(to, size, text, (size_t)n);
}

static ssize_t mounts_target(intptr_t argument, char *to, size_t size)
{
    (void)argument;
    return proc_copy(to, size, "self/mounts", 11);
}

/* ---- filling */

static void show_record(struct text_sink *sink, intptr_t argument)
{
    ((const struct text_file_record *)argument)->show(sink);
}

/* The directory of a path below /proc or /sys, made if need be, and where the last name starts. */
static struct node *parent_of(const char *path, const char **name)
{
    char parent[128];
    struct node *n;

    *name = strrchr(path, '/') + 1;
    if (strncmp(path, SELF, sizeof(SELF) - 1) == 0)
        snprintf(parent, sizeof(parent), "/proc/%d/%.*s", process_directory_id,
                 (int)(*name - path) - (int)(sizeof(SELF) - 1), path + sizeof(SELF) - 1);
    else
        snprintf(parent, sizeof(parent), "%.*s", (int)(*name - path), path);
    uint32_t device = strncmp(path, "/sys/", 5) == 0 ? DEVICE_SYS : DEVICE_PROC;
    return tree_directory(parent, &tree_system_ops, device, &n) ? NULL : n;
}

/* Puts a node at a path; without memory it is simply not there. */
static void put(const char *path, struct node *n)
{
    const char *name;
    struct node *directory = n ? parent_of(path, &name) : NULL;

    if (directory) {
        n->device = directory->device;
        n->size = n->device == DEVICE_SYS && node_type(n) == NODE_REGULAR ? PAGE_SIZE : 0;
        tree_add(directory, name, strlen(name), n);
        node_put(directory);
    }
    if (n)
        node_put(n);
}

static void fill(void)
{
    struct node *n;
    char path[32];

    process_directory_id = process_id;
    snprintf(path, sizeof(path), "/proc/%d", process_id);
    if (tree_directory(path, &tree_system_ops, DEVICE_PROC, &process_directory))
        return;
    put("/proc/self", text_link_new(self_target, NULL, 0, 0777));
    put("/proc/thread-self", text_link_new(self_target, NULL, 1, 0777));
    put("/proc/mounts", text_link_new(mounts_target, NULL, 0, 0777));
    for_each_record(unikit_proc_directories, directory)
    {
        char whole[128];
        snprintf(whole, sizeof(whole), "%s/x", directory->path); /* the directory itself is the parent */
        const char *name;
        n = parent_of(whole, &name);
        if (n) {
            n->ops = directory->ops;
            node_put(n);
        }
    }
    for_each_record(unikit_proc_links, link)
        put(link->path, text_link_new(link->target, link->follow, 0, 0777));
    for_each_record(unikit_text_files, file)
        put(file->path, text_node_new(show_record, (intptr_t)file, 0444));
}

/* Before any look: the files are there, and the directory has the process's name (a fork in a frozen image
 * gives it another id). */
static void settle(void)
{
    static bool filling;

    if (filling)
        return;
    filling = true;
    if (!process_directory)
        fill();
    if (process_directory && process_directory_id != process_id) {
        char name[12];
        struct node *proc = process_directory->parent;
        int n = snprintf(name, sizeof(name), "%d", process_directory_id);
        unsigned links = process_directory->links;
        tree_remove(proc, name, (size_t)n);
        process_directory_id = process_id;
        n = snprintf(name, sizeof(name), "%d", process_id);
        tree_add(proc, name, (size_t)n, process_directory);
        process_directory->links = links;
    }
    filling = false;
}

static int proc_lookup(struct node *directory, const char *name, size_t length, struct node **out)
{
    settle();
    int error = tree_lookup(directory, name, length, out);
    if (error != -ENOENT || !process_directory || directory != process_directory->parent)
        return error;
    /* Threads have a directory too, though it is not listed. */
    long number = proc_number(name, length);
    if (number <= 0 || !thread_by_tid((int)number))
        return -ENOENT;
    *out = node_get(process_directory);
    return 0;
}

static int proc_open(struct node *n, struct file *file)
{
    settle();
    return tree_open(n, file);
}

static const struct node_ops proc_ops = {
    .lookup = proc_lookup,
    .open = proc_open,
    .release = tree_release,
};

INIT(filesystems)
{
    static const struct {
        const char *path;
        uint32_t device;
    } places[] = {{"/proc", DEVICE_PROC}, {"/sys", DEVICE_SYS}};

    for (size_t i = 0; i < array_size(places); i++) {
        struct node *n;
        if (tree_directory(places[i].path, &proc_ops, places[i].device, &n))
            panic("no memory for %s", places[i].path);
        node_put(n);
    }
}
