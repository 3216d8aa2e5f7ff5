/* datagram.c - receiving packets that keep their boundaries: recv(2), cmsg(3) with IP_PKTINFO and the like
 * (ip(7)). */
#include <linux/ipv6.h>

#include "datagram.h"
#include "lwip/ip.h"

#define COPY_BELOW 1024 /* smaller packets leave the device's buffer at once */
#define OVERHEAD   256  /* what a queued packet costs beside its bytes */

void datagram_arrived(struct datagram_socket *s, struct pbuf *p, const ip_addr_t *from, uint16_t port)
{
    size_t charge = (size_t)p->tot_len + OVERHEAD;
    struct datagram *d = NULL;
    if (s->charged + charge <= s->inet.receive_buffer && !(s->inet.shut & SHUT_READ))
        d = kzalloc(sizeof(*d));
    if (!d) {
        pbuf_free(p);
        return;
    }
    d->from = *from;
    d->to = *ip_current_dest_addr();
    d->port = port;
    d->interface = netif_get_index(ip_current_input_netif());
    if (ip_current_is_v6()) {
        d->ttl = IP6H_HOPLIM(ip6_current_header());
        d->tos = (u8_t)IP6H_TC(ip6_current_header());
    } else {
        d->ttl = IPH_TTL(ip4_current_header());
        d->tos = IPH_TOS(ip4_current_header());
    }
    if (p->tot_len < COPY_BELOW) {
        struct pbuf *own = pbuf_clone(PBUF_RAW, PBUF_RAM, p);
        if (own) {
            pbuf_free(p);
            p = own;
        }
    }
    d->p = p;
    s->charged += charge;
    list_append(&s->queue, &d->link);
    wake_all(&s->inet.queue, READY_IN);
}

static void drop(struct datagram_socket *s, struct datagram *d)
{
    s->charged -= (size_t)d->p->tot_len + OVERHEAD;
    list_remove(&d->link);
    pbuf_free(d->p);
    kfree(d);
}

void datagrams_free(struct datagram_socket *s)
{
    while (!list_empty(&s->queue))
        drop(s, list_first(&s->queue, struct datagram, link));
}

static void give_controls(struct datagram_socket *s, const struct datagram *d, struct socket_message *m)
{
    const struct inet_socket *i = &s->inet;
    int ttl = d->ttl, tos = d->tos;
    if (IP_IS_V4(&d->to)) {
        if (i->packet_info) {
            struct in_pktinfo info = {.ipi_ifindex = d->interface};
            info.ipi_addr.s_addr = info.ipi_spec_dst.s_addr = ip_2_ip4(&d->to)->addr;
            control_put(m, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info));
        }
        if (i->receive_ttl)
            control_put(m, IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl));
        if (i->receive_tos)
            control_put(m, IPPROTO_IP, IP_TOS, &d->tos, 1);
    }
    if (i->family == AF_INET6) {
        if (i->packet_info6) {
            struct sockaddr_in6 to;
            struct in6_pktinfo info = {.ipi6_ifindex = d->interface};
            address_out(i, &to, &d->to, 0);
            info.ipi6_addr = to.sin6_addr;
            control_put(m, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof(info));
        }
        if (i->receive_ttl && IP_IS_V6(&d->to))
            control_put(m, IPPROTO_IPV6, IPV6_HOPLIMIT, &ttl, sizeof(ttl));
        if (i->receive_tos && IP_IS_V6(&d->to))
            control_put(m, IPPROTO_IPV6, IPV6_TCLASS, &tos, sizeof(tos));
    }
}

static ssize_t give(struct datagram_socket *s, struct datagram *d, struct socket_message *m, int flags)
{
    size_t n = min((size_t)d->p->tot_len, m->io->left), done = 0;
    for (struct pbuf *p = d->p; p && done < n; p = p->next) {
        size_t part = min((size_t)p->len, n - done);
        ssize_t put = part ? io_put(m->io, p->payload, part) : 0;
        if (put < (ssize_t)part)
            return -EFAULT;
        done += part;
    }
    m->flags = n < d->p->tot_len ? MSG_TRUNC : 0;
    if (m->name)
        m->name_length = address_out(&s->inet, m->name, &d->from, d->port);
    give_controls(s, d, m);
    ssize_t result = flags & MSG_TRUNC ? (ssize_t)d->p->tot_len : (ssize_t)n;
    if (!(flags & MSG_PEEK))
        drop(s, d);
    return result;
}

ssize_t datagram_receive(struct file *file, struct socket_message *m)
{
    struct datagram_socket *s = datagram_of(file);
    int flags = m->flags;
    if (flags & MSG_ERRQUEUE)
        return -EAGAIN;
    if (flags & MSG_OOB)
        return -EOPNOTSUPP;
    uint64_t deadline = socket_deadline(s->inet.receive_timeout);
    for (;;) {
        if (s->inet.error)
            return inet_take_error(&s->inet);
        if (!list_empty(&s->queue))
            return give(s, list_first(&s->queue, struct datagram, link), m, flags);
        if (s->inet.shut & SHUT_READ) {
            m->name_length = 0;
            m->flags = 0;
            return 0;
        }
        if (socket_nonblocking(file, flags))
            return -EAGAIN;
        int error = inet_wait(&s->inet, READY_IN | READY_ERROR | READY_READ_HANGUP | READY_HANGUP, deadline);
        if (error)
            return error;
    }
}

void datagram_apply(const struct inet_socket *inet, struct ip_pcb *pcb)
{
    pcb->so_options = (u8_t)(SOF_REUSEADDR | (inet->broadcast ? SOF_BROADCAST : 0));
    pcb->tos = inet->tos;
    pcb->ttl = inet->ttl;
    pcb->netif_idx = inet->interface;
}

unsigned datagram_poll(struct file *file, struct poller *poller)
{
    struct datagram_socket *s = datagram_of(file);
    poll_on(poller, &s->inet.queue);
    unsigned ready = READY_OUT;
    if (!list_empty(&s->queue) || (s->inet.shut & SHUT_READ))
        ready |= READY_IN;
    if (s->inet.shut & SHUT_READ)
        ready |= READY_READ_HANGUP;
    if (s->inet.shut == (SHUT_READ | SHUT_WRITE))
        ready |= READY_HANGUP;
    if (s->inet.error)
        ready |= READY_ERROR;
    return ready;
}

size_t datagram_readable(struct inet_socket *inet)
{
    struct datagram_socket *s = container_of(inet, struct datagram_socket, inet);
    return list_empty(&s->queue) ? 0 : list_first(&s->queue, struct datagram, link)->p->tot_len;
}

int datagram_shutdown(struct file *file, int how)
{
    struct datagram_socket *s = datagram_of(file);
    if (!s->inet.connected)
        return -ENOTCONN;
    s->inet.shut |= (uint8_t)(how + 1);
    wake_all(&s->inet.queue, READY_ALL);
    return 0;
}

int datagram_take(struct io *io, size_t most, pbuf_layer layer, struct pbuf **to)
{
    size_t n = io->left;
    if (n > most)
        return -EMSGSIZE;
    struct pbuf *p = pbuf_alloc(layer, (u16_t)n, PBUF_RAM);
    if (!p)
        return -ENOBUFS;
    if (n && io_take(io, p->payload, n) != (ssize_t)n) {
        pbuf_free(p);
        return -EFAULT;
    }
    *to = p;
    return 0;
}
