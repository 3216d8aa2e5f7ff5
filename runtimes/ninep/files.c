/* files.c - open files of the host: every read and write is a call, so that both sides see the same bytes at
 * once. */
#include <asm/fcntl.h>
#include <linux/fs.h>

#include "memory.h"
#include "ninep.h"

/* What the host is told about how the file is opened; it needs no more. */
#define HOST_FLAGS (O_ACCMODE | O_APPEND | O_DSYNC | O_SYNC | O_DIRECTORY | O_NOFOLLOW | O_LARGEFILE)

int ninep_open_node(struct node *node, struct file *file)
{
    struct ninep_node *n = ninep_of(node);
    struct ninep_session *s = n->session;
    uint32_t flags = (uint32_t)file->flags & HOST_FLAGS;
    int error = ninep_valid(n);

    if (error)
        return error;
    if (node_type(node) == NODE_FIFO)
        return fifo_open ? fifo_open(node, file) : -ENXIO;
    if (node_type(node) != NODE_REGULAR && node_type(node) != NODE_DIRECTORY)
        return -ENXIO;
    struct ninep_file *f = kzalloc(sizeof(*f));
    if (!f)
        return -ENOMEM;
    wait_queue_init(&f->queue);
    f->file = file;
    f->fid = ninep_fid(s);
    f->appends = flags & O_APPEND;
    error = ninep_walk(s, n->fid, f->fid, NULL, 0, NULL);
    if (!error) {
        error = ninep_open(s, f->fid, flags);
        if (error)
            ninep_forget(s, f->fid);
    }
    /* Who makes a file may write it, whatever the permissions it was given. */
    if (error == -EACCES && n->made != NINEP_NO_FID) {
        f->fid = n->made;
        f->appends = false;
        error = 0;
    } else {
        ninep_forget(s, n->made);
    }
    n->made = NINEP_NO_FID;
    if (error) {
        kfree(f);
        return error;
    }
    bool changed = n->seen_size != node->size || n->seen_mtime != node->mtime;
    if (n->pages.count && changed && ninep_write_back(n, 0, UINT64_MAX >> PAGE_SHIFT) == 0)
        ninep_pages_drop(n);
    list_append(&n->files, &f->link);
    file->data = f;
    file->ops = node_is_directory(node) ? &ninep_directory_ops : &ninep_file_ops;
    return 0;
}

struct ninep_file *ninep_writer(const struct ninep_node *n)
{
    list_for_each (p, &n->files) {
        struct ninep_file *f = list_entry(p, struct ninep_file, link);
        if ((f->file->flags & O_ACCMODE) != O_RDONLY)
            return f;
    }
    return NULL;
}

static void release(struct file *file)
{
    struct ninep_node *n = ninep_of(file->node);
    struct ninep_file *f = file->data;
    bool valid = !ninep_valid(n);

    if (valid && n->dirty_count && (file->flags & O_ACCMODE) != O_RDONLY)
        ninep_write_back(n, 0, UINT64_MAX >> PAGE_SHIFT);
    list_remove(&f->link);
    if (list_empty(&n->files))
        ninep_pages_drop(n);
    if (valid)
        ninep_forget(n->session, f->fid);
    kfree(f);
}

/* ---- reading and writing */

/* Where the file's own position moves, one thread at a time. */
static int enter(struct ninep_file *f, const uint64_t *pos)
{
    if (pos != &f->file->pos)
        return 0;
    int error = wait_for(&f->queue, 0, NEVER, !f->busy);
    if (!error)
        f->busy = true;
    return error;
}

static void leave(struct ninep_file *f, const uint64_t *pos)
{
    if (pos != &f->file->pos)
        return;
    f->busy = false;
    wake_all(&f->queue, 0);
}

/* Pages for `n` bytes, or fewer; bytes in *size. NULL: no memory. */
static void *buffer_new(const struct ninep_session *s, size_t n, size_t *size, unsigned *order)
{
    n = min(n, s->io_most);
    for (*order = 0; PAGE_SIZE << *order < n;)
        ++*order;
    for (;; --*order) {
        void *pages = pages_alloc(*order);
        if (pages || !*order) {
            *size = min(PAGE_SIZE << *order, s->io_most);
            return pages;
        }
    }
}

static ssize_t file_read(struct file *file, struct io *io, uint64_t *pos)
{
    struct ninep_node *n = ninep_of(file->node);
    struct ninep_file *f = file->data;
    ssize_t total = 0, moved = ninep_valid(n);
    size_t room;
    unsigned order;

    if (moved || !io->left)
        return moved;
    if (*pos > INT64_MAX)
        return -EINVAL;
    moved = enter(f, pos);
    if (moved)
        return moved;
    void *buffer = buffer_new(n->session, io->left, &room, &order);
    moved = buffer ? 0 : -ENOMEM;
    if (!moved && n->dirty_count)
        moved = ninep_write_back(n, *pos >> PAGE_SHIFT, (*pos + io->left) >> PAGE_SHIFT);
    while (moved >= 0 && io->left) {
        size_t wanted = min(room, io->left);
        if (n->detached)
            wanted = (size_t)min((uint64_t)wanted, n->node.size - min(n->node.size, *pos));
        if (!wanted)
            break;
        struct virtio_buffer piece = {buffer, (uint32_t)wanted};
        ssize_t got = ninep_read(n->session, f->fid, *pos, &piece, 1, wanted, NINEP_SLEEP);
        moved = got > 0 ? io_put(io, buffer, (size_t)got) : got;
        if (moved <= 0)
            break;
        total += moved;
        *pos += (uint64_t)moved;
        if (moved < got || (size_t)got < wanted)
            break;
    }
    if (buffer)
        pages_free(buffer, order);
    leave(f, pos);
    return total ? total : moved;
}

/* A file without a name ends at node.size for us; on the host there may be bytes behind it from before it was
 * made shorter. Those up to `end` become zeros. */
static int clear_remains(struct ninep_node *n, const struct ninep_file *f, uint64_t end)
{
    uint64_t at = n->node.size;
    void *zeros = at < min(end, n->remains) ? page_alloc_zero() : NULL;

    if (at >= min(end, n->remains))
        return 0;
    if (!zeros)
        return -ENOMEM;
    ssize_t moved = 0;
    for (end = min(end, n->remains); at < end; at += (uint64_t)moved) {
        struct virtio_buffer piece = {zeros, (uint32_t)min(end - at, PAGE_SIZE)};
        moved = ninep_write(n->session, f->fid, at, &piece, 1, piece.length, NINEP_SPIN);
        if (moved <= 0)
            break;
    }
    page_put(zeros);
    return moved < 0 ? (int)moved : moved ? 0 : -EIO;
}

/* Where an append begins. */
static int find_end(struct ninep_node *n, uint64_t *pos)
{
    int error = ninep_refresh(&n->node);

    *pos = n->node.size;
    return error;
}

static void written(struct ninep_node *n, uint64_t pos, const uint8_t *from, size_t count)
{
    ninep_pages_written(n, pos, from, count);
    n->node.size = max(n->node.size, pos + count);
    n->remains = max(n->remains, n->node.size);
    n->node.mtime = n->node.ctime = clock_real();
}

static ssize_t file_write(struct file *file, struct io *io, uint64_t *pos)
{
    struct ninep_node *n = ninep_of(file->node);
    struct ninep_file *f = file->data;
    ssize_t total = 0, moved = ninep_valid(n);
    size_t room;
    unsigned order;

    if (moved || !io->left)
        return moved;
    moved = enter(f, pos);
    if (moved)
        return moved;
    void *buffer = buffer_new(n->session, io->left, &room, &order);
    moved = buffer ? 0 : -ENOMEM;
    if (!moved && file->flags & O_APPEND)
        moved = find_end(n, pos);
    if (!moved && *pos > INT64_MAX - io->left)
        moved = -EFBIG;
    if (!moved && n->detached && *pos > n->node.size)
        moved = clear_remains(n, f, *pos);
    while (moved >= 0 && io->left) {
        size_t wanted = min(room, io->left);
        moved = io_take(io, buffer, wanted);
        if (moved <= 0)
            break;
        size_t taken = (size_t)moved;
        struct virtio_buffer piece = {buffer, (uint32_t)taken};
        moved = ninep_write(n->session, f->fid, *pos, &piece, 1, taken, NINEP_SLEEP);
        if (moved <= 0)
            break;
        written(n, *pos, buffer, (size_t)moved);
        total += moved;
        *pos += (uint64_t)moved;
        if ((size_t)moved < taken || taken < wanted)
            break;
    }
    if (buffer)
        pages_free(buffer, order);
    leave(f, pos);
    return total ? total : moved;
}

static int64_t file_seek(struct file *file, int64_t offset, int whence)
{
    struct ninep_node *n = ninep_of(file->node);
    int64_t base = 0;
    int error = whence == SEEK_SET || whence == SEEK_CUR ? 0 : ninep_refresh(file->node);

    if (error)
        return error;
    int64_t size = (int64_t)n->node.size;
    switch (whence) {
    case SEEK_SET:
        break;
    case SEEK_CUR:
        base = (int64_t)file->pos;
        break;
    case SEEK_END:
        base = size;
        break;
    case SEEK_DATA: /* the protocol does not tell of holes: it is all data */
    case SEEK_HOLE:
        if (offset < 0 || offset >= size)
            return -ENXIO;
        offset = whence == SEEK_HOLE ? size : offset;
        break;
    default:
        return -EINVAL;
    }
    return file_seek_from(file, base, offset);
}

static int file_sync(struct file *file)
{
    struct ninep_node *n = ninep_of(file->node);
    const struct ninep_file *f = file->data;
    int error = ninep_valid(n);

    if (!error)
        error = ninep_write_back(n, 0, UINT64_MAX >> PAGE_SHIFT);
    return error ? error : ninep_fsync(n->session, f->fid, NINEP_SLEEP);
}

int ninep_truncate(struct node *node, uint64_t size)
{
    struct ninep_node *n = ninep_of(node);
    struct ninep_attributes a = {.size = size};
    int error = ninep_valid(n);

    if (!error && size > INT64_MAX)
        error = -EFBIG;
    if (error)
        return error;
    if (!n->detached) {
        error = ninep_setattr(n->session, n->fid, NINEP_SET_SIZE, &a);
        if (error)
            return error;
        n->remains = size;
    } else if (size > node->size) {
        const struct ninep_file *f = ninep_writer(n);
        struct virtio_buffer zero = {(void *)zero_page, 1};
        error = f ? clear_remains(n, f, size) : -EIO;
        if (!error && size > n->remains) {
            ssize_t moved = ninep_write(n->session, f->fid, size - 1, &zero, 1, 1, NINEP_SPIN);
            error = moved == 1 ? 0 : moved < 0 ? (int)moved : -EIO;
        }
        if (error)
            return error;
        n->remains = max(n->remains, size);
    }
    if (size < node->size)
        ninep_pages_cut(n, size);
    node->size = size;
    node->mtime = node->ctime = clock_real();
    return 0;
}

const struct file_ops ninep_file_ops = {
    .read = file_read,
    .write = file_write,
    .seek = file_seek,
    .page = ninep_page,
    .sync = file_sync,
    .release = release,
    .kind = "file",
};

/* ---- directories */

#define LISTING (4 * PAGE_SIZE)

static int list_into(struct ninep_node *n, struct file *file, struct io *io, void *buffer)
{
    const struct ninep_file *f = file->data;
    size_t before = io->left;

    for (;;) {
        ssize_t got = ninep_readdir(n->session, f->fid, file->pos, buffer, LISTING);
        if (got <= 0)
            return (int)got;
        struct ninep_message m = {.data = buffer, .size = (size_t)got};
        struct ninep_entry e;
        while (ninep_get_entry(&m, &e)) {
            int put = dirent_put(io, e.qid.path, e.next, e.type, e.name, e.length);
            if (put <= 0)
                return put || io->left < before ? put : -EINVAL; /* not even one fits */
            file->pos = e.next;
        }
        if (m.bad)
            return -EIO;
    }
}

static int list(struct file *file, struct io *io)
{
    struct ninep_node *n = ninep_of(file->node);
    size_t before = io->left;
    int error = ninep_valid(n);

    if (!error && n->detached)
        error = -ENOENT;
    if (error)
        return error;
    void *buffer = pages_alloc(2);
    if (!buffer)
        return -ENOMEM;
    error = list_into(n, file, io, buffer);
    pages_free(buffer, 2);
    return io->left < before ? (int)(before - io->left) : error;
}

const struct file_ops ninep_directory_ops = {
    .seek = file_seek_plain,
    .getdents = list,
    .sync = file_sync,
    .release = release,
    .kind = "directory",
};
