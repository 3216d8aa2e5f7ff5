/* tree_make.c - parts of the tree that the kernel itself makes: /dev, /proc, /sys. */
#include "memory.h"
#include "tree_entries.h"

int tree_add(struct node *directory, const char *name, size_t length, struct node *n)
{
    struct node *old;

    if (tree_lookup(directory, name, length, &old) == 0) {
        node_put(old);
        return -EEXIST;
    }
    int error = tree_insert(tree_of(directory), name, length, node_get(n));
    if (error)
        node_put(n);
    return error;
}

void tree_remove(struct node *directory, const char *name, size_t length)
{
    struct entry *e;

    if (tree_entry_of(tree_of(directory), name, length, &e) == 0)
        tree_unlinked(tree_take(tree_of(directory), e));
}

int tree_directory(const char *path, const struct node_ops *ops, uint32_t device, struct node **out)
{
    struct node *here, *next;

    if (!tree_root && root_start)
        root_start();
    if (!tree_root)
        return -ENOENT;
    here = node_get(tree_root);
    while (*path == '/')
        path++;
    while (*path) {
        const char *end = strchr(path, '/');
        size_t length = end ? (size_t)(end - path) : strlen(path);
        int error = tree_lookup(here, path, length, &next);
        if (error == -ENOENT) {
            struct tree_node *t = tree_node_new(ops, NODE_DIRECTORY | (ops == &tree_ops ? 0755 : 0555));
            error = -ENOMEM;
            if (t) {
                t->node.device = device;
                next = &t->node;
                error = tree_insert(tree_of(here), path, length, node_get(next));
            }
        } else if (!error && next->device == DEVICE_ROOT && device != DEVICE_ROOT) {
            /* An empty directory of the image that something is mounted on. */
            tree_keep(tree_of(next));
            next->ops = ops;
            next->device = device;
        }
        node_put(here);
        if (error)
            return error;
        here = next;
        path += length;
        while (*path == '/')
            path++;
    }
    *out = here;
    return 0;
}

int tree_symlink(const char *path, const char *target)
{
    const char *name = strrchr(path, '/') + 1;
    char parent[128];
    struct node *directory;

    snprintf(parent, sizeof(parent), "%.*s", (int)(name - path), path);
    int error = tree_directory(parent, &tree_ops, DEVICE_ROOT, &directory);
    if (error)
        return error;
    struct tree_node *t = tree_node_new(&tree_ops, NODE_LINK | 0777);
    if (t)
        t->target = kstrdup(target);
    if (!t || !t->target) {
        if (t)
            node_put(&t->node);
        node_put(directory);
        return -ENOMEM;
    }
    t->node.size = strlen(target);
    t->node.device = directory->device;
    error = tree_add(directory, name, strlen(name), &t->node);
    node_put(&t->node);
    node_put(directory);
    return error;
}
