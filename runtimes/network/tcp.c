/* tcp.c - TCP sockets (tcp(7)) over lwIP's raw API: making, binding, connecting and closing them.
 *
 * Linux's rules, not lwIP's, decide who may bind: lwIP would let two listeners share a port, and keeps no
 * SO_REUSEPORT. So lwIP's own check is switched off (SOF_REUSEADDR on every pcb) and ours is made first. */
#include "tcp_socket.h"
#include "lwip/priv/tcp_priv.h"

NEEDS(network / goodbye);

/* In so_options, beside lwIP's SOF_*: what the socket asked for, also after the socket is gone. */
#define OPTION_REUSE_ADDRESS 0x40
#define OPTION_REUSE_PORT    0x80

struct tcp_socket *tcp_socket_new(int family)
{
    struct tcp_socket *s = kzalloc(sizeof(*s));
    if (!s)
        return NULL;
    inet_init(&s->inet, &tcp_protocol, family, SOCK_STREAM, IPPROTO_TCP);
    s->keep_idle = TCP_KEEPIDLE_DEFAULT / 1000;
    s->keep_interval = TCP_KEEPINTVL_DEFAULT / 1000;
    s->keep_count = TCP_KEEPCNT_DEFAULT;
    list_init(&s->link);
    list_init(&s->half);
    list_init(&s->ready);
    return s;
}

int tcp_create(int family, struct file **file)
{
    struct tcp_socket *s = tcp_socket_new(family);
    if (!s)
        return -ENOMEM;
    *file = inet_file(&s->inet, &tcp_file_ops, 0);
    if (!*file) {
        kfree(s);
        return -ENOMEM;
    }
    return 0;
}

void tcp_socket_drop(struct tcp_socket *s)
{
    if (s->inet.file || s->pcb || !list_empty(&s->link))
        return;
    tcp_queue_free(s);
    kfree(s);
}

/* ---- the two halves */

/* lwIP frees the pcb: by itself, after both sides closed or on an error. */
static void pcb_destroyed(u8_t id, void *data)
{
    (void)id;
    struct tcp_socket *s = data;
    if (!s)
        return;
    s->pcb = NULL;
    tcp_memory_send(-(long)s->unsent);
    s->unsent = 0;
    if (s->phase == TCP_HALF_OPEN) {
        list_remove(&s->link);
        if (s->listener)
            s->listener->half_count--;
    }
    tcp_socket_drop(s);
}

static err_t pcb_opens(u8_t id, struct tcp_pcb_listen *listener, struct tcp_pcb *pcb);

const struct tcp_ext_arg_callbacks tcp_callbacks = {.destroy = pcb_destroyed};
const struct tcp_ext_arg_callbacks tcp_listen_callbacks = {.destroy = pcb_destroyed,
                                                           .passive_open = pcb_opens};

void tcp_attach(struct tcp_socket *s, struct tcp_pcb *pcb)
{
    s->pcb = pcb;
    tcp_ext_arg_set_callbacks(pcb, 0, &tcp_callbacks);
    tcp_ext_arg_set(pcb, 0, s);
    tcp_arg(pcb, s);
    tcp_recv(pcb, tcp_received);
    tcp_sent(pcb, tcp_acknowledged);
    if (s->phase != TCP_HALF_OPEN) /* which is gone with its pcb: nobody to tell */
        tcp_err(pcb, tcp_failed);
    tcp_apply(&s->inet);
}

/* The pcb goes on without a socket. */
void tcp_detach(struct tcp_socket *s)
{
    struct tcp_pcb *pcb = s->pcb;
    s->pcb = NULL;
    if (!pcb)
        return;
    tcp_memory_send(-(long)s->unsent);
    s->unsent = 0;
    tcp_ext_arg_set(pcb, 0, NULL);
    tcp_arg(pcb, NULL);
    if (pcb->state == LISTEN)
        return;
    tcp_recv(pcb, NULL);
    tcp_sent(pcb, NULL);
    tcp_err(pcb, NULL);
}

/* A SYN for a listener was taken: the connection to be, before its SYN|ACK is sent. */
static err_t pcb_opens(u8_t id, struct tcp_pcb_listen *listener, struct tcp_pcb *pcb)
{
    struct tcp_socket *l = tcp_ext_arg_get((struct tcp_pcb *)listener, id);
    struct tcp_socket *s = l ? tcp_socket_new(l->inet.family) : NULL;
    if (!s)
        return ERR_MEM;
    const struct inet_socket *from = &l->inet;
    s->inet.only6 = from->only6;
    s->inet.reuse_address = from->reuse_address;
    s->inet.reuse_port = from->reuse_port;
    s->inet.keep_alive = from->keep_alive;
    s->inet.tos = from->tos;
    s->inet.ttl = from->ttl;
    s->inet.linger = from->linger;
    s->inet.priority = from->priority;
    s->inet.mark = from->mark;
    s->inet.interface = from->interface;
    s->inet.send_buffer = from->send_buffer;
    s->inet.send_buffer_set = from->send_buffer_set;
    s->inet.receive_buffer = from->receive_buffer;
    s->inet.receive_buffer_set = from->receive_buffer_set;
    s->inet.send_timeout = from->send_timeout;
    s->inet.receive_timeout = from->receive_timeout;
    s->nodelay = l->nodelay;
    s->corked = l->corked;
    s->keep_idle = l->keep_idle;
    s->keep_interval = l->keep_interval;
    s->keep_count = l->keep_count;
    s->user_timeout = l->user_timeout;
    s->max_segment = l->max_segment;
    s->local = pcb->local_ip;
    s->peer = pcb->remote_ip;
    s->local_port = pcb->local_port;
    s->peer_port = pcb->remote_port;
    s->phase = TCP_HALF_OPEN;
    s->listener = l;
    list_append(&l->half, &s->link);
    l->half_count++;
    tcp_attach(s, pcb);
    /* The window that the SYN|ACK offers. */
    pcb->rcv_wnd = min((uint32_t)pcb->rcv_wnd, tcp_receive_limit(s));
    pcb->rcv_ann_wnd = pcb->rcv_wnd;
    return ERR_OK;
}

void tcp_apply(struct inet_socket *inet)
{
    struct tcp_socket *s = container_of(inet, struct tcp_socket, inet);
    struct tcp_pcb *pcb = s->pcb;
    if (!pcb)
        return;
    pcb->so_options =
        (u8_t)(SOF_REUSEADDR | (inet->keep_alive ? SOF_KEEPALIVE : 0) |
               (inet->reuse_address ? OPTION_REUSE_ADDRESS : 0) | (inet->reuse_port ? OPTION_REUSE_PORT : 0));
    pcb->tos = inet->tos;
    pcb->ttl = inet->ttl;
    pcb->netif_idx = inet->interface;
    if (pcb->state == LISTEN)
        return;
    pcb->keep_idle = (u32_t)s->keep_idle * 1000;
    pcb->keep_intvl = (u32_t)s->keep_interval * 1000;
    pcb->keep_cnt = (u32_t)s->keep_count;
    if (s->user_timeout)
        tcp_poll(pcb, tcp_polled, 1000 / (2 * TCP_TMR_INTERVAL));
    if (s->max_segment && pcb->mss > s->max_segment)
        pcb->mss = (u16_t)s->max_segment;
    if (s->phase == TCP_CONNECTED)
        tcp_push(s);
}

/* ---- addresses */

/* bind(2)'s EADDRINUSE, as Linux decides it (inet_csk_bind_conflict has the same table):
 * another socket on the port and an overlapping address is in the way unless both allow it - SO_REUSEADDR
 * counts only while neither listens. */
static bool taken(const struct inet_socket *inet, const ip_addr_t *address, uint16_t port)
{
    for (unsigned i = 0; i < NUM_TCP_PCB_LISTS; i++) {
        for (const struct tcp_pcb *p = *tcp_pcb_lists[i]; p; p = p->next) {
            if (p->local_port != port || !addresses_overlap(&p->local_ip, address))
                continue;
            if (inet->reuse_port && (p->so_options & OPTION_REUSE_PORT))
                continue;
            if (inet->reuse_address && (p->so_options & OPTION_REUSE_ADDRESS) && p->state != LISTEN)
                continue;
            return true;
        }
    }
    return false;
}

/* For connect(2): only the port's other connections to the same peer matter, but a free port is simplest. */
static bool used(const struct inet_socket *inet, const ip_addr_t *address, uint16_t port)
{
    (void)inet;
    (void)address;
    for (unsigned i = 0; i < NUM_TCP_PCB_LISTS; i++)
        for (const struct tcp_pcb *p = *tcp_pcb_lists[i]; p; p = p->next)
            if (p->local_port == port)
                return true;
    return false;
}

static int new_pcb(struct tcp_socket *s)
{
    if (s->pcb)
        return 0;
    struct tcp_pcb *pcb = tcp_new_ip_type(IP_GET_TYPE(address_wildcard(&s->inet)));
    if (!pcb)
        return -ENOBUFS;
    tcp_attach(s, pcb);
    return 0;
}

static int bind_pcb(struct tcp_socket *s, const ip_addr_t *address, uint16_t port)
{
    int error = new_pcb(s);
    if (error)
        return error;
    error = inet_errno(tcp_bind(s->pcb, address, port));
    if (!error) {
        s->local = s->pcb->local_ip;
        s->local_port = port;
    }
    return error;
}

static int tcp_do_bind(struct inet_socket *inet, const ip_addr_t *address, uint16_t port)
{
    struct tcp_socket *s = container_of(inet, struct tcp_socket, inet);
    if (s->phase != TCP_NEW || s->bound)
        return -EINVAL;
    if (ip_addr_ismulticast(address))
        return -EADDRNOTAVAIL;
    if (port == 0)
        port = port_random(inet, address, used);
    else if (taken(inet, address, port))
        return -EADDRINUSE;
    int error = port ? bind_pcb(s, address, port) : -EADDRINUSE;
    s->bound = !error;
    return error;
}

static void tcp_names(struct inet_socket *inet, ip_addr_t *local, uint16_t *local_port, ip_addr_t *peer,
                      uint16_t *peer_port)
{
    struct tcp_socket *s = container_of(inet, struct tcp_socket, inet);
    if (s->local_port) {
        *local = s->local;
        *local_port = s->local_port;
    }
    *peer = s->peer;
    *peer_port = s->peer_port;
}

/* ---- connecting */

static err_t connected(void *arg, struct tcp_pcb *pcb, err_t error)
{
    (void)error;
    struct tcp_socket *s = arg;
    s->phase = TCP_CONNECTED;
    s->inet.connected = true;
    s->progress = clock_now();
    pcb->rcv_wnd = min((uint32_t)pcb->rcv_wnd, tcp_receive_limit(s));
    pcb->rcv_ann_wnd = pcb->rcv_wnd;
    tcp_apply(&s->inet);
    wake_all(&s->inet.queue, READY_OUT);
    return ERR_OK;
}

/* The outcome of an attempt that was made earlier. */
static int connect_again(struct tcp_socket *s, bool nonblocking)
{
    uint64_t deadline = socket_deadline(s->inet.send_timeout);
    while (s->phase == TCP_CONNECTING) {
        if (nonblocking)
            return -EALREADY;
        int error = inet_wait(&s->inet, READY_OUT | READY_ERROR | READY_HANGUP, deadline);
        if (error)
            return error == -EAGAIN ? -EALREADY : error;
    }
    if (s->phase == TCP_CONNECTED) {
        s->untold = false;
        return 0;
    }
    s->phase = TCP_NEW;
    int error = inet_take_error(&s->inet);
    return error ? error : -ECONNABORTED;
}

static int tcp_do_connect(struct inet_socket *inet, const ip_addr_t *address, uint16_t port, bool nonblocking)
{
    struct tcp_socket *s = container_of(inet, struct tcp_socket, inet);
    if (s->phase == TCP_CONNECTED && s->untold) {
        s->untold = false;
        return 0;
    }
    if (s->phase == TCP_LISTENING || s->phase == TCP_CONNECTED)
        return -EISCONN;
    if (s->phase == TCP_CONNECTING)
        return connect_again(s, nonblocking);
    if (s->phase == TCP_FAILED) {
        s->phase = TCP_NEW; /* Linux tells of the failure once, through whoever asks first */
        if (inet->error)
            return inet_take_error(inet);
    }
    if (ip_addr_ismulticast(address) ||
        (IP_IS_V4(address) && !inet->broadcast && ip_addr_isbroadcast(address, netif_list)))
        return -ENETUNREACH;
    if (!address_route(inet, address))
        return -ENETUNREACH;
    int error = new_pcb(s);
    if (error)
        return error;
    if (!s->pcb->local_port) { /* bound by the user: an earlier attempt used up the pcb that was */
        ip_addr_t local = s->bound ? s->local : *address_wildcard(inet);
        uint16_t local_port = s->bound ? s->local_port : port_random(inet, &local, used);
        error = local_port ? bind_pcb(s, &local, local_port) : -EADDRNOTAVAIL;
        if (error)
            return error;
    }
    error = inet_errno(tcp_connect(s->pcb, address, port, connected));
    if (error)
        return error == -EADDRINUSE ? -EADDRNOTAVAIL : error;
    s->phase = TCP_CONNECTING;
    s->local = s->pcb->local_ip;
    s->local_port = s->pcb->local_port;
    s->peer = *address;
    s->peer_port = port;
    network_settle(); /* over loopback the answer is there at once, and yet is told later, as on Linux */
    s->untold = nonblocking;
    if (nonblocking)
        return -EINPROGRESS;
    error = connect_again(s, false);
    return error == -EALREADY ? -EINPROGRESS : error;
}

/* ---- closing */

static int tcp_socket_shutdown(struct file *file, int how)
{
    struct tcp_socket *s = tcp_of(file);
    if (s->phase == TCP_LISTENING) { /* as Linux: SHUT_RD ends the listening */
        if (how == 1)
            return 0;
        tcp_listen_end(s);
        s->phase = TCP_NEW;
        s->inet.shut = 0;
        wake_all(&s->inet.queue, READY_ALL);
        network_settle();
        return 0;
    }
    if (s->phase != TCP_CONNECTED)
        return -ENOTCONN;
    uint8_t add = (uint8_t)(how + 1) & (uint8_t)~s->inet.shut;
    s->inet.shut |= add;
    if ((add & SHUT_WRITE) && s->pcb)
        tcp_shutdown(s->pcb, 0, 1);
    wake_all(&s->inet.queue, READY_ALL);
    network_settle();
    return 0;
}

/* SO_LINGER: the close takes until all is acknowledged, or the time is up. */
static void linger(struct tcp_socket *s)
{
    uint64_t deadline = clock_now() + (uint64_t)s->inet.linger * 1000000000;
    s->inet.want_space = true;
    while (s->pcb && s->unsent && inet_wait(&s->inet, READY_OUT | READY_ERROR | READY_HANGUP, deadline) == 0)
        s->inet.want_space = true;
}

static void tcp_release(struct file *file)
{
    struct tcp_socket *s = tcp_of(file);
    if (s->phase == TCP_LISTENING)
        tcp_listen_end(s);
    memberships_leave(&s->inet);
    s->corked = false;
    if (s->phase == TCP_CONNECTED && s->inet.linger > 0 && !s->queued) {
        if (s->pcb && !(s->inet.shut & SHUT_WRITE)) {
            s->inet.shut |= SHUT_WRITE;
            tcp_shutdown(s->pcb, 0, 1);
        }
        linger(s);
    }
    struct tcp_pcb *pcb = s->pcb;
    s->inet.file = NULL;
    bool abort = s->inet.linger == 0 || s->queued;
    if (!pcb) {
        tcp_socket_drop(s);
    } else if (abort && s->phase == TCP_CONNECTED) {
        tcp_detach(s);
        tcp_abort(pcb);
        tcp_socket_drop(s);
    } else {
        /* lwIP goes on alone. It takes a window that is not fully open for data that nobody read. */
        if (pcb->state != LISTEN)
            pcb->rcv_wnd = TCP_WND_MAX(pcb);
        if (!s->unsent) {
            tcp_detach(s);
            tcp_close(pcb);
            tcp_socket_drop(s);
        } else { /* its buffers still count: the socket stays until they are gone */
            tcp_err(pcb, NULL);
            tcp_recv(pcb, NULL);
            tcp_close(pcb);
        }
    }
    network_settle();
}

static size_t tcp_readable(struct inet_socket *inet)
{
    return container_of(inet, struct tcp_socket, inet)->queued;
}

static size_t tcp_not_acknowledged(struct inet_socket *inet)
{
    return container_of(inet, struct tcp_socket, inet)->unsent;
}

/* connect(2) with AF_UNSPEC: the connection is aborted, the socket as new. */
static int tcp_do_disconnect(struct inet_socket *inet)
{
    struct tcp_socket *s = container_of(inet, struct tcp_socket, inet);
    struct tcp_pcb *pcb = s->pcb;
    if (s->phase == TCP_LISTENING)
        return -EINVAL;
    tcp_detach(s);
    if (pcb)
        tcp_abort(pcb);
    tcp_queue_free(s);
    s->phase = TCP_NEW;
    s->finished = s->started = inet->connected = false;
    inet->shut = 0;
    inet->error = 0;
    s->bound = false;
    s->local_port = s->peer_port = 0;
    wake_all(&inet->queue, READY_ALL);
    return 0;
}

const struct inet_protocol tcp_protocol = {
    .bind = tcp_do_bind,
    .connect = tcp_do_connect,
    .disconnect = tcp_do_disconnect,
    .names = tcp_names,
    .apply = tcp_apply,
    .set_option = tcp_set_option,
    .get_option = tcp_get_option,
    .readable = tcp_readable,
    .unsent = tcp_not_acknowledged,
    .level = IPPROTO_TCP,
};

static const struct socket_ops tcp_socket_ops = {
    INET_SOCKET_OPS,         .listen = tcp_socket_listen,   .accept = tcp_socket_accept,
    .send = tcp_socket_send, .receive = tcp_socket_receive, .shutdown = tcp_socket_shutdown,
};

const struct file_ops tcp_file_ops = {
    INET_FILE_OPS,
    .poll = tcp_file_poll,
    .release = tcp_release,
    .socket = &tcp_socket_ops,
};

/* An ICMP error about one of our segments. Established connections ride it out (RFC 5927). */
void tcp_unreachable(const ip_addr_t *local, uint16_t local_port, const ip_addr_t *peer, uint16_t peer_port,
                     int error)
{
    for (struct tcp_pcb *p = tcp_active_pcbs; p; p = p->next) {
        if (p->state != SYN_SENT || p->local_port != local_port || p->remote_port != peer_port ||
            !ip_addr_cmp(&p->local_ip, local) || !ip_addr_cmp(&p->remote_ip, peer))
            continue;
        struct tcp_socket *s = tcp_ext_arg_get(p, 0);
        if (!s)
            return;
        tcp_detach(s);
        tcp_abort(p);
        s->phase = TCP_FAILED;
        s->inet.error = error;
        wake_all(&s->inet.queue, READY_ALL);
        return;
    }
}
