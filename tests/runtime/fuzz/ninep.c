// components: ninep/message ninep/client ninep/nodes ninep/change ninep/files ninep/pages vfs/attributes
// vfs/tree vfs/tree_change vfs/tree_entries vfs/tree_list vfs/names vfs/erofs vfs/data vfs/file_pages
// vfs/path vfs/at vfs/file vfs/descriptors vfs/io
/* A folder of a host that answers what it likes: lengths, counts, strings, types and errors out of the
 * fuzzer's bytes, while files are looked up, opened, read, written, mapped, listed, renamed and removed.
 * Nothing may be read or written beyond the room that was given for an answer (each is an allocation of its
 * own), and in the end nothing is left. */
#include <asm/fcntl.h>
#include <asm/statfs.h>
#include <stdlib.h>

#include "../../../runtimes/ninep/ninep.h"
#include "memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t host_pages_live(void);
int process_id = 100;

static const uint8_t *input;
static size_t left;

static uint8_t byte(void)
{
    return left ? (left--, *input++) : 0;
}
static void fill(void *to, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ((uint8_t *)to)[i] = byte();
}

/* The answer's head is honest unless a byte says otherwise; all else is the fuzzer's. */
static int answer(struct ninep_call *c, enum ninep_wait wait)
{
    uint8_t how = byte(), type = (uint8_t)(c->out.data[4] + 1);
    size_t room = c->in.size, body = type == NINEP_GETATTR + 1 ? 153 + byte() % 8U : byte() % 200U, data = 0;

    (void)wait;
    if (how == 0xff)
        return -EIO;
    c->tag = how & 1 ? (uint16_t)(how >> 4) : 0;
    memset(c->in.data, 0, min(room, (size_t)220));
    uint8_t *reply = malloc(7 + body);
    fill(reply + 7, body);
    if (type == NINEP_GETATTR + 1 && !(how & 2) && body > 158) /* a type that there is */
        reply[29] = how & 4 ? 0x41 : 0x81, reply[30] = reply[31] = 0;
    for (unsigned i = 0; i < c->receives && !(how & 2); i++) {
        uint32_t n = min(c->pieces[i].length, (uint32_t)byte());
        fill(c->pieces[i].data, n);
        data += n;
        if (n < c->pieces[i].length)
            break;
    }
    if (c->receives && body >= 4) {
        uint32_t count = how & 8 ? byte() * 0x01010101U : (uint32_t)data;
        memcpy(reply + 7, &count, 4);
        body = how & 8 ? body : 4;
    }
    if (type == NINEP_VERSION + 1 && !(how & 128)) { /* agreed: else it ends here */
        static const uint8_t agreed[] = "\0\0\2\0\10\0009P2000.L";
        reply = realloc(reply, 7 + sizeof(agreed) - 1);
        body = sizeof(agreed) - 1;
        memcpy(reply + 7, agreed, body);
    }
    uint32_t total = how & 16 ? byte() * 0x010101U : (uint32_t)(7 + body + data);
    memcpy(reply, &total, 4);
    reply[4] = how & 32 ? NINEP_RLERROR : how & 64 ? byte() : type;
    memcpy(reply + 5, &c->tag, 2);
    memcpy(c->in.data, reply, min(room, 7 + body));
    free(reply);
    c->in.size = min(room, 7 + body);
    c->data = data;
    return 0;
}
static void post(struct ninep_call *c)
{
    kfree(c);
}
static const struct ninep_transport transport = {.exchange = answer, .post = post};

static void use_file(struct node *n)
{
    struct file *f =
        file_new(&ninep_file_ops, (byte() & 1 ? O_RDWR : O_RDONLY) | (byte() & 1 ? O_APPEND : 0), NULL);
    char buffer[300];
    struct io io;
    uint64_t at = byte() * 100U;
    void *page;

    f->node = node_get(n);
    if (n->ops->open(n, f)) {
        f->ops = &(struct file_ops){0};
        file_put(f);
        return;
    }
    for (unsigned i = 0; i < 6; i++) {
        io_init(&io, buffer, sizeof(buffer), true);
        switch (byte() % 6) {
        case 0:
            if (f->ops->read)
                f->ops->read(f, &io, byte() & 1 ? &f->pos : &at);
            break;
        case 1:
            if (f->ops->write && (f->flags & O_ACCMODE) != O_RDONLY)
                f->ops->write(f, &io, byte() & 1 ? &f->pos : &at);
            break;
        case 2:
            if (f->ops->getdents)
                f->ops->getdents(f, &io);
            break;
        case 3:
            if (f->ops->page && f->ops->page(f, byte() % 4U, byte() & 1, &page) == 0) {
                memset(page, 'm', PAGE_SIZE);
                page_put(page);
            }
            break;
        case 4:
            if (f->ops->sync)
                f->ops->sync(f);
            break;
        default:
            if (n->ops->truncate && node_type(n) == NODE_REGULAR)
                n->ops->truncate(n, byte() * 64U);
            f->ops->seek(f, -(int64_t)byte(), 2);
        }
    }
    file_put(f);
}

static void step(struct node *root)
{
    char name[4] = {'a', 'b', 'c', 0}, target[100];
    struct node *n = NULL, *other = NULL;
    struct statfs room;
    size_t length = 1 + byte() % 3U;

    switch (byte() % 9) {
    case 0:
        root->ops->create(root, name, length, (byte() & 1 ? NODE_REGULAR : NODE_DIRECTORY) | 0644, 0, &n);
        break;
    case 1:
        root->ops->unlink(root, name, length, byte() & 1);
        break;
    case 2:
        root->ops->rename(root, name, length, root, "other", 5, byte() & 3);
        break;
    case 3:
        root->ops->symlink(root, name, length, "target", &n);
        break;
    case 4:
        root->ops->statfs(root, &room);
        break;
    case 5:
        root->ops->refresh(root);
        break;
    case 6:
        if (root->ops->lookup(root, name, length, &other) == 0) {
            root->ops->link(root, "link", 4, other);
            node_put(other);
        }
        break;
    default:
        root->ops->lookup(root, name, length, &n);
    }
    if (!n)
        return;
    n->ops->change(n, &(struct node_change){.what = byte(), .mode = 0600});
    n->ops->readlink(n, target, sizeof(target));
    use_file(n);
    node_put(n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ninep_session s;
    struct ninep_qid qid;
    struct node *root;

    input = data, left = size;
    ninep_session_init(&s, &transport, NULL);
    ninep_start(&s, &qid);
    if (!s.epoch)
        return 0; /* no agreement about the version */
    if (ninep_root(&s, &root) == 0) {
        while (left)
            step(root);
        node_put(root);
    }
    for (size_t i = 0; i < array_size(s.nodes); i++)
        if (!list_empty(&s.nodes[i]))
            abort();
    if (host_pages_live())
        abort();
    return 0;
}
