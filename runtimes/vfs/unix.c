/* vfs/unix.c - AF_UNIX sockets: unix(7). Streams, datagrams and sequenced packets, named or in pairs.
 *
 * A message goes straight into the receiver's queue. Who sends waits, when SO_SNDBUF bytes of it lie unread
 * there; as in Linux a socket counts as writable again when three quarters of that are read, so that a slow
 * reader does not cause a wake-up for each byte. Connected sockets know each other by `peer` and `followers`;
 * closing one unlinks it from all of them, so no pointer outlives its socket.
 */
#include "unix.h"

#include <asm/ioctls.h>
#include <linux/eventpoll.h>
#include <linux/sockios.h>

#include "memory.h"

enum { USUAL_BUFFER = 212992, DATAGRAMS_MOST = 512, BACKLOG_MOST = 4096, CHUNK = 16384, SMALL = 512 };

#define READABLE (EPOLLIN | EPOLLRDNORM)
#define WRITABLE (EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND)

struct list unix_sockets = LIST_INIT(unix_sockets);

static const struct file_ops unix_ops;

bool unix_is_socket(const struct file *f)
{
    return f->ops == &unix_ops;
}

static bool is_stream(const struct unix_socket *s)
{
    return s->common.type == SOCK_STREAM;
}

static bool connects(const struct unix_socket *s)
{
    return s->common.type != SOCK_DGRAM;
}

/* ---- life */

static struct unix_socket *socket_new(int type)
{
    struct unix_socket *s = kzalloc(sizeof(*s));
    if (!s)
        return NULL;
    s->common.family = AF_UNIX;
    s->common.type = type;
    s->common.receive_size = s->common.send_size = USUAL_BUFFER;
    s->users = 1;
    list_append(&unix_sockets, &s->all);
    list_init(&s->followers);
    list_init(&s->follow);
    list_init(&s->packets);
    list_init(&s->pending);
    list_init(&s->in_pending);
    wait_queue_init(&s->queue);
    wait_queue_init(&s->space);
    return s;
}

static void socket_put(struct unix_socket *s)
{
    if (--s->users == 0)
        kfree(s);
}

/* Room again in s: those who send to it, and those who wait for it. */
static void wake_senders(struct unix_socket *s)
{
    list_for_each (p, &s->followers)
        wake_all(&list_entry(p, struct unix_socket, follow)->queue, WRITABLE);
    wake_all(&s->space, WRITABLE);
}

void unix_drop_packets(struct unix_socket *s)
{
    struct list dropped; /* off the queue first: closing what they carry may come back here */

    if (list_empty(&s->packets))
        return;
    list_init(&dropped);
    list_insert_(&dropped, s->packets.prev, &s->packets);
    list_remove(&s->packets);
    s->queued = s->count = 0;
    while (!list_empty(&dropped))
        packet_free(list_first(&dropped, struct packet, link));
    wake_senders(s);
}

static void set_peer(struct unix_socket *s, struct unix_socket *peer)
{
    list_remove(&s->follow);
    s->peer = peer;
    if (peer)
        list_append(&peer->followers, &s->follow);
}

/* The other side is gone; unread data there means that it was cut off. */
static void peer_closed(struct unix_socket *s, bool reset)
{
    set_peer(s, NULL);
    if (connects(s)) {
        s->shut = SHUT_BOTH;
        if (reset)
            s->error = ECONNRESET;
        wake_all(&s->queue, READABLE | WRITABLE | EPOLLRDHUP | EPOLLHUP | (reset ? EPOLLERR : 0));
    } else {
        s->lost_peer = true;
        wake_all(&s->queue, WRITABLE);
    }
}

static void socket_close(struct unix_socket *s)
{
    bool reset = s->count != 0 || (!list_empty(&s->in_pending));

    list_remove(&s->in_pending);
    list_remove(&s->all);
    unix_unbind(s);
    set_peer(s, NULL);
    s->file = NULL;
    s->shut = SHUT_BOTH;
    s->state = UNIX_FRESH;
    while (!list_empty(&s->followers))
        peer_closed(list_first(&s->followers, struct unix_socket, follow), reset);
    while (!list_empty(&s->pending))
        socket_close(list_first(&s->pending, struct unix_socket, in_pending));
    wake_all(&s->space, WRITABLE | EPOLLHUP);
    unix_drop_packets(s);
    unix_address_put(s->peer_address);
    s->peer_address = NULL;
    socket_put(s);
}

static void unix_release(struct file *f)
{
    socket_close(f->data);
    unix_collect();
}

static struct file *file_of(struct unix_socket *s)
{
    struct file *f = file_new(&unix_ops, 2 /* O_RDWR */, s);
    if (f)
        s->file = f;
    return f;
}

static int type_of(int type, int protocol)
{
    if (protocol && protocol != AF_UNIX)
        return -EPROTONOSUPPORT;
    if (type == SOCK_RAW)
        return SOCK_DGRAM; /* as Linux */
    return type == SOCK_STREAM || type == SOCK_DGRAM || type == SOCK_SEQPACKET ? type : -ESOCKTNOSUPPORT;
}

static int unix_create(int type, int protocol, struct file **f)
{
    struct unix_socket *s;

    type = type_of(type, protocol);
    if (type < 0)
        return type;
    s = socket_new(type);
    if (!s)
        return -ENOMEM;
    *f = file_of(s);
    if (*f)
        return 0;
    socket_close(s);
    return -ENOMEM;
}

/* ---- connections */

static void join(struct unix_socket *a, struct unix_socket *b)
{
    set_peer(a, b);
    set_peer(b, a);
    a->state = b->state = UNIX_CONNECTED;
    a->peer_credentials = b->peer_credentials = credentials_own();
}

static int unix_pair(int type, int protocol, struct file *pair[2])
{
    int result = unix_create(type, protocol, &pair[0]);
    if (result < 0)
        return result;
    result = unix_create(type, protocol, &pair[1]);
    if (result < 0) {
        file_put(pair[0]);
        return result;
    }
    join(pair[0]->data, pair[1]->data);
    return 0;
}

static int unix_bind_file(struct file *f, const void *name, unsigned length)
{
    return unix_bind(f->data, name, length);
}

static int unix_listen(struct file *f, int backlog)
{
    struct unix_socket *s = f->data;
    if (!connects(s))
        return -EOPNOTSUPP;
    if (!s->address || s->state == UNIX_CONNECTED)
        return -EINVAL;
    s->backlog = backlog < 0 || backlog > BACKLOG_MOST ? BACKLOG_MOST : (unsigned)backlog;
    s->state = UNIX_LISTENING;
    s->peer_credentials = credentials_own();
    wake_all(&s->space, WRITABLE);
    return 0;
}

static bool accepts(const struct unix_socket *s)
{
    return s->state == UNIX_LISTENING && !(s->shut & SHUT_RECEIVE);
}

/* Waits until the listener's backlog has room. */
static int wait_backlog(struct unix_socket *s, struct unix_socket *listener, bool nonblocking)
{
    int result;
    if (!accepts(listener))
        return -ECONNREFUSED;
    if (listener->pending_count <= listener->backlog)
        return 0;
    if (nonblocking)
        return -EAGAIN;
    listener->users++;
    result = wait_for(&listener->space, EPOLLOUT, socket_deadline(s->common.send_time),
                      !accepts(listener) || listener->pending_count <= listener->backlog);
    if (result == 0 && !accepts(listener))
        result = -ECONNREFUSED;
    socket_put(listener);
    return socket_wait_error(result, s->common.send_time);
}

static int connect_stream(struct file *f, struct unix_socket *listener)
{
    struct unix_socket *s = f->data, *other;
    int result;

    if (s->state != UNIX_FRESH)
        return s->state == UNIX_LISTENING ? -EINVAL : -EISCONN;
    if (listener->common.type != s->common.type)
        return -EPROTOTYPE;
    result = wait_backlog(s, listener, socket_nonblocking(f, 0));
    if (result < 0)
        return result;
    if (s->state != UNIX_FRESH) /* by another thread in the meantime */
        return -EISCONN;
    other = socket_new(s->common.type);
    if (!other)
        return -ENOMEM;
    other->address = unix_address_get(listener->address);
    other->peer_address = unix_address_get(s->address);
    other->common.pass_credentials = listener->common.pass_credentials;
    s->peer_address = unix_address_get(listener->address);
    s->shut = 0;
    join(s, other);
    list_append(&listener->pending, &other->in_pending);
    listener->pending_count++;
    wake_all(&listener->queue, READABLE);
    wake_all(&s->queue, WRITABLE);
    return 0;
}

/* A datagram socket has another peer, or none: what came from the old one is lost, as in Linux. One that was
 * connected to it likewise is told. */
static void leave_peer(struct unix_socket *s)
{
    struct unix_socket *old = s->peer;
    if (!list_empty(&s->packets) && old && old->peer == s && old != s) {
        old->error = ECONNRESET;
        wake_all(&old->queue, EPOLLERR);
    }
    unix_drop_packets(s);
    s->lost_peer = false;
}

/* A datagram socket's peer is only where its messages go. */
static int connect_datagram(struct unix_socket *s, struct unix_socket *peer)
{
    if (peer && peer->common.type != s->common.type)
        return -EPROTOTYPE;
    if (peer && peer->peer && peer->peer != s)
        return -EPERM;
    if ((s->peer && s->peer != peer) || s->lost_peer)
        leave_peer(s);
    unix_address_put(s->peer_address);
    s->peer_address = peer ? unix_address_get(peer->address) : NULL;
    set_peer(s, peer);
    s->state = peer ? UNIX_CONNECTED : UNIX_FRESH;
    wake_all(&s->queue, WRITABLE);
    return 0;
}

static int unix_connect(struct file *f, const void *name, unsigned length)
{
    struct unix_socket *s = f->data, *other;
    uint16_t family = AF_UNIX;
    int result;

    if (length < sizeof(family))
        return -EINVAL;
    memcpy(&family, name, sizeof(family));
    if (family == AF_UNSPEC && !connects(s))
        return connect_datagram(s, NULL);
    result = unix_find(name, length, &other);
    if (result < 0)
        return result;
    return connects(s) ? connect_stream(f, other) : connect_datagram(s, other);
}

static int unix_accept(struct file *f, struct file **connection, int flags)
{
    struct unix_socket *s = f->data, *other;
    int result;

    (void)flags;
    if (!connects(s))
        return -EOPNOTSUPP;
    if (s->state != UNIX_LISTENING)
        return -EINVAL;
    if (list_empty(&s->pending) && socket_nonblocking(f, 0))
        return -EAGAIN;
    result = wait_for(&s->queue, EPOLLIN, socket_deadline(s->common.receive_time),
                      !list_empty(&s->pending) || (s->shut & SHUT_RECEIVE));
    if (result < 0)
        return socket_wait_error(result, s->common.receive_time);
    if (list_empty(&s->pending))
        return -EINVAL;
    other = list_first(&s->pending, struct unix_socket, in_pending);
    *connection = file_of(other);
    if (!*connection)
        return -ENOMEM;
    list_remove(&other->in_pending);
    s->pending_count--;
    wake_all(&s->space, WRITABLE);
    return 0;
}

static int unix_name(struct file *f, void *name, unsigned *length, bool peer)
{
    const struct unix_socket *s = f->data;
    if (!peer) {
        unix_name_out(s->address, name, length);
        return 0;
    }
    if (s->state != UNIX_CONNECTED)
        return -ENOTCONN;
    unix_name_out(s->peer && s->peer->address ? s->peer->address : s->peer_address, name, length);
    return 0;
}

static int unix_shutdown(struct file *f, int how)
{
    struct unix_socket *s = f->data;
    unsigned mine = (unsigned)how + 1; /* SHUT_RD, SHUT_WR, SHUT_RDWR */

    s->shut |= mine;
    if (s->peer && connects(s)) {
        s->peer->shut |= (mine & SHUT_RECEIVE ? SHUT_SEND : 0) | (mine & SHUT_SEND ? SHUT_RECEIVE : 0);
        wake_all(&s->peer->queue, READABLE | WRITABLE | EPOLLRDHUP | EPOLLHUP);
    }
    if (s->peer)
        wake_all(&s->peer->space, WRITABLE); /* another thread that sends through s */
    wake_all(&s->queue, READABLE | WRITABLE | EPOLLRDHUP | EPOLLHUP);
    wake_all(&s->space, WRITABLE);
    return 0;
}

static int take_error(struct unix_socket *s)
{
    int error = s->error;
    s->error = 0;
    return -error;
}

/* ---- sending */

static size_t limit_of(const struct unix_socket *sender)
{
    return (size_t)sender->common.send_size;
}

static bool has_room(const struct unix_socket *sender, const struct unix_socket *to, size_t n)
{
    if (is_stream(sender))
        return to->queued < limit_of(sender);
    return to->count == 0 || (to->queued + n <= limit_of(sender) && to->count < DATAGRAMS_MOST);
}

/* Waits for room for n bytes in the queue of `to`, which another thread may close meanwhile. */
static int wait_room(struct file *f, struct unix_socket *to, size_t n, int flags)
{
    struct unix_socket *s = f->data;
    int result;

    if (has_room(s, to, n))
        return 0;
    if (socket_nonblocking(f, flags))
        return -EAGAIN;
    to->users++;
    result = wait_for(&to->space, EPOLLOUT, socket_deadline(s->common.send_time),
                      has_room(s, to, n) || (s->shut & SHUT_SEND) || (to->shut & SHUT_RECEIVE));
    socket_put(to);
    return socket_wait_error(result, s->common.send_time);
}

static void deliver(struct unix_socket *to, struct packet *p)
{
    list_append(&to->packets, &p->link);
    to->queued += p->length;
    to->count++;
    wake_all(&to->queue, READABLE);
}

/* Bytes that go along with the last ones in the queue. */
static ssize_t append_to_last(const struct unix_socket *s, struct unix_socket *to, struct io *io, size_t most)
{
    struct packet *last = list_entry(to->packets.prev, struct packet, link);
    ssize_t n;
    if (list_empty(&to->packets) || last->rights || last->room == last->length || last->sender != s->address)
        return 0;
    n = io_take(io, last->data + last->length, min(most, last->room - last->length));
    if (n > 0) {
        last->length += (size_t)n;
        to->queued += (size_t)n;
        wake_all(&to->queue, READABLE);
    }
    return n;
}

static ssize_t send_piece(const struct unix_socket *s, struct unix_socket *to, struct socket_message *m,
                          bool first)
{
    size_t most = min(m->io->left, limit_of(s) - to->queued);
    bool control = first && m->control_length;
    struct packet *p;
    ssize_t n = control ? 0 : append_to_last(s, to, m->io, most);

    if (n)
        return n;
    most = min(most, (size_t)CHUNK);
    p = packet_new(s, max(most, (size_t)SMALL - sizeof(*p)));
    if (!p)
        return -ENOBUFS;
    n = control ? packet_control_in(p, m) : 0;
    if (n == 0)
        n = io_take(m->io, p->data, most);
    if (n <= 0) {
        packet_free(p);
        return n;
    }
    p->length = (size_t)n;
    deliver(to, p);
    return n;
}

static ssize_t send_stream(struct file *f, struct socket_message *m)
{
    struct unix_socket *s = f->data;
    ssize_t done = 0, n = 0;

    if (m->flags & MSG_OOB)
        return -EOPNOTSUPP;
    if (m->name && m->name_length)
        return s->state == UNIX_CONNECTED ? -EISCONN : -EOPNOTSUPP;
    if (s->state != UNIX_CONNECTED)
        return -ENOTCONN;
    do {
        if ((s->shut & SHUT_SEND) || !s->peer || (s->peer->shut & SHUT_RECEIVE))
            n = -EPIPE;
        else if (m->io->left == 0)
            break;
        else
            n = wait_room(f, s->peer, 1, m->flags);
        if (n < 0)
            break;
        if (!s->peer || !has_room(s, s->peer, 1))
            continue; /* changed while we waited */
        n = send_piece(s, s->peer, m, done == 0);
        if (n <= 0)
            break;
        done += n;
    } while (m->io->left);
    return done ? done : n;
}

/* Where a datagram goes: with a reference taken. */
static int target_of(struct unix_socket *s, const struct socket_message *m, struct unix_socket **to)
{
    int result = take_error(s);
    if (result)
        return result;
    if ((s->shut & SHUT_SEND) && (!connects(s) || s->state == UNIX_CONNECTED))
        return -EPIPE;
    if (m->name && m->name_length && s->common.type == SOCK_DGRAM) {
        result = unix_find(m->name, m->name_length, to);
        if (result == 0 && (*to)->common.type != s->common.type)
            result = -EPROTOTYPE;
    } else if (connects(s) && s->state == UNIX_CONNECTED) {
        *to = s->peer;
        result = *to ? 0 : -EPIPE;
    } else if (s->lost_peer) {
        leave_peer(s); /* told once */
        s->state = UNIX_FRESH;
        result = -ECONNREFUSED;
    } else {
        *to = s->peer;
        result = *to ? 0 : -ENOTCONN;
    }
    if (result == 0 && (*to)->peer && (*to)->peer != s)
        result = -EPERM;
    if (result == 0)
        (*to)->users++;
    return result;
}

static ssize_t send_to(struct file *f, struct unix_socket *to, struct socket_message *m)
{
    struct unix_socket *s = f->data;
    size_t n = m->io->left;
    struct packet *p;
    ssize_t result;

    if (to->shut & SHUT_RECEIVE)
        return -EPIPE;
    if (n > limit_of(s))
        return -EMSGSIZE;
    p = packet_new(s, n);
    if (!p)
        return -ENOBUFS;
    result = m->control_length ? packet_control_in(p, m) : 0;
    if (result == 0)
        result = n ? io_take(m->io, p->data, n) : 0;
    if (result >= 0 && (size_t)result < n)
        result = -EFAULT;
    if (result >= 0) {
        result = wait_room(f, to, n, m->flags);
        if (result == 0 && (to->shut & SHUT_RECEIVE)) /* closed while we waited */
            result = connects(s) ? -EPIPE : -ECONNREFUSED;
    }
    if (result < 0) {
        packet_free(p);
        return result;
    }
    p->length = n;
    deliver(to, p);
    return (ssize_t)n;
}

static ssize_t send_datagram(struct file *f, struct socket_message *m)
{
    struct unix_socket *to;
    ssize_t result;

    if (m->flags & MSG_OOB)
        return -EOPNOTSUPP;
    result = target_of(f->data, m, &to);
    if (result)
        return result;
    result = send_to(f, to, m);
    socket_put(to);
    return result;
}

static ssize_t unix_send(struct file *f, struct socket_message *m)
{
    ssize_t result = is_stream(f->data) ? send_stream(f, m) : send_datagram(f, m);
    if (m->control_length)
        unix_collect();
    return result;
}

/* ---- receiving */

static void name_sender(struct socket_message *m, const struct packet *p)
{
    m->name_length = 0;
    if (m->name && p->sender)
        unix_name_out(p->sender, m->name, &m->name_length);
}

/* Waits until there is a packet: 1; 0 at the end; -errno. */
static int wait_packet(struct file *f, int flags)
{
    struct unix_socket *s = f->data;
    int result = 0;

    if (s->error && !is_stream(s))
        return take_error(s); /* before the packets; a stream is read to its end first */
    if (list_empty(&s->packets) && !s->error) {
        /* A datagram socket that may not receive any more says so only to those who would wait. */
        if (socket_nonblocking(f, flags) && (!connects(s) || !(s->shut & SHUT_RECEIVE)))
            return -EAGAIN;
        result = wait_for(&s->queue, EPOLLIN | EPOLLHUP | EPOLLERR, socket_deadline(s->common.receive_time),
                          !list_empty(&s->packets) || s->error || (s->shut & SHUT_RECEIVE));
    }
    if (!list_empty(&s->packets))
        return 1;
    if (s->error)
        return take_error(s);
    return socket_wait_error(result, s->common.receive_time);
}

/* A packet, or all of it that matters, is read. */
static void remove_packet(struct unix_socket *s, struct packet *p)
{
    s->count--;
    packet_free(p);
}

static void tell_room(struct unix_socket *s)
{
    const struct unix_socket *sender = s->peer ? s->peer : s;
    if (s->queued * 4 <= limit_of(sender))
        wake_senders(s);
}

/* What can be read now, over packets of one sender. Stops after a packet that carried files. */
static ssize_t take_stream(struct unix_socket *s, struct socket_message *m, bool *stop, bool first)
{
    bool peek = (m->flags & MSG_PEEK) != 0;
    struct list *at = s->packets.next;
    const struct credentials *credentials = NULL;
    ssize_t done = 0;

    while (at != &s->packets && m->io->left) {
        struct packet *p = list_entry(at, struct packet, link);
        bool carries = p->rights != NULL;
        ssize_t n;
        if (credentials && s->common.pass_credentials &&
            memcmp(credentials, &p->credentials, sizeof(*credentials)))
            break;
        at = at->next;
        n = io_put(m->io, p->data + p->taken, min(m->io->left, p->length - p->taken));
        if (n < 0)
            return done ? done : n;
        done += n;
        if (!credentials && first)
            name_sender(m, p);
        packet_control_out(p, m, s->common.pass_credentials && !credentials && first, peek);
        credentials = &p->credentials;
        if (peek)
            continue;
        s->queued -= (size_t)n;
        p->taken += (size_t)n;
        if (p->taken < p->length)
            break;
        credentials = NULL;
        first = false;
        remove_packet(s, p);
        if (carries) {
            *stop = true;
            break;
        }
    }
    if (!peek && done)
        tell_room(s);
    return done;
}

static ssize_t receive_stream(struct file *f, struct socket_message *m)
{
    struct unix_socket *s = f->data;
    bool all = (m->flags & MSG_WAITALL) && !(m->flags & MSG_PEEK), stop = false;
    int flags = m->flags;
    ssize_t done = 0, n;

    m->name_length = 0;
    m->flags &= MSG_PEEK | MSG_CMSG_CLOEXEC;
    if (flags & MSG_OOB)
        return -EINVAL; /* there never is any */
    if (s->state != UNIX_CONNECTED)
        return -EINVAL;
    if (m->io->left == 0)
        return 0;
    do {
        n = wait_packet(f, flags);
        if (n <= 0)
            break;
        n = take_stream(s, m, &stop, done == 0);
        if (n < 0)
            break;
        done += n;
    } while (all && !stop && m->io->left);
    return done ? done : n;
}

static ssize_t receive_datagram(struct file *f, struct socket_message *m)
{
    struct unix_socket *s = f->data;
    int flags = m->flags, result;
    struct packet *p;
    size_t length;
    ssize_t n;

    m->name_length = 0;
    m->flags &= MSG_CMSG_CLOEXEC;
    if (flags & MSG_OOB)
        return -EOPNOTSUPP;
    if (connects(s) && s->state != UNIX_CONNECTED)
        return -ENOTCONN;
    result = wait_packet(f, flags);
    if (result <= 0)
        return result;
    p = list_first(&s->packets, struct packet, link);
    length = p->length;
    n = length ? io_put(m->io, p->data, min(length, m->io->left)) : 0;
    if (n < 0)
        return n;
    name_sender(m, p);
    packet_control_out(p, m, s->common.pass_credentials, (flags & MSG_PEEK) != 0);
    if ((size_t)n < length)
        m->flags |= MSG_TRUNC;
    if (!(flags & MSG_PEEK)) {
        s->queued -= length;
        remove_packet(s, p);
        tell_room(s);
    }
    return flags & MSG_TRUNC ? (ssize_t)length : n;
}

static ssize_t unix_receive(struct file *f, struct socket_message *m)
{
    return is_stream(f->data) ? receive_stream(f, m) : receive_datagram(f, m);
}

/* ---- state */

static bool is_writable(const struct unix_socket *s)
{
    if (!s->peer)
        return true; /* the write will say why it cannot be */
    return s->peer->queued * 4 <= limit_of(s) && s->peer->count < DATAGRAMS_MOST;
}

static unsigned unix_poll(struct file *f, struct poller *poller)
{
    const struct unix_socket *s = f->data;
    unsigned events = 0;

    poll_on(poller, &((struct unix_socket *)f->data)->queue);
    if (s->state == UNIX_LISTENING)
        return list_empty(&s->pending) ? 0 : READABLE;
    if (s->error)
        events |= EPOLLERR;
    if (s->shut == SHUT_BOTH || (connects(s) && s->state == UNIX_FRESH))
        events |= EPOLLHUP;
    if (s->shut & SHUT_RECEIVE)
        events |= READABLE | EPOLLRDHUP;
    if (!list_empty(&s->packets))
        events |= READABLE;
    if (is_writable(s))
        events |= WRITABLE;
    return events;
}

static int unix_set_option(struct file *f, int level, int option, const void *value, unsigned length)
{
    struct unix_socket *s = f->data;
    if (level != SOL_SOCKET)
        return -EOPNOTSUPP;
    return socket_common_set(&s->common, level, option, value, length);
}

static int unix_get_option(struct file *f, int level, int option, void *value, unsigned *length)
{
    struct unix_socket *s = f->data;
    if (level != SOL_SOCKET)
        return -EOPNOTSUPP;
    if (option == SO_ERROR)
        return socket_option_int(-take_error(s), value, length);
    if (option == SO_ACCEPTCONN)
        return socket_option_int(s->state == UNIX_LISTENING, value, length);
    if (option == SO_PEERCRED) {
        struct credentials nobody = {.pid = 0, .uid = ~0u, .gid = ~0u};
        const struct credentials *c = s->state == UNIX_FRESH ? &nobody : &s->peer_credentials;
        *length = min(*length, (unsigned)sizeof(*c));
        memcpy(value, c, *length);
        return 0;
    }
    return socket_common_get(&s->common, level, option, value, length);
}

static long unix_ioctl(struct file *f, unsigned request, uintptr_t argument)
{
    const struct unix_socket *s = f->data;
    int n;

    switch (request) {
    case FIONREAD:
        if (s->state == UNIX_LISTENING)
            return -EINVAL;
        n = (int)s->queued;
        if (!is_stream(s) && s->count)
            n = (int)list_first(&s->packets, struct packet, link)->length;
        break;
    case TIOCOUTQ:
        n = s->peer ? (int)s->peer->queued : 0;
        break;
    default: /* glibc asks a socket of this family for interfaces first */
        return interface_ioctl(request, argument);
    }
    return copy_out((void *)argument, &n, sizeof(n));
}

static const struct socket_ops socket_ops = {
    .bind = unix_bind_file,
    .connect = unix_connect,
    .listen = unix_listen,
    .accept = unix_accept,
    .name = unix_name,
    .send = unix_send,
    .receive = unix_receive,
    .shutdown = unix_shutdown,
    .set_option = unix_set_option,
    .get_option = unix_get_option,
};

static const struct file_ops unix_ops = {
    .read = socket_read,
    .write = socket_write,
    .poll = unix_poll,
    .ioctl = unix_ioctl,
    .release = unix_release,
    .socket = &socket_ops,
    .kind = "socket",
};

SOCKET_FAMILY(unix) = {.family = AF_UNIX, .create = unix_create, .pair = unix_pair};
