/* devices.c - /dev: a node for every device that is in the image, and the links that programs expect. */
#include "kernel.h"
#include "tree.h"

static void add(const struct device_record *record)
{
    struct node *directory;
    char parent[64];
    const char *slash = strrchr(record->name, '/'), *name = slash ? slash + 1 : record->name;

    snprintf(parent, sizeof(parent), "/dev/%.*s", (int)(name - record->name), record->name);
    struct tree_node *t = tree_node_new(&tree_ops, NODE_CHARACTER | record->mode);
    if (!t || tree_directory(parent, &tree_ops, DEVICE_DEV, &directory))
        panic("no memory for /dev/%s", record->name);
    t->node.rdev = record->major << 8 | (record->minor & 0xff);
    t->node.device = DEVICE_DEV;
    tree_add(directory, name, strlen(name), &t->node); /* one of the image's that is there already may stay */
    node_put(&t->node);
    node_put(directory);
}

INIT(filesystems)
{
    struct node *directory;

    if (tree_directory("/dev/shm", &tree_ops, DEVICE_DEV, &directory))
        panic("no memory for /dev");
    directory->mode = NODE_DIRECTORY | 01777;
    node_put(directory);
    for_each_record(unikit_devices, record)
    {
        if (record->name)
            add(record);
    }
    tree_symlink("/dev/fd", "/proc/self/fd");
    tree_symlink("/dev/stdin", "/proc/self/fd/0");
    tree_symlink("/dev/stdout", "/proc/self/fd/1");
    tree_symlink("/dev/stderr", "/proc/self/fd/2");
}
