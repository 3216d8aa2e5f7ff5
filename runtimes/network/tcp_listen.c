/* tcp_listen.c - listening sockets: half-open connections, the queue that accept(2) empties, and new
 * connections from ports that are still in TIME_WAIT.
 *
 * A listener keeps two lists. `half` are peers whose SYN was answered: with a flood of SYNs that nobody
 * follows up the oldest gives way to the newest, so that an honest peer, who answers within a round trip,
 * gets in. `ready` are connections that accept() has not taken yet: when it is full new SYNs are dropped, as
 * Linux does, and the peer tries again. */
#include "tcp_socket.h"
#include "lwip/ip.h"
#include "lwip/priv/tcp_priv.h"

#define BACKLOG_LIMIT 4096u /* Linux's net.core.somaxconn */
/* Half-open connections of one listener; each is about half a KiB. */
#define HALF_LIMIT 1024u

/* The handshake is complete. */
static err_t accepted(void *arg, struct tcp_pcb *pcb, err_t error)
{
    (void)arg;
    if (error != ERR_OK || !pcb) /* a SYN that there was no memory for */
        return ERR_VAL;
    struct tcp_socket *s = tcp_ext_arg_get(pcb, 0);
    if (!s || !s->listener)
        return ERR_VAL;
    struct tcp_socket *l = s->listener;
    list_remove(&s->link);
    l->half_count--;
    list_append(&l->ready, &s->link);
    l->ready_count++;
    s->phase = TCP_CONNECTED;
    tcp_err(pcb, tcp_failed);
    s->inet.connected = true;
    s->progress = clock_now();
    wake_all(&l->inet.queue, READY_IN);
    return ERR_OK;
}

int tcp_socket_listen(struct file *file, int backlog)
{
    struct tcp_socket *s = tcp_of(file);
    unsigned limit = min((unsigned)backlog, BACKLOG_LIMIT); /* negative: as much as there is */
    if (s->phase == TCP_LISTENING) {
        s->backlog = limit;
        return 0;
    }
    if (s->phase != TCP_NEW)
        return -EINVAL;
    if (!s->bound) { /* Linux: any address, a random port */
        int error = s->inet.ops->bind(&s->inet, address_wildcard(&s->inet), 0);
        if (error)
            return error;
    }
    if (!s->pcb)
        return -EINVAL;
    /* Two sockets may have been bound with SO_REUSEADDR: only one of them can listen. */
    for (struct tcp_pcb_listen *p = tcp_listen_pcbs.listen_pcbs; p; p = p->next)
        if (p->local_port == s->local_port && addresses_overlap(&p->local_ip, &s->local) &&
            !(s->inet.reuse_port && tcp_ext_arg_get((struct tcp_pcb *)p, 0) &&
              ((struct tcp_socket *)tcp_ext_arg_get((struct tcp_pcb *)p, 0))->inet.reuse_port))
            return -EADDRINUSE;
    struct tcp_pcb *pcb = s->pcb;
    tcp_detach(s);
    ip_reset_option(pcb, SOF_REUSEADDR); /* lwIP's own check would refuse SO_REUSEPORT */
    struct tcp_pcb *listening = tcp_listen(pcb);
    if (!listening) {
        tcp_attach(s, pcb);
        return -ENOBUFS;
    }
    s->pcb = listening;
    s->phase = TCP_LISTENING;
    s->backlog = limit;
    tcp_ext_arg_set_callbacks(listening, 0, &tcp_listen_callbacks);
    tcp_ext_arg_set(listening, 0, s);
    tcp_arg(listening, s);
    tcp_accept(listening, accepted);
    tcp_apply(&s->inet);
    port_announce(s->local_port, "tcp");
    early_listening();
    network_settle(); /* connections may have waited for it */
    return 0;
}

int tcp_socket_accept(struct file *file, struct file **connection, int flags)
{
    struct tcp_socket *l = tcp_of(file);
    uint64_t deadline = socket_deadline(l->inet.receive_timeout);
    while (list_empty(&l->ready)) {
        if (l->phase != TCP_LISTENING)
            return -EINVAL;
        if (socket_nonblocking(file, 0))
            return -EAGAIN;
        int error = inet_wait(&l->inet, READY_IN, deadline);
        if (error)
            return error;
    }
    struct tcp_socket *s = list_first(&l->ready, struct tcp_socket, link);
    if (!inet_file(&s->inet, &tcp_file_ops, flags & O_NONBLOCK))
        return -ENOMEM;
    list_remove(&s->link);
    l->ready_count--;
    s->listener = NULL;
    *connection = s->inet.file;
    return 0;
}

/* The connections that nobody will take any more are reset. */
static void abort_all(struct list *connections)
{
    while (!list_empty(connections)) {
        struct tcp_socket *s = list_first(connections, struct tcp_socket, link);
        struct tcp_pcb *pcb = s->pcb;
        list_remove(&s->link);
        s->listener = NULL;
        s->phase = TCP_FAILED;
        tcp_detach(s);
        if (pcb)
            tcp_abort(pcb);
        tcp_socket_drop(s);
    }
}

void tcp_listen_end(struct tcp_socket *l)
{
    struct tcp_pcb *pcb = l->pcb;
    abort_all(&l->half);
    abort_all(&l->ready);
    l->half_count = l->ready_count = 0;
    tcp_detach(l);
    if (pcb)
        tcp_close(pcb);
}

/* A SYN for a listener: is there room? */
static err_t listener_segment(struct tcp_pcb *pcb, const struct tcp_hdr *header)
{
    if ((TCPH_FLAGS(header) & (TCP_SYN | TCP_ACK | TCP_RST)) != TCP_SYN)
        return ERR_OK;
    struct tcp_socket *l = tcp_ext_arg_get(pcb, 0);
    if (!l || l->ready_count > l->backlog)
        return ERR_MEM;
    if (l->half_count >= HALF_LIMIT) {
        struct tcp_socket *oldest = list_first(&l->half, struct tcp_socket, link);
        tcp_abandon(oldest->pcb, 0);
    }
    return ERR_OK;
}

/* A SYN for a connection in TIME_WAIT. With a sequence number above the old connection's it starts a new one
 * (RFC 1122, 4.2.2.13): clients run through their ports faster than TIME_WAIT ends. lwIP would only
 * acknowledge it. */
static err_t time_wait_segment(struct tcp_pcb *pcb, struct tcp_hdr *header, u16_t options, u8_t *more_options,
                               struct pbuf *p)
{
    if ((TCPH_FLAGS(header) & (TCP_SYN | TCP_ACK | TCP_RST)) != TCP_SYN || more_options ||
        !TCP_SEQ_GT(header->seqno, pcb->rcv_nxt))
        return ERR_OK;
    /* Back to what came from the wire, and in again: this time there is no old connection. */
    if (pbuf_add_header(p, (size_t)TCP_HLEN + options))
        return ERR_OK;
    tcp_pcb_remove(&tcp_tw_pcbs, pcb);
    tcp_free(pcb);
    header->src = lwip_htons(header->src);
    header->dest = lwip_htons(header->dest);
    header->seqno = lwip_htonl(header->seqno);
    header->ackno = lwip_htonl(header->ackno);
    header->wnd = lwip_htons(header->wnd);
    pbuf_ref(p); /* tcp_input() frees it, and so does our caller */
    tcp_input(p, ip_current_input_netif());
    return ERR_USE;
}

err_t network_tcp_segment(struct tcp_pcb *pcb, struct tcp_hdr *header, u16_t options_length,
                          u16_t first_options, u8_t *more_options, struct pbuf *p)
{
    (void)first_options;
    if (pcb->state == LISTEN)
        return listener_segment(pcb, header);
    return time_wait_segment(pcb, header, options_length, more_options, p);
}
