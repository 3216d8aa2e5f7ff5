/* tree_change.c - the operations that change the tree: create, link, symlink, unlink, rename (node_ops).
 *
 * Each either happens or leaves everything as it was: what can fail for want of memory comes before the first
 * change. */
#include <linux/fs.h>

#include "memory.h"
#include "tree_entries.h"

int tree_create(struct node *directory, const char *name, size_t length, uint32_t mode, uint32_t rdev,
                struct node **out)
{
    struct tree_node *d = tree_of(directory);
    struct node *old;
    int error = tree_lookup(directory, name, length, &old);

    if (!error) {
        node_put(old);
        return -EEXIST;
    }
    if (error != -ENOENT)
        return error;
    if (!tree_alive(directory))
        return -ENOENT;
    struct tree_node *t = tree_node_new(&tree_ops, mode);
    if (!t)
        return -ENOSPC;
    t->node.rdev = rdev;
    t->node.device = directory->device;
    error = tree_insert(d, name, length, &t->node);
    if (error) {
        node_put(&t->node);
        return -ENOSPC;
    }
    *out = node_get(&t->node);
    return 0;
}

int tree_symlink_at(struct node *directory, const char *name, size_t length, const char *target,
                    struct node **out)
{
    char *copy = kstrdup(target);

    if (!copy)
        return -ENOSPC;
    int error = tree_create(directory, name, length, NODE_LINK | 0777, 0, out);
    if (error) {
        kfree(copy);
        return error;
    }
    tree_of(*out)->target = copy;
    (*out)->size = strlen(copy);
    return 0;
}

int tree_link(struct node *directory, const char *name, size_t length, struct node *target)
{
    struct node *old;

    if (node_is_directory(target))
        return -EPERM;
    if (target->device != directory->device || target->ops != &tree_ops)
        return -EXDEV;
    int error = tree_lookup(directory, name, length, &old);
    if (!error) {
        node_put(old);
        return -EEXIST;
    }
    if (error != -ENOENT)
        return error;
    if (!tree_alive(directory))
        return -ENOENT;
    tree_keep(tree_of(target));
    error = tree_insert(tree_of(directory), name, length, node_get(target));
    if (error) {
        node_put(target);
        return -ENOSPC;
    }
    tree_of(target)->entry = NULL;
    target->links++;
    target->ctime = clock_real();
    return 0;
}

int tree_unlink(struct node *directory, const char *name, size_t length, bool is_directory)
{
    struct tree_node *d = tree_of(directory);
    struct entry *e;
    int error = tree_entry_of(d, name, length, &e);

    if (error)
        return error;
    if (is_directory && !node_is_directory(e->node))
        return -ENOTDIR;
    if (!is_directory && node_is_directory(e->node))
        return -EISDIR;
    if (is_directory && (e->node->ops != &tree_ops || e->node->device != directory->device))
        return -EBUSY;
    if (is_directory && !tree_is_empty(tree_of(e->node)))
        return -ENOTEMPTY;
    tree_unlinked(tree_take(d, e));
    return 0;
}

/* Does `below` lie in the directory `above`, or is it the same? */
static bool lies_in(const struct node *below, const struct node *above)
{
    for (const struct node *n = below; n; n = n->parent) {
        if (n == above)
            return true;
        if (n == tree_root)
            return false;
    }
    return false;
}

static int exchange(struct tree_node *from, const char *name, size_t length, struct tree_node *to,
                    const char *to_name, size_t to_length)
{
    struct entry *a, *b;

    if (tree_entry_of(from, name, length, &a) || tree_entry_of(to, to_name, to_length, &b))
        return -ENOENT;
    a = names_find(from, name, length, names_hash(from, name, length));
    /* Both names stay; taking and inserting again could fail half way, so only the nodes change places. */
    struct node *first = a->node, *second = b->node;
    struct entry *entries[2] = {a, b};
    for (int i = 0; i < 2; i++) {
        struct tree_node *d = entries[i]->directory;
        if (entries[i]->state == ENTRY_IMAGE) {
            entries[i]->state = ENTRY_ADDED;
            entries[i]->sequence = d->directory.sequence++;
            list_remove(&entries[i]->link);
            list_append(&d->directory.entries, &entries[i]->link);
            d->directory.added++;
        }
        if (node_is_directory(entries[i]->node))
            d->node.links--;
        tree_keep(tree_of(entries[i]->node));
        tree_of(entries[i]->node)->entry = NULL;
    }
    tree_attach(a, second);
    tree_attach(b, first);
    for (int i = 0; i < 2; i++) {
        if (node_is_directory(entries[i]->node)) {
            entries[i]->directory->node.links++;
            tree_of(entries[i]->node)->entry = entries[i];
        }
        entries[i]->node->ctime = clock_real();
        tree_changed(entries[i]->directory);
    }
    return 0;
}

int tree_rename(struct node *from, const char *name, size_t length, struct node *to, const char *to_name,
                size_t to_length, unsigned flags)
{
    struct tree_node *source = tree_of(from), *target = tree_of(to);
    struct node *moved, *over = NULL;
    struct entry *e;

    if (from->device != to->device || to->ops != &tree_ops)
        return -EXDEV;
    int error = tree_lookup(from, name, length, &moved);
    if (error)
        return error;
    error = tree_lookup(to, to_name, to_length, &over);
    if (error && error != -ENOENT)
        goto out;
    error = 0;
    if (moved->ops != &tree_ops || (over && over->ops != &tree_ops)) {
        error = -EBUSY;
        goto out;
    }
    if (!tree_alive(to)) {
        error = -ENOENT;
        goto out;
    }
    if (over && (flags & RENAME_NOREPLACE)) {
        error = -EEXIST;
        goto out;
    }
    if (node_is_directory(moved) && lies_in(to, moved)) {
        error = -EINVAL;
        goto out;
    }
    if (flags & RENAME_EXCHANGE) {
        if (!over)
            error = -ENOENT;
        else if (node_is_directory(over) && lies_in(from, over))
            error = -EINVAL;
        else if (over != moved)
            error = exchange(source, name, length, target, to_name, to_length);
        goto out;
    }
    if (over == moved)
        goto out; /* two names of one file: nothing happens */
    if (over) {
        bool above = node_is_directory(over) && lies_in(from, over);
        if (!above && node_is_directory(moved) && !node_is_directory(over))
            error = -ENOTDIR;
        else if (!above && !node_is_directory(moved) && node_is_directory(over))
            error = -EISDIR;
        else if (above || (node_is_directory(over) && !tree_is_empty(tree_of(over))))
            error = -ENOTEMPTY;
        if (error)
            goto out;
    }
    /* What can fail comes first: memory for the new name. */
    uint64_t hash = names_hash(target, to_name, to_length);
    struct entry *place = names_find(target, to_name, to_length, hash);
    if (!place) {
        place = names_add(target, to_name, to_length, hash);
        if (!place) {
            error = -ENOSPC;
            goto out;
        }
        place->state = ENTRY_REMOVED;
    }
    if (over) {
        bool was_over = place->over;
        place->over = true; /* the entry itself is used again */
        tree_unlinked(tree_take(target, place));
        place->over = was_over;
    }
    e = names_find(source, name, length, names_hash(source, name, length));
    assert(e != NULL);
    struct node *n = tree_take(source, e);
    error = tree_insert(target, to_name, to_length, n);
    assert(error == 0); /* the entry is there */
    n->ctime = clock_real();
out:
    node_put(moved);
    if (over)
        node_put(over);
    return error;
}
