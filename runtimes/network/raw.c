/* raw.c - raw sockets (raw(7)) and the ICMP echo sockets that ping uses (icmp(7), SOCK_DGRAM with
 * IPPROTO_ICMP).
 *
 * An echo socket's port is the identifier of its requests; it only sees replies to them. */
#include "datagram.h"
#include "entropy.h"
#include "lwip/icmp6.h"
#include "lwip/inet_chksum.h"
#include "lwip/ip.h"
#include "lwip/prot/icmp.h"
#include "lwip/raw.h"

struct raw_socket {
    struct datagram_socket base;
    struct raw_pcb *pcb;
    uint16_t identifier;
};

static struct raw_socket *raw_of(struct inet_socket *inet)
{
    return container_of(inet, struct raw_socket, base.inet);
}

static bool is_echo(const struct raw_socket *s)
{
    return s->base.inet.type == SOCK_DGRAM;
}

/* lwIP hands in the packet from its IP header on, and goes on with it itself: so a copy is queued. */
static u8_t received(void *arg, struct raw_pcb *pcb, struct pbuf *p, const ip_addr_t *from)
{
    (void)pcb;
    struct raw_socket *s = arg;
    u16_t skip = is_echo(s) || ip_current_is_v6() ? ip_current_header_tot_len() : 0;
    if (skip > p->tot_len)
        return 0;
    if (is_echo(s)) {
        struct icmp_echo_hdr h;
        u8_t reply = ip_current_is_v6() ? ICMP6_TYPE_EREP : ICMP_ER;
        if (pbuf_copy_partial(p, &h, sizeof(h), skip) != sizeof(h) || h.type != reply ||
            h.id != s->identifier)
            return 0;
    }
    struct pbuf *copy = pbuf_alloc(PBUF_RAW, (u16_t)(p->tot_len - skip), PBUF_RAM);
    if (!copy)
        return 0;
    pbuf_copy_partial(p, copy->payload, copy->len, skip);
    datagram_arrived(&s->base, copy, from, 0);
    return 0;
}

static int raw_do_bind(struct inet_socket *inet, const ip_addr_t *address, uint16_t port)
{
    struct raw_socket *s = raw_of(inet);
    if (is_echo(s) && port)
        s->identifier = lwip_htons(port);
    return inet_errno(raw_bind(s->pcb, address));
}

static int raw_do_connect(struct inet_socket *inet, const ip_addr_t *address, uint16_t port, bool nonblocking)
{
    (void)port;
    (void)nonblocking;
    if (!address_route(inet, address))
        return -ENETUNREACH;
    int error = inet_errno(raw_connect(raw_of(inet)->pcb, address));
    inet->connected = !error;
    return error;
}

static int raw_do_disconnect(struct inet_socket *inet)
{
    raw_disconnect(raw_of(inet)->pcb);
    inet->connected = false;
    return 0;
}

static void raw_names(struct inet_socket *inet, ip_addr_t *local, uint16_t *local_port, ip_addr_t *peer,
                      uint16_t *peer_port)
{
    struct raw_socket *s = raw_of(inet);
    *local = s->pcb->local_ip;
    *local_port = is_echo(s) ? lwip_ntohs(s->identifier) : inet->protocol;
    *peer = s->pcb->remote_ip;
    *peer_port = 0;
}

static void raw_apply(struct inet_socket *inet)
{
    struct raw_pcb *pcb = raw_of(inet)->pcb;
    datagram_apply(inet, (struct ip_pcb *)pcb);
    pcb->mcast_ttl = inet->multicast_ttl;
    pcb->mcast_ifindex = inet->multicast_interface;
}

static int mark_echo(struct raw_socket *s, struct pbuf *p)
{
    struct icmp_echo_hdr *h = p->payload;
    u8_t request = s->base.inet.family == AF_INET6 ? ICMP6_TYPE_EREQ : ICMP_ECHO;
    if (p->len < sizeof(*h) || h->type != request || h->code != 0)
        return -EINVAL;
    h->id = s->identifier;
    h->chksum = 0;
    if (s->base.inet.family == AF_INET) /* ICMPv6's covers addresses: lwIP sums it */
        h->chksum = inet_chksum(p->payload, p->len);
    return 0;
}

static ssize_t raw_send_message(struct file *file, struct socket_message *m)
{
    struct inet_socket *inet = inet_of(file);
    struct raw_socket *s = raw_of(inet);
    ip_addr_t to = s->pcb->remote_ip;
    uint16_t port;
    if (inet->error)
        return inet_take_error(inet);
    if (inet->shut & SHUT_WRITE)
        return -EPIPE;
    if (m->name && m->name_length) {
        int error = address_in(inet, m->name, m->name_length, &to, &port);
        if (error)
            return error;
    } else if (!inet->connected) {
        return -EDESTADDRREQ;
    }
    int error = ip_addr_isloopback(&to) ? 0 : network_wait_configured();
    if (error)
        return error;
    struct netif *netif = address_route(inet, &to);
    if (!netif)
        return -ENETUNREACH;
    if (!inet->broadcast && ip_addr_isbroadcast(&to, netif))
        return -EACCES;
    struct pbuf *p;
    size_t size = m->io->left;
    error = datagram_take(m->io, 65515, PBUF_IP, &p);
    if (!error && is_echo(s)) {
        error = mark_echo(s, p);
        if (error)
            pbuf_free(p);
    }
    if (error)
        return error;
    err_t result = raw_sendto(s->pcb, p, &to);
    pbuf_free(p);
    network_settle();
    return result == ERR_OK || result == ERR_BUF || result == ERR_MEM ? (ssize_t)size : inet_errno(result);
}

static void raw_release(struct file *file)
{
    struct raw_socket *s = raw_of(inet_of(file));
    memberships_leave(&s->base.inet);
    raw_remove(s->pcb);
    datagrams_free(&s->base);
    kfree(s);
}

static const struct inet_protocol raw_protocol = {
    .bind = raw_do_bind,
    .connect = raw_do_connect,
    .disconnect = raw_do_disconnect,
    .names = raw_names,
    .apply = raw_apply,
    .readable = datagram_readable,
    .level = IPPROTO_RAW,
};

static const struct socket_ops raw_socket_ops = {DATAGRAM_SOCKET_OPS, .send = raw_send_message};
static const struct file_ops raw_file_ops = {DATAGRAM_FILE_OPS, .release = raw_release,
                                             .socket = &raw_socket_ops};

int raw_create(int family, int type, int protocol, struct file **file)
{
    struct raw_socket *s = kzalloc(sizeof(*s));
    if (!s)
        return -ENOMEM;
    inet_init(&s->base.inet, &raw_protocol, family, type, protocol);
    list_init(&s->base.queue);
    s->pcb = raw_new_ip_type(family == AF_INET ? IPADDR_TYPE_V4 : IPADDR_TYPE_V6, (u8_t)protocol);
    *file = s->pcb ? inet_file(&s->base.inet, &raw_file_ops, 0) : NULL;
    if (!*file) {
        if (s->pcb)
            raw_remove(s->pcb);
        kfree(s);
        return -ENOMEM;
    }
    s->identifier = (uint16_t)random_u64();
    raw_recv(s->pcb, received, s);
    raw_apply(&s->base.inet);
    if (family == AF_INET6 && protocol == IPPROTO_ICMPV6) {
        s->pcb->chksum_reqd = 1;
        s->pcb->chksum_offset = 2;
    }
    return 0;
}
