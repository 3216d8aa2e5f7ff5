/* message.c - reading and writing messages: never beyond their end, whatever they say. */
#include "memory.h"
#include "ninep.h"

#define SECOND 1000000000

static void put(struct ninep_message *m, const void *from, size_t n)
{
    if (m->bad || m->size - m->at < n) {
        m->bad = true;
        return;
    }
    memcpy(m->data + m->at, from, n);
    m->at += n;
}

/* The machine has the protocol's byte order. */
void ninep_put8(struct ninep_message *m, uint8_t value)
{
    put(m, &value, sizeof(value));
}
void ninep_put16(struct ninep_message *m, uint16_t value)
{
    put(m, &value, sizeof(value));
}
void ninep_put32(struct ninep_message *m, uint32_t value)
{
    put(m, &value, sizeof(value));
}
void ninep_put64(struct ninep_message *m, uint64_t value)
{
    put(m, &value, sizeof(value));
}
void ninep_put_string(struct ninep_message *m, const char *text, size_t length)
{
    if (length > UINT16_MAX)
        m->bad = true;
    ninep_put16(m, (uint16_t)length);
    put(m, text, length);
}

static void get(struct ninep_message *m, void *to, size_t n)
{
    if (m->bad || m->size - m->at < n) {
        m->bad = true;
        memset(to, 0, n);
        return;
    }
    memcpy(to, m->data + m->at, n);
    m->at += n;
}

uint8_t ninep_get8(struct ninep_message *m)
{
    uint8_t value;
    get(m, &value, sizeof(value));
    return value;
}
uint16_t ninep_get16(struct ninep_message *m)
{
    uint16_t value;
    get(m, &value, sizeof(value));
    return value;
}
uint32_t ninep_get32(struct ninep_message *m)
{
    uint32_t value;
    get(m, &value, sizeof(value));
    return value;
}
uint64_t ninep_get64(struct ninep_message *m)
{
    uint64_t value;
    get(m, &value, sizeof(value));
    return value;
}
const char *ninep_get_string(struct ninep_message *m, size_t *length)
{
    size_t n = ninep_get16(m);

    if (m->bad || m->size - m->at < n) {
        m->bad = true;
        n = 0;
    }
    const char *text = (const char *)m->data + m->at;
    m->at += n;
    *length = n;
    return text;
}

void ninep_get_qid(struct ninep_message *m, struct ninep_qid *qid)
{
    qid->type = ninep_get8(m);
    qid->version = ninep_get32(m);
    qid->path = ninep_get64(m);
}

static int64_t get_time(struct ninep_message *m)
{
    int64_t seconds = (int64_t)ninep_get64(m), most = INT64_MAX / SECOND - 1;
    uint64_t fraction = ninep_get64(m);

    if (fraction >= SECOND)
        m->bad = true;
    return max(min(seconds, most), -most) * SECOND + (int64_t)(fraction % SECOND);
}

bool ninep_get_attributes(struct ninep_message *m, struct ninep_attributes *a)
{
    (void)ninep_get64(m); /* which are valid: what is not is zero */
    ninep_get_qid(m, &a->qid);
    a->mode = ninep_get32(m);
    a->uid = ninep_get32(m);
    a->gid = ninep_get32(m);
    a->links = ninep_get64(m);
    a->rdev = (uint32_t)ninep_get64(m);
    a->size = ninep_get64(m);
    a->block_size = ninep_get64(m);
    a->blocks = ninep_get64(m);
    a->atime = get_time(m);
    a->mtime = get_time(m);
    a->ctime = get_time(m);
    switch (a->mode & NODE_TYPE) {
    case NODE_FIFO:
    case NODE_CHARACTER:
    case NODE_DIRECTORY:
    case NODE_BLOCK:
    case NODE_REGULAR:
    case NODE_LINK:
    case NODE_SOCKET:
        break;
    default:
        m->bad = true;
    }
    return !m->bad && a->size <= INT64_MAX && a->blocks <= INT64_MAX && a->links <= UINT32_MAX;
}

bool ninep_get_entry(struct ninep_message *m, struct ninep_entry *e)
{
    if (m->bad || m->at == m->size)
        return false;
    ninep_get_qid(m, &e->qid);
    e->next = ninep_get64(m);
    e->type = ninep_get8(m);
    e->name = ninep_get_string(m, &e->length);
    if (e->length == 0 || e->length > NAME_LONGEST || memchr(e->name, '/', e->length) ||
        memchr(e->name, 0, e->length))
        m->bad = true;
    return !m->bad;
}
