/* tree.c - the root file system: a tree of nodes in memory over the read-only image.
 *
 * One kind of node for both: a directory is a map of the names that changed (added or removed) over the
 * image's directory, a file is a table of the pages that changed over the image's bytes (data.c). Nodes of
 * the image come into being when they are looked up; those that nobody changed and nobody holds are forgotten
 * again, oldest first, when there are many. So reading costs no copy, and memory is only spent on what was
 * written.
 *
 * The image never changes, so that a name is not in it stays true for ever: see names_absent(). */
#include <asm/fcntl.h>
#include <linux/fs.h>

#include "entropy.h"
#include "image.h"
#include "memory.h"
#include "names.h"

#define CLEAN_MOST    4096U       /* unchanged nodes of the image that are kept */
#define OWN_NUMBERS   (1UL << 32) /* nodes that are not the image's count from here */
#define ADDED_FROM    (1UL << 62) /* positions in a directory: ".", "..", the image's, then added ones */
#define POSITION_BASE 2U

struct node *tree_root;
struct erofs tree_image;
static uint64_t next_number = OWN_NUMBERS;
static struct list clean_nodes = LIST_INIT(clean_nodes);
static unsigned clean_count;

/* Image inodes with more than one name, while in memory: both names must give the same node. */
#define SHARED_SLOTS 64
struct shared {
    struct shared *next;
    struct tree_node *node;
};
static struct shared *shared_nodes[SHARED_SLOTS];

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
    if (--n->users == 0)
        n->ops->release(n);
}

/* ---- nodes */

struct tree_node *tree_node_new(const struct node_ops *ops, uint32_t mode)
{
    struct tree_node *t = kzalloc(sizeof(*t));

    if (!t)
        return NULL;
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

/* The node is no longer what the image says: it stays until its last name goes. */
static void keep(struct tree_node *t)
{
    if (!list_empty(&t->clean)) {
        list_remove(&t->clean);
        clean_count--;
    }
}

void tree_release(struct node *n)
{
    struct tree_node *t = tree_of(n);

    keep(t);
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

static void attach(struct entry *e, struct node *n)
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
    attach(e, &t->node);
    *out = node_get(&t->node);
    return 0;
}

/* The entry of a name that is there, with its node in memory. */
static int entry_of(struct tree_node *d, const char *name, size_t length, struct entry **out)
{
    struct node *n;
    int error = tree_lookup(&d->node, name, length, &n);

    if (error)
        return error;
    node_put(n);
    *out = names_find(d, name, length, names_hash(d, name, length));
    return 0;
}

static void changed(struct tree_node *d)
{
    keep(d);
    d->node.mtime = d->node.ctime = clock_real();
}

/* A name that is not there now comes to lead to the node; takes over the caller's reference on success. */
static int insert(struct tree_node *d, const char *name, size_t length, struct node *n)
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
    attach(e, n);
    if (node_is_directory(n)) {
        tree_of(n)->entry = e;
        d->node.links++;
    }
    changed(d);
    return 0;
}

/* The name goes; what it led to is the caller's to put. */
static struct node *take(struct tree_node *d, struct entry *e)
{
    struct node *n = e->node;

    if (n->ops == &tree_ops)
        keep(tree_of(n));
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
    changed(d);
    return n;
}

static bool is_empty(struct tree_node *d)
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

/* ---- changing */

/* Is the directory still somewhere in the tree? Nothing new goes into one that was removed. */
static bool alive(const struct node *directory)
{
    return directory->name || directory == tree_root;
}

static int tree_create(struct node *directory, const char *name, size_t length, uint32_t mode, uint32_t rdev,
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
    if (!alive(directory))
        return -ENOENT;
    struct tree_node *t = tree_node_new(&tree_ops, mode);
    if (!t)
        return -ENOSPC;
    t->node.rdev = rdev;
    t->node.device = directory->device;
    error = insert(d, name, length, &t->node);
    if (error) {
        node_put(&t->node);
        return -ENOSPC;
    }
    *out = node_get(&t->node);
    return 0;
}

static int tree_symlink_at(struct node *directory, const char *name, size_t length, const char *target,
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

static int tree_link(struct node *directory, const char *name, size_t length, struct node *target)
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
    if (!alive(directory))
        return -ENOENT;
    keep(tree_of(target));
    error = insert(tree_of(directory), name, length, node_get(target));
    if (error) {
        node_put(target);
        return -ENOSPC;
    }
    tree_of(target)->entry = NULL;
    target->links++;
    target->ctime = clock_real();
    return 0;
}

/* A node lost a name, or a directory its place. */
static void unlinked(struct node *n)
{
    n->ctime = clock_real();
    n->links = node_is_directory(n) ? 0 : n->links - 1;
    node_put(n);
}

static int tree_unlink(struct node *directory, const char *name, size_t length, bool is_directory)
{
    struct tree_node *d = tree_of(directory);
    struct entry *e;
    int error = entry_of(d, name, length, &e);

    if (error)
        return error;
    if (is_directory && !node_is_directory(e->node))
        return -ENOTDIR;
    if (!is_directory && node_is_directory(e->node))
        return -EISDIR;
    if (is_directory && (e->node->ops != &tree_ops || e->node->device != directory->device))
        return -EBUSY;
    if (is_directory && !is_empty(tree_of(e->node)))
        return -ENOTEMPTY;
    unlinked(take(d, e));
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

    if (entry_of(from, name, length, &a) || entry_of(to, to_name, to_length, &b))
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
        keep(tree_of(entries[i]->node));
        tree_of(entries[i]->node)->entry = NULL;
    }
    attach(a, second);
    attach(b, first);
    for (int i = 0; i < 2; i++) {
        if (node_is_directory(entries[i]->node)) {
            entries[i]->directory->node.links++;
            tree_of(entries[i]->node)->entry = entries[i];
        }
        entries[i]->node->ctime = clock_real();
        changed(entries[i]->directory);
    }
    return 0;
}

static int tree_rename(struct node *from, const char *name, size_t length, struct node *to,
                       const char *to_name, size_t to_length, unsigned flags)
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
    if (!alive(to)) {
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
        else if (above || (node_is_directory(over) && !is_empty(tree_of(over))))
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
        unlinked(take(target, place));
        place->over = was_over;
    }
    e = names_find(source, name, length, names_hash(source, name, length));
    assert(e != NULL);
    struct node *n = take(source, e);
    error = insert(target, to_name, to_length, n);
    assert(error == 0); /* the entry is there */
    n->ctime = clock_real();
out:
    node_put(moved);
    if (over)
        node_put(over);
    return error;
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
    keep(tree_of(n));
}

/* ---- opening */

static int open_device(struct node *n, struct file *file)
{
    for_each_record(unikit_devices, record)
    {
        if (n->rdev == (record->major << 8 | (record->minor & 0xff))) {
            file->ops = record->ops;
            return record->open ? record->open(file) : 0;
        }
    }
    return -ENXIO;
}

int tree_open(struct node *n, struct file *file)
{
    switch (node_type(n)) {
    case NODE_REGULAR:
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

/* ---- listing */

int dirent_put(struct io *io, uint64_t number, uint64_t next, unsigned type, const char *name, size_t length)
{
    struct {
        uint64_t number;
        int64_t next;
        uint16_t size;
        uint8_t type;
        char name[NAME_LONGEST + 1 + 8];
    } __attribute__((packed)) record;
    size_t size = (offsetof(__typeof__(record), name) + length + 1 + 7) & ~7UL;

    if (io->left < size)
        return 0;
    record.number = number;
    record.next = (int64_t)next;
    record.size = (uint16_t)size;
    record.type = (uint8_t)type;
    memcpy(record.name, name, length);
    memset(record.name + length, 0, size - offsetof(__typeof__(record), name) - length);
    return io_put(io, &record, size) == (ssize_t)size ? 1 : -EFAULT;
}

int tree_getdents(struct file *file, struct io *io)
{
    struct tree_node *d = tree_of(file->node);
    size_t room = io->left;
    struct erofs_entry found;
    int error = 1;

    if (!alive(&d->node))
        return -ENOENT;
    if (file->pos == 0) {
        error = dirent_put(io, d->node.number, 1, 4, ".", 1);
        if (error > 0)
            file->pos = 1;
    }
    if (error > 0 && file->pos == 1) {
        error = dirent_put(io, d->node.parent ? d->node.parent->number : d->node.number, POSITION_BASE, 4,
                           "..", 2);
        if (error > 0)
            file->pos = POSITION_BASE;
    }
    while (error > 0 && d->imaged && file->pos < ADDED_FROM) {
        uint64_t position = file->pos - POSITION_BASE;
        error = erofs_next(&d->image, &position, &found);
        if (error < 0)
            break;
        if (error == 0) {
            file->pos = ADDED_FROM;
            error = 1;
            break;
        }
        bool dot = found.name[0] == '.' && (found.length == 1 || (found.length == 2 && found.name[1] == '.'));
        if (!dot) {
            const struct entry *e =
                d->directory.entries.next != &d->directory.entries
                    ? names_find(d, found.name, found.length, names_hash(d, found.name, found.length))
                    : NULL;
            if (!e || e->state == ENTRY_IMAGE)
                error = dirent_put(io, found.nid + 1, position + POSITION_BASE, found.type, found.name,
                                   found.length);
        }
        if (error > 0)
            file->pos = position + POSITION_BASE;
    }
    if (error > 0 && file->pos < ADDED_FROM)
        file->pos = ADDED_FROM;
    if (error > 0 && d->directory.added) {
        list_for_each (p, &d->directory.entries) {
            const struct entry *e = list_entry(p, struct entry, link);
            if (e->state != ENTRY_ADDED || e->sequence < file->pos - ADDED_FROM)
                continue;
            error = dirent_put(io, e->node->number, ADDED_FROM + e->sequence + 1, node_type(e->node) >> 12,
                               e->name, e->length);
            if (error <= 0)
                break;
            file->pos = ADDED_FROM + e->sequence + 1;
        }
    }
    if (io->left < room)
        return (int)(room - io->left);
    return error == 0 ? -EINVAL : min(error, 0); /* EINVAL: not even one fits */
}

static int64_t directory_seek(struct file *file, int64_t offset, int whence)
{
    if (whence == 1)
        offset += (int64_t)file->pos;
    else if (whence != 0)
        return -EINVAL;
    if (offset < 0)
        return -EINVAL;
    file->pos = (uint64_t)offset;
    return offset;
}

static ssize_t directory_read(struct file *file, struct io *io, uint64_t *pos)
{
    (void)file, (void)io, (void)pos;
    return -EISDIR;
}

const struct file_ops tree_directory_file_ops = {
    .read = directory_read,
    .seek = directory_seek,
    .getdents = tree_getdents,
    .kind = "directory",
};

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

/* ---- made by the kernel */

int tree_add(struct node *directory, const char *name, size_t length, struct node *n)
{
    struct node *old;

    if (tree_lookup(directory, name, length, &old) == 0) {
        node_put(old);
        return -EEXIST;
    }
    int error = insert(tree_of(directory), name, length, node_get(n));
    if (error)
        node_put(n);
    return error;
}

void tree_remove(struct node *directory, const char *name, size_t length)
{
    struct entry *e;

    if (entry_of(tree_of(directory), name, length, &e) == 0)
        unlinked(take(tree_of(directory), e));
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
                error = insert(tree_of(here), path, length, node_get(next));
            }
        } else if (!error && next->device == DEVICE_ROOT && device != DEVICE_ROOT) {
            /* An empty directory of the image that something is mounted on. */
            keep(tree_of(next));
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
