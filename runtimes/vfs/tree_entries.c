/* tree_entries.c - names of a directory that come and go: what all changes of the tree are made of. */
#include "memory.h"
#include "tree_entries.h"

int tree_entry_of(struct tree_node *d, const char *name, size_t length, struct entry **out)
{
    struct node *n;
    int error = tree_lookup(&d->node, name, length, &n);

    if (error)
        return error;
    node_put(n);
    *out = names_find(d, name, length, names_hash(d, name, length));
    return 0;
}

void tree_changed(struct tree_node *d)
{
    tree_keep(d);
    d->node.mtime = d->node.ctime = clock_real();
}

int tree_insert(struct tree_node *d, const char *name, size_t length, struct node *n)
{
    uint64_t hash = names_hash(d, name, length);
    struct entry *e = names_find(d, name, length, hash);

    if (!e) {
        e = names_add(d, name, length, hash);
        if (!e)
            return -ENOMEM;
    } else { /* a removed one; new names come last */
        list_remove(&e->link);
        list_append(&d->directory.entries, &e->link);
    }
    e->state = ENTRY_ADDED;
    e->sequence = d->directory.sequence++;
    d->directory.added++;
    tree_attach(e, n);
    if (node_is_directory(n)) {
        tree_of(n)->entry = e;
        d->node.links++;
    }
    tree_changed(d);
    return 0;
}

struct node *tree_take(struct tree_node *d, struct entry *e)
{
    struct node *n = e->node;

    if (n->ops == &tree_ops)
        tree_keep(tree_of(n));
    if (e->state == ENTRY_ADDED)
        d->directory.added--;
    if (node_is_directory(n)) {
        n->name = NULL;
        d->node.links--;
    }
    if (n->ops == &tree_ops)
        tree_of(n)->entry = NULL;
    if (e->over) {
        e->state = ENTRY_REMOVED;
        e->node = NULL;
    } else {
        names_delete(e);
    }
    tree_changed(d);
    return n;
}

bool tree_is_empty(struct tree_node *d)
{
    uint64_t position = 0;
    struct erofs_entry found;

    if (d->directory.added)
        return false;
    while (d->imaged && erofs_next(&d->image, &position, &found) > 0) {
        if (found.name[0] == '.' && (found.length == 1 || (found.length == 2 && found.name[1] == '.')))
            continue;
        const struct entry *e =
            names_find(d, found.name, found.length, names_hash(d, found.name, found.length));
        if (!e || e->state != ENTRY_REMOVED)
            return false;
    }
    return true;
}

bool tree_alive(const struct node *directory)
{
    return directory->name || directory == tree_root;
}

void tree_unlinked(struct node *n)
{
    n->ctime = clock_real();
    n->links = node_is_directory(n) ? 0 : n->links - 1;
    node_put(n);
}
