/* tree.c - the root file system: a tree of nodes in memory over the read-only image.
 *
 * One kind of node for both: a directory is a map of the names that changed (added or removed) over the
 * image's directory, a file is a table of the pages that changed over the image's bytes (data.c). Nodes of
 * the image come into being when they are looked up; those that nobody changed and nobody holds are forgotten
 * again, oldest first, when there are many. So reading costs no copy, and memory is only spent on what was
 * written.
 *
 * The image never changes, so that a name is not in it stays true for ever: see names_absent(). */
#include "entropy.h"
#include "image.h"
#include "memory.h"
#include "tree_entries.h"

#ifndef CLEAN_MOST       /* tests ask for few */
#define CLEAN_MOST 4096U /* unchanged nodes of the image that are kept */
#endif
#define OWN_NUMBERS (1UL << 32) /* nodes that are not the image's count from here */

struct node *tree_root;
struct erofs tree_image;
static uint64_t next_number = OWN_NUMBERS;
static struct list clean_nodes = LIST_INIT(clean_nodes);
static unsigned clean_count;
static uint64_t own_count; /* nodes that are not the image's */

/* Image inodes with more than one name, while in memory: both names must give the same node. */
#define SHARED_SLOTS 64
struct shared {
    struct shared *next;
    struct tree_node *node;
};
static struct shared *shared_nodes[SHARED_SLOTS];

WEAK void tree_used(const struct node *n, bool opened)
{
    (void)n, (void)opened;
}

uint64_t node_number(void)
{
    return next_number++;
}

void node_init(struct node *n, const struct node_ops *ops, uint32_t mode)
{
    int64_t now = clock_real();
    *n = (struct node){.ops = ops,
                       .users = 1,
                       .links = 1,
                       .mode = mode,
                       .device = DEVICE_ROOT,
                       .atime = now,
                       .mtime = now,
                       .ctime = now};
    n->number = node_number();
    list_init(&n->locks);
    list_init(&n->watches);
}

void node_put(struct node *n)
{
    if (--n->users)
        return;
    if (n->xattrs)
        xattrs_forget(n);
    n->ops->release(n);
}

/* ---- nodes */

struct tree_node *tree_node_new(const struct node_ops *ops, uint32_t mode)
{
    /* As many nodes as pages: files without bytes must not eat the memory either. */
    struct tree_node *t = own_count < pages_totals().total / 2 ? kzalloc(sizeof(*t)) : NULL;

    if (!t)
        return NULL;
    own_count++;
    node_init(&t->node, ops, mode);
    list_init(&t->clean);
    if (node_is_directory(&t->node)) {
        list_init(&t->directory.entries);
        t->node.links = 2;
    }
    return t;
}

static void shared_forget(const struct tree_node *t)
{
    for (struct shared **p = &shared_nodes[t->node.number % SHARED_SLOTS]; *p; p = &(*p)->next) {
        if ((*p)->node == t) {
            struct shared *gone = *p;
            *p = gone->next;
            kfree(gone);
            return;
        }
    }
}

void tree_keep(struct tree_node *t)
{
    if (!list_empty(&t->clean)) {
        list_remove(&t->clean);
        clean_count--;
    }
}

void tree_release(struct node *n)
{
    struct tree_node *t = tree_of(n);

    tree_keep(t);
    if (t->imaged && !node_is_directory(n))
        shared_forget(t);
    switch (node_type(n)) {
    case NODE_REGULAR:
        data_release(t);
        break;
    case NODE_LINK:
        kfree(t->target);
        break;
    case NODE_DIRECTORY:
        list_for_each_safe (p, &t->directory.entries) {
            struct entry *e = list_entry(p, struct entry, link);
            struct node *child = e->node;
            names_delete(e);
            if (child)
                node_put(child);
        }
        if (n->parent)
            node_put(n->parent);
        break;
    default:
        break;
    }
    if (!t->imaged)
        own_count--;
    kfree(t);
}

/* Forgets some of the nodes that the image can give again. Whoever holds a node has a reference; entries must
 * be looked up again afterwards. */
static void trim(void)
{
    for (unsigned looked = 0; clean_count > CLEAN_MOST && looked < 64; looked++) {
        struct tree_node *t = list_first(&clean_nodes, struct tree_node, clean);
        bool busy = t->touched || t->node.users > 1 ||
                    (node_is_directory(&t->node) && !list_empty(&t->directory.entries));

        t->touched = false;
        list_remove(&t->clean);
        list_append(&clean_nodes, &t->clean);
        if (!busy) {
            names_delete(t->entry);
            node_put(&t->node);
        }
    }
}

static int from_image(const struct erofs_entry *found, struct tree_node **out)
{
    struct erofs_inode inode;
    uint64_t number = found->nid + 1;
    int error = erofs_inode(&tree_image, found->nid, &inode);

    if (error)
        return error;
    bool directory = (inode.mode & NODE_TYPE) == NODE_DIRECTORY;
    if (inode.links > 1 && !directory) {
        for (struct shared *s = shared_nodes[number % SHARED_SLOTS]; s; s = s->next) {
            if (s->node->node.number == number) {
                node_get(&s->node->node);
                *out = s->node;
                return 0;
            }
        }
    }
    struct tree_node *t = kzalloc(sizeof(*t));
    if (!t)
        return -ENOMEM;
    t->node = (struct node){.ops = &tree_ops,
                            .users = 1,
                            .links = max(inode.links, directory ? 2U : 1U),
                            .number = number,
                            .mode = inode.mode,
                            .uid = inode.uid,
                            .gid = inode.gid,
                            .rdev = inode.rdev,
                            .device = DEVICE_ROOT,
                            .size = inode.extent.size,
                            .atime = inode.mtime,
                            .mtime = inode.mtime,
                            .ctime = inode.mtime};
    list_init(&t->node.locks);
    list_init(&t->node.watches);
    list_init(&t->clean);
    t->imaged = true;
    t->image = inode.extent;
    if (directory)
        list_init(&t->directory.entries);
    else if (node_type(&t->node) == NODE_REGULAR)
        t->file.image_pages = (inode.extent.size + PAGE_SIZE - 1) >> PAGE_SHIFT;
    if (inode.links > 1 && !directory) {
        struct shared *s = kmalloc(sizeof(*s));
        if (!s) {
            kfree(t);
            return -ENOMEM;
        }
        s->node = t;
        s->next = shared_nodes[number % SHARED_SLOTS];
        shared_nodes[number % SHARED_SLOTS] = s;
    }
    *out = t;
    return 0;
}

/* ---- looking up */

void tree_attach(struct entry *e, struct node *n)
{
    e->node = n;
    if (node_is_directory(n)) {
        n->name = e->name;
        if (n->parent != &e->directory->node) {
            if (n->parent)
                node_put(n->parent);
            n->parent = node_get(&e->directory->node);
        }
    }
}

int tree_lookup(struct node *directory, const char *name, size_t length, struct node **out)
{
    struct tree_node *d = tree_of(directory), *t;
    uint64_t hash = names_hash(d, name, length);
    struct entry *e = names_find(d, name, length, hash);
    struct erofs_entry found;

    if (e) {
        if (!e->node)
            return -ENOENT;
        if (e->state == ENTRY_IMAGE)
            tree_of(e->node)->touched = true;
        *out = node_get(e->node);
        return 0;
    }
    if (!d->imaged || names_absent(d, name, length, hash))
        return -ENOENT;
    int error = erofs_lookup(&d->image, name, length, &found);
    if (error == -ENOENT)
        names_set_absent(d, name, length, hash);
    if (error)
        return error;
    if (clean_count > CLEAN_MOST)
        trim();
    error = from_image(&found, &t);
    if (error)
        return error;
    e = names_add(d, name, length, hash);
    if (!e) {
        node_put(&t->node);
        return -ENOMEM;
    }
    e->state = ENTRY_IMAGE;
    e->over = true;
    if (t->node.users == 1 && (t->node.links == 1 || node_is_directory(&t->node))) {
        t->entry = e;
        list_append(&clean_nodes, &t->clean);
        clean_count++;
    }
    tree_attach(e, &t->node);
    tree_used(&t->node, false);
    *out = node_get(&t->node);
    return 0;
}

ssize_t tree_readlink(struct node *n, char *to, size_t size)
{
    struct tree_node *t = tree_of(n);

    if (!t->imaged) {
        size = min(size, strlen(t->target));
        memcpy(to, t->target, size);
        return (ssize_t)size;
    }
    size_t done = 0;
    while (done < size) {
        uint64_t part = size - done;
        const uint8_t *p = erofs_bytes(&t->image, done, &part);
        if (!p)
            break;
        memcpy(to + done, p, part);
        done += part;
    }
    return (ssize_t)done;
}

static void tree_changing(struct node *n)
{
    tree_keep(tree_of(n));
}

/* ---- opening */

static int open_device(struct node *n, struct file *file)
{
    for_each_record(unikit_devices, record)
    {
        uint32_t first = record->major << 8 | (record->minor & 0xff);
        if (n->rdev >= first && n->rdev < first + max(record->minors, 1U)) {
            file->ops = record->ops;
            return record->open ? record->open(file) : 0;
        }
    }
    return -ENXIO;
}

WEAK void late_file_open(const struct node *n)
{
    (void)n;
}

int tree_open(struct node *n, struct file *file)
{
    if (tree_of(n)->imaged)
        tree_used(n, true);
    switch (node_type(n)) {
    case NODE_REGULAR:
        late_file_open(n);
        file->ops = &tree_file_ops;
        return 0;
    case NODE_DIRECTORY:
        file->ops = &tree_directory_file_ops;
        return 0;
    case NODE_CHARACTER:
        return open_device(n, file);
    case NODE_FIFO:
        return fifo_open ? fifo_open(n, file) : -ENXIO;
    default:
        return -ENXIO;
    }
}

const struct node_ops tree_ops = {
    .lookup = tree_lookup,
    .create = tree_create,
    .link = tree_link,
    .unlink = tree_unlink,
    .rename = tree_rename,
    .symlink = tree_symlink_at,
    .readlink = tree_readlink,
    .truncate = data_truncate,
    .allocate = data_allocate,
    .blocks = data_blocks,
    .changing = tree_changing,
    .open = tree_open,
    .release = tree_release,
};

const struct node_ops tree_system_ops = {
    .lookup = tree_lookup,
    .readlink = tree_readlink,
    .changing = tree_changing,
    .open = tree_open,
    .release = tree_release,
};

int tree_start(const void *image, uint64_t size)
{
    struct tree_node *t;

    if (!names_start())
        return -ENOMEM;
    if (!image) {
        t = tree_node_new(&tree_ops, NODE_DIRECTORY | 0755);
    } else {
        /* Whole pages only, so that any page with a byte of the image in it is all there. */
        int error = erofs_mount(&tree_image, image, size & PAGE_MASK);
        struct erofs_entry root = {.nid = tree_image.root};
        if (error)
            return error;
        error = from_image(&root, &t);
        if (error)
            return error;
    }
    if (!t)
        return -ENOMEM;
    t->node.parent = &t->node;
    tree_root = &t->node;
    return 0;
}
