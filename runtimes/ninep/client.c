/* client.c - the calls of a session: each builds its message, has it carried, and reads the answer. */
#include <asm/fcntl.h>
#include <asm/statfs.h>

#include "memory.h"
#include "ninep.h"

#define HEADER    7U /* size, type, tag */
#define IO_HEADER 24U
#define VERSION   "9P2000.L"
#define SMALL     600U /* room for a message with two names */

/* A call with room for `out` and `in` bytes of message; NULL: no memory. */
static struct ninep_call *call_new(struct ninep_session *s, uint8_t type, size_t out, size_t in)
{
    struct ninep_call *c = kmalloc(sizeof(*c) + out + in);

    if (!c)
        return NULL;
    c->session = s;
    c->out = (struct ninep_message){.data = (uint8_t *)(c + 1), .size = out};
    c->in = (struct ninep_message){.data = (uint8_t *)(c + 1) + out, .size = in};
    c->sends = c->receives = 0;
    c->data = 0;
    c->done = c->forgotten = false;
    c->error = 0;
    c->sleeper = NULL;
    c->tag = NINEP_NO_TAG; /* the transport's to choose */
    ninep_put32(&c->out, 0);
    ninep_put8(&c->out, type);
    ninep_put16(&c->out, NINEP_NO_TAG);
    return c;
}

static void seal(struct ninep_call *c)
{
    uint32_t size = (uint32_t)c->out.at;

    for (unsigned i = 0; i < c->sends; i++)
        size += c->pieces[i].length;
    memcpy(c->out.data, &size, sizeof(size));
}

/* Is what came back an answer to what was asked, and whole? Leaves `in` at the body. */
static int check(struct ninep_call *c)
{
    struct ninep_message *in = &c->in;
    uint32_t size = ninep_get32(in);
    uint8_t type = ninep_get8(in);
    uint16_t tag = ninep_get16(in);

    if (in->bad || size < HEADER || size > in->size + c->data || tag != c->tag) {
        log_line("9p: an answer of %u bytes, type %u, tag %u makes no sense", size, type, tag);
        return -EIO;
    }
    in->size = min(in->size, (size_t)size);
    c->data = min(c->data, size - in->size);
    if (type == NINEP_RLERROR) {
        uint32_t number = ninep_get32(in);
        return in->bad || !number || number > 4095 ? -EIO : -(int)number;
    }
    return type == c->out.data[4] + 1 ? 0 : -EIO;
}

/* Sends the call. 0: the answer's body can be read; the caller frees. */
static int exchange(struct ninep_call *c, enum ninep_wait wait)
{
    if (c->out.bad)
        return -ENAMETOOLONG;
    seal(c);
    int error = c->session->transport->exchange(c, wait);
    return error ? error : check(c);
}

/* For answers without anything of use in them. */
static int finish(struct ninep_call *c, enum ninep_wait wait)
{
    int error = exchange(c, wait);
    kfree(c);
    return error;
}

/* The same where a qid tells of the new file. */
static int finish_qid(struct ninep_call *c)
{
    struct ninep_qid qid;
    int error = exchange(c, NINEP_SPIN);

    if (!error) {
        ninep_get_qid(&c->in, &qid);
        error = c->in.bad ? -EIO : 0;
    }
    kfree(c);
    return error;
}

void ninep_session_init(struct ninep_session *s, const struct ninep_transport *transport, void *channel)
{
    memset(s, 0, sizeof(*s));
    s->transport = transport;
    s->channel = channel;
    for (size_t i = 0; i < array_size(s->nodes); i++)
        list_init(&s->nodes[i]);
}

uint32_t ninep_fid(struct ninep_session *s)
{
    if (s->next_fid == NINEP_NO_FID)
        s->next_fid = NINEP_ROOT + 1;
    return s->next_fid++;
}

static int negotiate(struct ninep_session *s)
{
    struct ninep_call *c = call_new(s, NINEP_VERSION, SMALL, SMALL);
    size_t length;

    if (!c)
        return -ENOMEM;
    ninep_put32(&c->out, (uint32_t)(NINEP_IO_MOST + PAGE_SIZE));
    ninep_put_string(&c->out, VERSION, strlen(VERSION));
    int error = exchange(c, NINEP_SPIN);
    if (!error) {
        uint32_t most = ninep_get32(&c->in);
        const char *version = ninep_get_string(&c->in, &length);
        if (c->in.bad || most < PAGE_SIZE + IO_HEADER || length != strlen(VERSION) ||
            memcmp(version, VERSION, length) != 0)
            error = -EPROTO;
        else
            s->io_most = min(align_down((size_t)most - IO_HEADER, PAGE_SIZE), NINEP_IO_MOST);
    }
    kfree(c);
    return error;
}

int ninep_start(struct ninep_session *s, struct ninep_qid *root)
{
    int error = negotiate(s);
    struct ninep_call *c;

    if (error)
        return error;
    s->next_fid = NINEP_ROOT + 1;
    s->epoch++;
    c = call_new(s, NINEP_ATTACH, SMALL, SMALL);
    if (!c)
        return -ENOMEM;
    ninep_put32(&c->out, NINEP_ROOT);
    ninep_put32(&c->out, NINEP_NO_FID); /* no authentication */
    ninep_put_string(&c->out, "", 0);
    ninep_put_string(&c->out, "", 0);
    ninep_put32(&c->out, 0); /* as root */
    error = exchange(c, NINEP_SPIN);
    if (!error) {
        ninep_get_qid(&c->in, root);
        error = c->in.bad ? -EIO : 0;
    }
    kfree(c);
    return error;
}

int ninep_walk(struct ninep_session *s, uint32_t from, uint32_t to, const char *name, size_t length,
               struct ninep_qid *qid)
{
    struct ninep_call *c = call_new(s, NINEP_WALK, SMALL, SMALL);

    if (!c)
        return -ENOMEM;
    ninep_put32(&c->out, from);
    ninep_put32(&c->out, to);
    ninep_put16(&c->out, name ? 1 : 0);
    if (name)
        ninep_put_string(&c->out, name, length);
    int error = exchange(c, NINEP_SPIN);
    if (!error) {
        uint16_t count = ninep_get16(&c->in);
        if (name)
            ninep_get_qid(&c->in, qid);
        error = c->in.bad || count != (name ? 1 : 0) ? -EIO : 0;
    }
    kfree(c);
    return error;
}

int ninep_getattr(struct ninep_session *s, uint32_t fid, struct ninep_attributes *a)
{
    struct ninep_call *c = call_new(s, NINEP_GETATTR, SMALL, SMALL);

    if (!c)
        return -ENOMEM;
    ninep_put32(&c->out, fid);
    ninep_put64(&c->out, 0x7ff); /* what stat(2) tells */
    int error = exchange(c, NINEP_SPIN);
    if (!error && !ninep_get_attributes(&c->in, a))
        error = -EIO;
    kfree(c);
    return error;
}

static void put_time(struct ninep_message *m, int64_t ns)
{
    int64_t seconds = ns / 1000000000 - (ns % 1000000000 < 0);
    ninep_put64(m, (uint64_t)seconds);
    ninep_put64(m, (uint64_t)(ns - seconds * 1000000000));
}

int ninep_setattr(struct ninep_session *s, uint32_t fid, uint32_t valid, const struct ninep_attributes *a)
{
    struct ninep_call *c = call_new(s, NINEP_SETATTR, SMALL, SMALL);

    if (!c)
        return -ENOMEM;
    ninep_put32(&c->out, fid);
    ninep_put32(&c->out, valid);
    ninep_put32(&c->out, a->mode);
    ninep_put32(&c->out, a->uid);
    ninep_put32(&c->out, a->gid);
    ninep_put64(&c->out, a->size);
    put_time(&c->out, a->atime);
    put_time(&c->out, a->mtime);
    return finish(c, NINEP_SPIN);
}

int ninep_open(struct ninep_session *s, uint32_t fid, uint32_t flags)
{
    struct ninep_call *c = call_new(s, NINEP_LOPEN, SMALL, SMALL);

    if (!c)
        return -ENOMEM;
    ninep_put32(&c->out, fid);
    ninep_put32(&c->out, flags);
    return finish_qid(c);
}

int ninep_create(struct ninep_session *s, uint32_t fid, const char *name, size_t length, uint32_t flags,
                 uint32_t mode)
{
    struct ninep_call *c = call_new(s, NINEP_LCREATE, SMALL, SMALL);

    if (!c)
        return -ENOMEM;
    ninep_put32(&c->out, fid);
    ninep_put_string(&c->out, name, length);
    ninep_put32(&c->out, flags);
    ninep_put32(&c->out, mode);
    ninep_put32(&c->out, 0);
    return finish_qid(c);
}

int ninep_symlink(struct ninep_session *s, uint32_t fid, const char *name, size_t length, const char *target)
{
    struct ninep_call *c = call_new(s, NINEP_SYMLINK, SMALL + PATH_LONGEST, SMALL);

    if (!c)
        return -ENOMEM;
    ninep_put32(&c->out, fid);
    ninep_put_string(&c->out, name, length);
    ninep_put_string(&c->out, target, strlen(target));
    ninep_put32(&c->out, 0);
    return finish_qid(c);
}

int ninep_mknod(struct ninep_session *s, uint32_t fid, const char *name, size_t length, uint32_t mode)
{
    struct ninep_call *c = call_new(s, NINEP_MKNOD, SMALL, SMALL);

    if (!c)
        return -ENOMEM;
    ninep_put32(&c->out, fid);
    ninep_put_string(&c->out, name, length);
    ninep_put32(&c->out, mode);
    ninep_put32(&c->out, 0); /* no devices: major, */
    ninep_put32(&c->out, 0); /* minor */
    ninep_put32(&c->out, 0);
    return finish_qid(c);
}

int ninep_mkdir(struct ninep_session *s, uint32_t fid, const char *name, size_t length, uint32_t mode)
{
    struct ninep_call *c = call_new(s, NINEP_MKDIR, SMALL, SMALL);

    if (!c)
        return -ENOMEM;
    ninep_put32(&c->out, fid);
    ninep_put_string(&c->out, name, length);
    ninep_put32(&c->out, mode);
    ninep_put32(&c->out, 0);
    return finish_qid(c);
}

int ninep_link(struct ninep_session *s, uint32_t directory, uint32_t fid, const char *name, size_t length)
{
    struct ninep_call *c = call_new(s, NINEP_LINK, SMALL, SMALL);

    if (!c)
        return -ENOMEM;
    ninep_put32(&c->out, directory);
    ninep_put32(&c->out, fid);
    ninep_put_string(&c->out, name, length);
    return finish(c, NINEP_SPIN);
}

int ninep_rename(struct ninep_session *s, uint32_t from, const char *name, size_t length, uint32_t to,
                 const char *to_name, size_t to_length)
{
    struct ninep_call *c = call_new(s, NINEP_RENAMEAT, SMALL, SMALL);

    if (!c)
        return -ENOMEM;
    ninep_put32(&c->out, from);
    ninep_put_string(&c->out, name, length);
    ninep_put32(&c->out, to);
    ninep_put_string(&c->out, to_name, to_length);
    return finish(c, NINEP_SPIN);
}

int ninep_unlink(struct ninep_session *s, uint32_t directory, const char *name, size_t length,
                 bool is_directory)
{
    struct ninep_call *c = call_new(s, NINEP_UNLINKAT, SMALL, SMALL);

    if (!c)
        return -ENOMEM;
    ninep_put32(&c->out, directory);
    ninep_put_string(&c->out, name, length);
    ninep_put32(&c->out, is_directory ? 0x200 : 0); /* AT_REMOVEDIR */
    return finish(c, NINEP_SPIN);
}

ssize_t ninep_readlink(struct ninep_session *s, uint32_t fid, char *to, size_t size)
{
    struct ninep_call *c = call_new(s, NINEP_READLINK, SMALL, SMALL + PATH_LONGEST);
    size_t length = 0;

    if (!c)
        return -ENOMEM;
    ninep_put32(&c->out, fid);
    int error = exchange(c, NINEP_SPIN);
    if (!error) {
        const char *target = ninep_get_string(&c->in, &length);
        length = min(length, size);
        error = c->in.bad ? -EIO : 0;
        memcpy(to, target, length);
    }
    kfree(c);
    return error ? error : (ssize_t)length;
}

/* The room for an answer with data is exact: the data begin in the first piece. */
static ssize_t receive(struct ninep_call *c, const struct virtio_buffer *to, unsigned pieces, size_t n,
                       enum ninep_wait wait)
{
    memcpy(c->pieces, to, pieces * sizeof(*to));
    c->receives = pieces;
    ssize_t result = exchange(c, wait);
    if (result == 0) {
        uint32_t count = ninep_get32(&c->in);
        result = c->in.bad || count > n || count != c->data ? -EIO : (ssize_t)count;
    }
    kfree(c);
    return result;
}

ssize_t ninep_read(struct ninep_session *s, uint32_t fid, uint64_t offset, const struct virtio_buffer *to,
                   unsigned pieces, size_t n, enum ninep_wait wait)
{
    struct ninep_call *c = call_new(s, NINEP_READ, SMALL, HEADER + 4);

    if (!c)
        return -ENOMEM;
    ninep_put32(&c->out, fid);
    ninep_put64(&c->out, offset);
    ninep_put32(&c->out, (uint32_t)n);
    return receive(c, to, pieces, n, wait);
}

ssize_t ninep_readdir(struct ninep_session *s, uint32_t fid, uint64_t offset, void *buffer, size_t n)
{
    struct ninep_call *c = call_new(s, NINEP_READDIR, SMALL, HEADER + 4);
    struct virtio_buffer one = {buffer, (uint32_t)n};

    if (!c)
        return -ENOMEM;
    ninep_put32(&c->out, fid);
    ninep_put64(&c->out, offset);
    ninep_put32(&c->out, (uint32_t)n);
    return receive(c, &one, 1, n, NINEP_SPIN);
}

ssize_t ninep_write(struct ninep_session *s, uint32_t fid, uint64_t offset, const struct virtio_buffer *from,
                    unsigned pieces, size_t n, enum ninep_wait wait)
{
    struct ninep_call *c = call_new(s, NINEP_WRITE, SMALL, SMALL);

    if (!c)
        return -ENOMEM;
    ninep_put32(&c->out, fid);
    ninep_put64(&c->out, offset);
    ninep_put32(&c->out, (uint32_t)n);
    memcpy(c->pieces, from, pieces * sizeof(*from));
    c->sends = pieces;
    ssize_t result = exchange(c, wait);
    if (result == 0) {
        uint32_t count = ninep_get32(&c->in);
        result = c->in.bad || count > n ? -EIO : (ssize_t)count;
    }
    kfree(c);
    return result;
}

int ninep_fsync(struct ninep_session *s, uint32_t fid, enum ninep_wait wait)
{
    struct ninep_call *c = call_new(s, NINEP_FSYNC, SMALL, SMALL);

    if (!c)
        return -ENOMEM;
    ninep_put32(&c->out, fid);
    ninep_put32(&c->out, 0); /* data and attributes */
    return finish(c, wait);
}

int ninep_statfs(struct ninep_session *s, uint32_t fid, struct statfs *to)
{
    struct ninep_call *c = call_new(s, NINEP_STATFS, SMALL, SMALL);

    if (!c)
        return -ENOMEM;
    ninep_put32(&c->out, fid);
    int error = exchange(c, NINEP_SPIN);
    if (!error) {
        to->f_type = (long)ninep_get32(&c->in);
        to->f_bsize = to->f_frsize = (long)ninep_get32(&c->in);
        to->f_blocks = (long)ninep_get64(&c->in);
        to->f_bfree = (long)ninep_get64(&c->in);
        to->f_bavail = (long)ninep_get64(&c->in);
        to->f_files = (long)ninep_get64(&c->in);
        to->f_ffree = (long)ninep_get64(&c->in);
        (void)ninep_get64(&c->in); /* its number for the file system */
        to->f_namelen = (long)ninep_get32(&c->in);
        error = c->in.bad ? -EIO : 0;
    }
    kfree(c);
    return error;
}

void ninep_forget(struct ninep_session *s, uint32_t fid)
{
    struct ninep_call *c = fid == NINEP_NO_FID ? NULL : call_new(s, NINEP_CLUNK, SMALL, SMALL);

    if (!c) /* no memory: the host keeps the number a little longer */
        return;
    ninep_put32(&c->out, fid);
    seal(c);
    c->forgotten = true;
    s->transport->post(c);
}
