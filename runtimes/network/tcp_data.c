/* tcp_data.c - the bytes of a TCP connection: sending, receiving, waiting for either.
 *
 * Sending copies once, from the program's memory into segments (summed on the way); receiving copies once,
 * from the frames that the device filled. Frames with little in them are copied into a buffer of their own
 * while they wait, or a peer that sends single bytes would make us keep a whole frame for each.
 *
 * Wake-ups are for events only: READY_IN for new data, READY_OUT when somebody who found no room can send
 * again, and then only when there is room for a third of the buffer, as Linux does: waking a program for
 * every acknowledged segment would cost more than the sending. */
#include "tcp_socket.h"
#include "lwip/priv/tcp_priv.h"

#define COLLECT_BELOW 512  /* bytes in a frame that are worth copying together */
#define COLLECTOR     4096 /* bytes */
#define QUEUE_LIMIT   (TCP_SND_QUEUELEN - 64)

/* ---- lwIP's callbacks */

static void append(struct tcp_socket *s, struct pbuf *p)
{
    struct pbuf *last = p;
    while (last->next)
        last = last->next;
    if (s->last)
        s->last->next = p;
    else
        s->first = p;
    s->last = last;
    s->spare = 0;
}

/* Copies a small chain behind what waits; false: keep the chain itself. */
static bool collect(struct tcp_socket *s, struct pbuf *p)
{
    if (!s->last || p->tot_len > COLLECT_BELOW)
        return false;
    if (s->spare < p->tot_len) {
        struct pbuf *room = pbuf_alloc(PBUF_RAW, COLLECTOR, PBUF_RAM);
        if (!room)
            return false;
        room->len = 0;
        append(s, room);
        s->spare = COLLECTOR;
    }
    pbuf_copy_partial(p, (char *)s->last->payload + s->last->len, p->tot_len, 0);
    s->last->len = (u16_t)(s->last->len + p->tot_len);
    s->spare -= p->tot_len;
    pbuf_free(p);
    return true;
}

err_t tcp_received(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t error)
{
    (void)pcb;
    (void)error;
    struct tcp_socket *s = arg;
    if (!p) {
        s->finished = true;
        wake_all(&s->inet.queue, READY_IN | READY_READ_HANGUP);
        return ERR_OK;
    }
    uint32_t length = p->tot_len;
    if (!collect(s, p))
        append(s, p);
    s->queued += length;
    tcp_memory_receive(length);
    wake_all(&s->inet.queue, READY_IN);
    return ERR_OK;
}

static bool writable(const struct tcp_socket *s)
{
    uint32_t limit = tcp_send_limit(s);
    return s->pcb && s->unsent <= limit - limit / 3 && s->pcb->snd_queuelen < QUEUE_LIMIT / 2;
}

err_t tcp_acknowledged(void *arg, struct tcp_pcb *pcb, u16_t length)
{
    (void)pcb;
    struct tcp_socket *s = arg;
    uint32_t n = min((uint32_t)length, s->unsent);
    s->unsent -= n;
    tcp_memory_send(-(long)n);
    s->progress = clock_now();
    if (!s->inet.file && list_empty(&s->link)) { /* closed: nothing holds it but its buffers */
        if (!s->unsent) {
            tcp_detach(s);
            tcp_socket_drop(s);
        }
        return ERR_OK;
    }
    if (s->inet.want_space && writable(s)) {
        s->inet.want_space = false;
        wake_all(&s->inet.queue, READY_OUT);
    }
    return ERR_OK;
}

/* The connection is gone, the pcb as well. */
void tcp_failed(void *arg, err_t error)
{
    struct tcp_socket *s = arg;
    if (!s)
        return;
    s->pcb = NULL;
    if (error == ERR_CLSD) { /* both sides closed in good order */
        wake_all(&s->inet.queue, READY_ALL);
        return;
    }
    bool connecting = s->phase == TCP_CONNECTING;
    if (error != ERR_RST)
        s->inet.error = ETIMEDOUT;
    else if (connecting)
        s->inet.error = ECONNREFUSED;
    else
        s->inet.error = s->finished ? EPIPE : ECONNRESET;
    s->phase = connecting ? TCP_FAILED : s->phase;
    wake_all(&s->inet.queue, READY_ALL);
}

/* TCP_USER_TIMEOUT: how long the peer may leave data unacknowledged. Called about once a second. */
err_t tcp_polled(void *arg, struct tcp_pcb *pcb)
{
    struct tcp_socket *s = arg;
    if (!s || !s->user_timeout || !s->unsent ||
        clock_now() - s->progress < (uint64_t)s->user_timeout * 1000000)
        return ERR_OK;
    tcp_abort(pcb); /* tells tcp_failed() */
    return ERR_ABRT;
}

/* ---- receiving */

void tcp_queue_free(struct tcp_socket *s)
{
    for (struct pbuf *p = s->first, *next; p; p = next) {
        next = p->next;
        p->next = NULL;
        p->tot_len = p->len;
        pbuf_free(p);
    }
    tcp_memory_receive(-(long)s->queued);
    s->first = s->last = NULL;
    s->queued = s->skip = s->spare = 0;
}

void tcp_window_open(struct tcp_socket *s)
{
    struct tcp_pcb *pcb = s->pcb;
    if (!pcb || s->finished)
        return;
    uint32_t limit = tcp_receive_limit(s);
    while (s->queued + pcb->rcv_wnd < limit && pcb->rcv_wnd < TCP_WND_MAX(pcb)) {
        tcp_recved(pcb, (u16_t)min(limit - s->queued - pcb->rcv_wnd, 0xffffu));
        if (!s->pcb) /* an output error may end the connection */
            return;
    }
    /* lwIP tells of room by a fixed amount, which a small buffer never has: tell when half of it is free
     * again (RFC 1122, section 4.2.3.3). */
    uint32_t news = pcb->rcv_nxt + pcb->rcv_wnd - pcb->rcv_ann_right_edge;
    if (news <= INT32_MAX && news >= limit / 2 && news < TCP_WND_UPDATE_THRESHOLD) {
        pcb->rcv_ann_wnd = pcb->rcv_wnd;
        tcp_ack_now(pcb);
        tcp_output(pcb);
    }
}

/* Moves up to n bytes from the queue; `keep`: leaves them there. `io` NULL: throws them away. */
static ssize_t take(struct tcp_socket *s, struct io *io, size_t n, bool keep)
{
    struct pbuf *p = s->first;
    uint32_t skip = s->skip;
    size_t moved = 0;
    while (p && moved < n) {
        size_t part = min(n - moved, (size_t)p->len - skip);
        if (part && io) {
            ssize_t put = io_put(io, (char *)p->payload + skip, part);
            if (put <= 0)
                break;
            part = (size_t)put;
        }
        moved += part;
        skip += (uint32_t)part;
        if (skip < p->len)
            continue;
        /* A buffer that is still filling up stays until it is full. */
        struct pbuf *next = p->next;
        skip = 0;
        if (!keep) {
            p->next = NULL;
            p->tot_len = p->len;
            pbuf_free(p);
            s->first = next;
            if (!next) {
                s->last = NULL;
                s->spare = 0;
            }
        }
        p = next;
    }
    if (keep)
        return (ssize_t)moved;
    s->skip = skip;
    s->queued -= (uint32_t)moved;
    tcp_memory_receive(-(long)moved);
    return (ssize_t)moved;
}

static ssize_t receive(struct file *file, struct io *io, int flags)
{
    struct tcp_socket *s = tcp_of(file);
    if (flags & MSG_OOB)
        return -EINVAL;
    if (flags & MSG_ERRQUEUE)
        return -EAGAIN;
    if (s->phase == TCP_NEW || s->phase == TCP_LISTENING)
        return -ENOTCONN;
    bool peek = flags & MSG_PEEK, drop = flags & MSG_TRUNC;
    size_t wanted = io->left, done = 0;
    size_t least = flags & MSG_WAITALL ? wanted : 1;
    uint64_t deadline = socket_deadline(s->inet.receive_timeout);
    while (wanted) {
        if (s->queued) {
            if (peek && s->queued < least && !s->finished && !s->inet.error && s->pcb)
                goto wait; /* all or nothing: nothing was moved yet */
            ssize_t n = take(s, drop ? NULL : io, wanted - done, peek);
            if (n <= 0)
                return done ? (ssize_t)done : -EFAULT;
            done += (size_t)n;
            if (!peek)
                tcp_window_open(s);
            if (peek || done >= least)
                break;
            continue;
        }
        if (done >= least || s->finished || (s->inet.shut & SHUT_READ))
            break;
        if (s->inet.error) {
            if (done)
                break;
            return inet_take_error(&s->inet);
        }
        if (!s->pcb) /* refused or reset, and told already: Linux tells of an end then */
            break;
    wait:
        if (socket_nonblocking(file, flags))
            return done ? (ssize_t)done : -EAGAIN;
        int error = inet_wait(&s->inet, READY_IN | READY_READ_HANGUP | READY_ERROR | READY_HANGUP, deadline);
        if (error)
            return done ? (ssize_t)done : error;
    }
    network_settle();
    return (ssize_t)done;
}

ssize_t tcp_socket_receive(struct file *file, struct socket_message *m)
{
    ssize_t n = receive(file, m->io, m->flags);
    m->name_length = 0;
    m->flags = 0;
    return n;
}

/* ---- sending */

/* RFC 6928: ten segments at once to begin with; lwIP begins with three. */
static void first_window(struct tcp_socket *s)
{
    struct tcp_pcb *pcb = s->pcb;
    uint32_t ten = min(10u * pcb->mss, max(2u * pcb->mss, 14600u));
    s->started = true;
    if (pcb->cwnd < ten)
        pcb->cwnd = ten;
}

/* Nagle's algorithm, in Minshall's form as Linux has it: a small segment waits only for an earlier small one.
 * lwIP's own waits for anything that is unacknowledged, so that the end of each bigger answer would wait for
 * the peer's delayed acknowledgement. */
static void decide_nagle(struct tcp_socket *s)
{
    struct tcp_pcb *pcb = s->pcb;
    bool small_waits = s->small_sent && TCP_SEQ_GT(s->small_end, pcb->lastack);
    if (s->nodelay || !small_waits)
        tcp_nagle_disable(pcb);
    else
        tcp_nagle_enable(pcb);
}

void tcp_push(struct tcp_socket *s)
{
    struct tcp_pcb *pcb = s->pcb;
    if (!pcb || !pcb->unsent)
        return;
    bool small = !pcb->unsent->next && pcb->unsent->len < pcb->mss;
    if (small && s->corked)
        return;
    decide_nagle(s);
    tcp_output(pcb);
    if (!pcb->unsent && (s->written % pcb->mss)) {
        s->small_sent = true;
        s->small_end = pcb->snd_nxt;
    }
    if (!pcb->unsent)
        s->written = 0;
}

/* One piece, contiguous in memory, into segments. Bytes taken, 0: no room. */
static ssize_t write_piece(struct tcp_socket *s, const void *data, size_t n, size_t left, bool more)
{
    uint32_t limit = tcp_send_limit(s);
    uint32_t room = limit > s->unsent ? limit - s->unsent : 0;
    room = min(room, (uint32_t)tcp_sndbuf(s->pcb));
    if (s->pcb->snd_queuelen >= QUEUE_LIMIT)
        return 0;
    n = min(min(n, (size_t)room), (size_t)0xffff);
    if (!n)
        return 0;
    u8_t flags = TCP_WRITE_FLAG_COPY | (more || n < left ? TCP_WRITE_FLAG_MORE : 0);
    if (!s->started)
        first_window(s);
    err_t error = tcp_write(s->pcb, data, (u16_t)n, flags);
    if (error == ERR_MEM) /* of many segments perhaps the last: less may do */
        return s->unsent ? 0 : -ENOBUFS;
    if (error != ERR_OK)
        return inet_errno(error);
    if (!s->unsent)
        s->progress = clock_now();
    s->unsent += (uint32_t)n;
    s->written += (uint32_t)n;
    tcp_memory_send((long)n);
    return (ssize_t)n;
}

static void advance(struct io *io, size_t n)
{
    io->at += n;
    io->left -= n;
    while (io->count && io->at == io->vectors->length)
        io->vectors++, io->count--, io->at = 0;
}

/* Bytes taken from io: as many as there is room for; -EFAULT. */
static ssize_t write_some(struct tcp_socket *s, struct io *io, bool more)
{
    size_t done = 0;
    while (io->left) {
        struct io_vector *v = io->vectors;
        size_t part = min(v->length - io->at, io->left);
        const char *data = (const char *)v->base + io->at;
        if (part && !io->kernel) {
            part = min(part, (size_t)0xffff);
            if (user_hold(data, part, false))
                return done ? (ssize_t)done : -EFAULT;
        }
        ssize_t n = part ? write_piece(s, data, part, io->left, more) : 0;
        if (n < 0)
            return done ? (ssize_t)done : n;
        if (n == 0 && part)
            break;
        done += (size_t)n;
        advance(io, (size_t)n);
    }
    return (ssize_t)done;
}

static ssize_t send(struct file *file, struct io *io, int flags)
{
    struct tcp_socket *s = tcp_of(file);
    size_t done = 0;
    if (flags & MSG_OOB)
        return -EOPNOTSUPP;
    uint64_t deadline = socket_deadline(s->inet.send_timeout);
    ssize_t result = 0;
    bool push = !(flags & MSG_MORE);
    for (;;) {
        if (s->inet.error) {
            result = inet_take_error(&s->inet);
            break;
        }
        if (s->phase == TCP_NEW || s->phase == TCP_LISTENING || s->phase == TCP_FAILED ||
            (s->inet.shut & SHUT_WRITE) || (s->phase == TCP_CONNECTED && !s->pcb)) {
            result = -EPIPE;
            break;
        }
        if (!io->left)
            break;
        if (s->phase == TCP_CONNECTED) {
            ssize_t n = write_some(s, io, !push);
            if (n < 0) {
                result = n;
                break;
            }
            done += (size_t)n;
            if (!io->left)
                break;
        }
        s->inet.want_space = true;
        if (socket_nonblocking(file, flags)) {
            result = -EAGAIN;
            break;
        }
        tcp_push(s);
        result = inet_wait(&s->inet, READY_OUT | READY_ERROR | READY_HANGUP, deadline);
        if (result)
            break;
    }
    if (done) {
        bool corked = s->corked;
        s->corked |= !push;
        tcp_push(s);
        s->corked = corked;
    }
    network_settle();
    return done ? (ssize_t)done : result;
}

ssize_t tcp_socket_send(struct file *file, struct socket_message *m)
{
    return send(file, m->io, m->flags);
}

/* ---- waiting */

unsigned tcp_file_poll(struct file *file, struct poller *poller)
{
    struct tcp_socket *s = tcp_of(file);
    unsigned ready = 0;
    poll_on(poller, &s->inet.queue);
    if (s->inet.error)
        ready |= READY_ERROR;
    switch (s->phase) {
    case TCP_LISTENING:
        return ready | (list_empty(&s->ready) ? 0 : READY_IN);
    case TCP_CONNECTING:
    case TCP_HALF_OPEN:
        return ready;
    case TCP_NEW:
        return ready | READY_OUT | READY_HANGUP;
    case TCP_FAILED:
        return ready | READY_IN | READY_OUT | READY_HANGUP | READY_READ_HANGUP;
    case TCP_CONNECTED:
        break;
    }
    bool reading_over = s->finished || (s->inet.shut & SHUT_READ) || !s->pcb;
    bool writing_over = (s->inet.shut & SHUT_WRITE) || !s->pcb;
    if (s->queued || reading_over)
        ready |= READY_IN;
    if (reading_over)
        ready |= READY_READ_HANGUP;
    if (reading_over && writing_over)
        ready |= READY_HANGUP;
    if (writing_over || writable(s))
        ready |= READY_OUT;
    else
        s->inet.want_space = true;
    return ready;
}
