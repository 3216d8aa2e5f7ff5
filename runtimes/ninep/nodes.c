/* nodes.c - a node for each file of the host that is in use here: found by name, kept up to date, let go.
 *
 * There is one node for a file, however often and under whatever names it is open, so that locks, mappings
 * and watches meet. Who holds a node keeps it; nothing is kept for its own sake. */
#include <asm/statfs.h>

#include "memory.h"
#include "ninep.h"

static struct list *bucket(struct ninep_session *s, uint64_t number)
{
    return &s->nodes[(number ^ number >> 8) % array_size(s->nodes)];
}

int ninep_valid(const struct ninep_node *n)
{
    return n->epoch == n->session->epoch ? 0 : -ESTALE;
}

static struct ninep_node *find(struct ninep_session *s, const struct ninep_attributes *a)
{
    list_for_each (p, bucket(s, a->qid.path)) {
        struct ninep_node *n = list_entry(p, struct ninep_node, link);
        if (n->number == a->qid.path && n->epoch == s->epoch && node_type(&n->node) == (a->mode & NODE_TYPE))
            return n;
    }
    return NULL;
}

static void update(struct ninep_node *n, const struct ninep_attributes *a)
{
    n->node.mode = a->mode;
    n->node.uid = a->uid;
    n->node.gid = a->gid;
    n->node.rdev = a->rdev;
    n->node.links = (unsigned)a->links;
    n->node.size = n->remains = a->size;
    n->node.atime = a->atime;
    n->node.mtime = a->mtime;
    n->node.ctime = a->ctime;
    n->blocks = a->blocks;
}

static struct ninep_node *node_new(struct ninep_session *s, uint32_t fid, const struct ninep_attributes *a)
{
    struct ninep_node *n = kzalloc(sizeof(*n));

    if (!n)
        return NULL;
    node_init(&n->node, &ninep_ops, a->mode);
    n->node.device = s->device;
    n->node.number = n->number = a->qid.path;
    n->session = s;
    n->epoch = s->epoch;
    n->fid = fid;
    n->made = NINEP_NO_FID;
    list_init(&n->files);
    update(n, a);
    list_append(bucket(s, n->number), &n->link);
    return n;
}

bool ninep_lies_in(const struct node *below, const struct node *above)
{
    for (const struct node *n = below; n; n = n->parent) {
        if (n == above)
            return true;
        if (n->ops != &ninep_ops)
            return false;
    }
    return false;
}

/* A directory's place, which may have changed on the host. */
static int place(struct ninep_node *n, struct node *directory, const char *name, size_t length)
{
    if (n->node.parent == directory && n->name && strlen(n->name) == length && !memcmp(n->name, name, length))
        return 0;
    if (ninep_lies_in(directory, &n->node))
        return -ELOOP; /* no tree, then */
    char *copy = kmalloc(length + 1);
    if (!copy)
        return -ENOMEM;
    memcpy(copy, name, length);
    copy[length] = 0;
    kfree(n->name);
    n->name = copy;
    n->node.name = copy;
    node_get(directory);
    if (n->node.parent)
        node_put(n->node.parent);
    n->node.parent = directory;
    return 0;
}

int ninep_lookup(struct node *directory, const char *name, size_t length, struct node **out)
{
    struct ninep_node *d = ninep_of(directory), *n;
    struct ninep_session *s = d->session;
    struct ninep_attributes a;
    struct ninep_qid qid;
    int error = ninep_valid(d);

    if (error)
        return error;
    uint32_t fid = ninep_fid(s);
    error = ninep_walk(s, d->fid, fid, name, length, &qid);
    if (error)
        return error;
    error = ninep_getattr(s, fid, &a);
    if (error) {
        ninep_forget(s, fid);
        return error;
    }
    n = find(s, &a);
    if (n) { /* known by another name, perhaps one that is gone: this one is there now */
        node_get(&n->node);
        if (n->fid != NINEP_ROOT)
            ninep_forget(s, n->fid);
        n->fid = fid;
        n->detached = false;
        update(n, &a);
    } else {
        n = node_new(s, fid, &a);
        if (!n) {
            ninep_forget(s, fid);
            return -ENOMEM;
        }
    }
    if (node_is_directory(&n->node) && n != s->root) {
        error = place(n, directory, name, length);
        if (error) {
            node_put(&n->node);
            return error;
        }
    }
    *out = &n->node;
    return 0;
}

int ninep_root(struct ninep_session *s, struct node **out)
{
    struct ninep_attributes a;
    int error = ninep_getattr(s, NINEP_ROOT, &a);

    if (error)
        return error;
    if ((a.mode & NODE_TYPE) != NODE_DIRECTORY)
        return -ENOTDIR;
    s->root = node_new(s, NINEP_ROOT, &a);
    if (!s->root)
        return -ENOMEM;
    *out = &s->root->node;
    return 0;
}

int ninep_refresh(struct node *node)
{
    struct ninep_node *n = ninep_of(node);
    struct ninep_attributes a;
    int error = ninep_valid(n);

    if (error || n->detached)
        return error;
    error = ninep_getattr(n->session, n->fid, &a);
    if (error == -ENOENT) { /* the host removed or renamed it: what was known stays */
        n->detached = true;
        return 0;
    }
    if (!error && a.qid.path != n->number) {
        n->detached = true; /* another file has its name */
        return 0;
    }
    if (!error)
        update(n, &a);
    return error;
}

static void release(struct node *node)
{
    struct ninep_node *n = ninep_of(node);

    list_remove(&n->link);
    ninep_pages_drop(n);
    if (n->epoch == n->session->epoch && n->fid != NINEP_ROOT) {
        ninep_forget(n->session, n->fid);
        ninep_forget(n->session, n->made);
    }
    if (node->parent)
        node_put(node->parent);
    kfree(n->name);
    kfree(n);
}

static ssize_t read_target(struct node *node, char *to, size_t size)
{
    struct ninep_node *n = ninep_of(node);
    int error = ninep_valid(n);

    return error ? error : ninep_readlink(n->session, n->fid, to, size);
}

static uint64_t blocks(struct node *node)
{
    return ninep_of(node)->blocks;
}

static int room(struct node *node, struct statfs *to)
{
    struct ninep_node *n = ninep_of(node);
    int error = ninep_valid(n);

    return error ? error : ninep_statfs(n->session, NINEP_ROOT, to);
}

static bool read_only(struct node *node)
{
    return ninep_of(node)->session->read_only;
}

const struct node_ops ninep_ops = {
    .lookup = ninep_lookup,
    .create = ninep_make,
    .link = ninep_make_link,
    .unlink = ninep_remove,
    .rename = ninep_move,
    .symlink = ninep_make_symlink,
    .readlink = read_target,
    .truncate = ninep_truncate,
    .blocks = blocks,
    .change = ninep_change,
    .refresh = ninep_refresh,
    .statfs = room,
    .read_only = read_only,
    .open = ninep_open_node,
    .release = release,
};
