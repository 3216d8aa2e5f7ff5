/* udp.c - UDP (udp(7)) and UDP-Lite (udplite(7), RFC 3828) sockets over lwIP's raw API. Their ports are one
 * space here. */
#include "controls.h"
#include "datagram.h"
#include "lwip/ip.h"
#include "lwip/udp.h"

enum { UDPLITE_SEND_CSCOV = 10, UDPLITE_RECV_CSCOV = 11 }; /* linux/udp.h has them for the kernel alone */

struct udp_socket {
    struct datagram_socket base;
    struct udp_pcb *pcb;
    struct list all; /* in udp_sockets */
    bool wildcard;   /* connect() chose the local address */
};

static struct list udp_sockets = LIST_INIT(udp_sockets);

static struct udp_socket *udp_of(struct inet_socket *inet)
{
    return container_of(inet, struct udp_socket, base.inet);
}

/* lwIP tells the two protocols' packets apart by their ports alone. */
static uint8_t protocol_of(const struct udp_pcb *pcb)
{
    return pcb->flags & UDP_FLAGS_UDPLITE ? IPPROTO_UDPLITE : IPPROTO_UDP;
}

static void received(void *arg, struct udp_pcb *pcb, struct pbuf *p, const ip_addr_t *from, u16_t port)
{
    if (ip_current_is_v6() || IPH_PROTO(ip4_current_header()) == protocol_of(pcb))
        datagram_arrived(arg, p, from, port);
    else
        pbuf_free(p);
}

bool udp_is_socket(const struct udp_pcb *pcb)
{
    return pcb->recv == received;
}

/* Two sockets on one port: if both said SO_REUSEADDR or both SO_REUSEPORT. */
static bool taken(const struct inet_socket *inet, const ip_addr_t *address, uint16_t port)
{
    list_for_each (l, &udp_sockets) {
        const struct udp_socket *other = list_entry(l, struct udp_socket, all);
        const struct inet_socket *o = &other->base.inet;
        if (o == inet || other->pcb->local_port != port || !addresses_overlap(&other->pcb->local_ip, address))
            continue;
        if (!(inet->reuse_address && o->reuse_address) && !(inet->reuse_port && o->reuse_port))
            return true;
    }
    return false;
}

static bool used(const struct inet_socket *inet, const ip_addr_t *address, uint16_t port)
{
    (void)address;
    list_for_each (l, &udp_sockets) {
        const struct udp_socket *other = list_entry(l, struct udp_socket, all);
        if (&other->base.inet != inet && other->pcb->local_port == port)
            return true;
    }
    return false;
}

static int bind_random(struct udp_socket *s, const ip_addr_t *address)
{
    uint16_t port = port_random(&s->base.inet, address, used);
    return port ? inet_errno(udp_bind(s->pcb, address, port)) : -EADDRINUSE;
}

static int udp_do_bind(struct inet_socket *inet, const ip_addr_t *address, uint16_t port)
{
    struct udp_socket *s = udp_of(inet);
    if (s->pcb->local_port)
        return -EINVAL;
    if (port == 0)
        return bind_random(s, address);
    if (taken(inet, address, port))
        return -EADDRINUSE;
    int error = inet_errno(udp_bind(s->pcb, address, port));
    if (!error && !inet->connected)
        port_announce(port, "udp");
    return error;
}

static int udp_do_connect(struct inet_socket *inet, const ip_addr_t *address, uint16_t port, bool nonblocking)
{
    (void)nonblocking;
    struct udp_socket *s = udp_of(inet);
    struct netif *netif = address_route(inet, address);
    if (!netif)
        return -ENETUNREACH;
    if (!inet->broadcast && ip_addr_isbroadcast(address, netif))
        return -EACCES;
    if (!s->pcb->local_port) {
        int error = bind_random(s, address_wildcard(inet));
        if (error)
            return error;
    }
    if (s->wildcard || address_is_any(&s->pcb->local_ip)) {
        const ip_addr_t *local = ip_netif_get_local_ip(netif, address);
        if (!local)
            return -ENETUNREACH;
        s->wildcard = true;
        s->pcb->local_ip = *local;
    }
    int error = inet_errno(udp_connect(s->pcb, address, port));
    if (!error) {
        inet->connected = true;
        inet->error = 0;
    }
    return error;
}

static int udp_do_disconnect(struct inet_socket *inet)
{
    struct udp_socket *s = udp_of(inet);
    udp_disconnect(s->pcb);
    if (s->wildcard)
        s->pcb->local_ip = *address_wildcard(inet);
    s->wildcard = inet->connected = false;
    return 0;
}

static void udp_names(struct inet_socket *inet, ip_addr_t *local, uint16_t *local_port, ip_addr_t *peer,
                      uint16_t *peer_port)
{
    struct udp_socket *s = udp_of(inet);
    if (s->pcb->local_port) {
        *local = s->pcb->local_ip;
        *local_port = s->pcb->local_port;
    }
    *peer = s->pcb->remote_ip;
    *peer_port = s->pcb->remote_port;
}

static void udp_apply(struct inet_socket *inet)
{
    struct udp_pcb *pcb = udp_of(inet)->pcb;
    datagram_apply(inet, (struct ip_pcb *)pcb);
    pcb->mcast_ttl = inet->multicast_ttl;
    pcb->mcast_ifindex = inet->multicast_interface;
    pcb->mcast_ip4.addr = inet->multicast_interface ? 0 : inet->multicast_address;
    pcb->flags = (u8_t)(inet->multicast_loop ? pcb->flags | UDP_FLAGS_MULTICAST_LOOP
                                             : pcb->flags & ~UDP_FLAGS_MULTICAST_LOOP);
}

/* One packet with what its control messages say, which the socket's own settings stand in for. */
static err_t send_packet(struct udp_socket *s, struct pbuf *p, const ip_addr_t *to, uint16_t port,
                         struct netif *netif, const struct datagram_controls *c)
{
    err_t result;
    s->pcb->ttl = c->ttl;
    s->pcb->tos = c->tos;
    if (c->from)
        result = udp_sendto_if_src(s->pcb, p, to, port, netif, &c->source);
    else if (c->interface)
        result = udp_sendto_if(s->pcb, p, to, port, netif);
    else
        result = udp_sendto(s->pcb, p, to, port);
    udp_apply(&s->base.inet);
    return result;
}

static int send_to(struct udp_socket *s, const struct socket_message *m, const ip_addr_t *to, uint16_t port)
{
    struct inet_socket *inet = &s->base.inet;
    struct io *io = m->io;
    struct datagram_controls controls;
    if (!port)
        return -EINVAL;
    if (!ip_addr_isloopback(to)) {
        int error = network_wait_configured();
        if (error)
            return error;
    }
    int error = datagram_controls(inet, m, &controls);
    if (error)
        return error;
    struct netif *netif = controls.interface ? controls.interface : address_route(inet, to);
    if (!netif)
        return -ENETUNREACH;
    if (!inet->broadcast && ip_addr_isbroadcast(to, netif))
        return -EACCES;
    if (!s->pcb->local_port) {
        error = bind_random(s, &s->pcb->local_ip);
        if (error)
            return error;
    }
    struct pbuf *p;
    size_t size = io->left;
    error = datagram_take(io, IP_IS_V6(to) ? 65527 : 65507, PBUF_TRANSPORT, &p);
    if (error)
        return error;
    err_t result = send_packet(s, p, to, port, netif, &controls);
    pbuf_free(p);
    network_settle();
    /* A full device queue loses the packet, as a full queue on the way would. */
    return result == ERR_OK || result == ERR_BUF || result == ERR_MEM ? (int)size : inet_errno(result);
}

static ssize_t udp_send_message(struct file *file, struct socket_message *m)
{
    struct inet_socket *inet = inet_of(file);
    struct udp_socket *s = udp_of(inet);
    if (inet->error)
        return inet_take_error(inet);
    if (inet->shut & SHUT_WRITE)
        return -EPIPE;
    if (m->flags & MSG_OOB)
        return -EOPNOTSUPP;
    ip_addr_t to;
    uint16_t port;
    if (m->name && m->name_length) {
        int error = address_in(inet, m->name, m->name_length, &to, &port);
        if (error)
            return error;
        if (address_is_any(&to))
            ip_addr_set_loopback(IP_IS_V6(&to), &to);
    } else {
        if (!inet->connected)
            return -EDESTADDRREQ;
        to = s->pcb->remote_ip;
        port = s->pcb->remote_port;
    }
    return send_to(s, m, &to, port);
}

static void udp_release(struct file *file)
{
    struct udp_socket *s = udp_of(inet_of(file));
    memberships_leave(&s->base.inet);
    list_remove(&s->all);
    udp_remove(s->pcb);
    datagrams_free(&s->base);
    kfree(s);
    network_settle();
}

static int udp_set_option(struct inet_socket *inet, int option, int value)
{
    (void)inet;
    (void)option;
    (void)value;
    return -ENOPROTOOPT;
}

/* The checksum's coverage: 0 is all; less than the header is as the header (lwIP does the same). */
static u16_t *coverage(struct udp_pcb *pcb, int option)
{
    switch (option) {
    case UDPLITE_SEND_CSCOV:
        return &pcb->chksum_len_tx;
    case UDPLITE_RECV_CSCOV:
        return &pcb->chksum_len_rx;
    default:
        return NULL;
    }
}

static int lite_set_option(struct inet_socket *inet, int option, int value)
{
    u16_t *length = coverage(udp_of(inet)->pcb, option);
    if (!length)
        return -ENOPROTOOPT;
    *length = (u16_t)(value <= 0 ? 0 : max(min(value, 65535), 8));
    return 0;
}

static int lite_get_option(struct inet_socket *inet, int option, void *value, unsigned *length)
{
    const u16_t *set = coverage(udp_of(inet)->pcb, option);
    int n = set ? *set : 0;
    return set ? option_give(value, length, &n, sizeof(n)) : -ENOPROTOOPT;
}

#define BOTH                                                                                                 \
    .bind = udp_do_bind, .connect = udp_do_connect, .disconnect = udp_do_disconnect, .names = udp_names,     \
    .apply = udp_apply, .readable = datagram_readable

static const struct inet_protocol udp_protocol = {
    BOTH,
    .set_option = udp_set_option,
    .level = IPPROTO_UDP,
};
static const struct inet_protocol lite_protocol = {
    BOTH,
    .set_option = lite_set_option,
    .get_option = lite_get_option,
    .level = IPPROTO_UDPLITE,
};

static const struct socket_ops udp_socket_ops = {DATAGRAM_SOCKET_OPS, .send = udp_send_message};
static const struct file_ops udp_file_ops = {DATAGRAM_FILE_OPS, .release = udp_release,
                                             .socket = &udp_socket_ops};

int udp_create(int family, int protocol, struct file **file)
{
    bool lite = protocol == IPPROTO_UDPLITE;
    struct udp_socket *s = kzalloc(sizeof(*s));
    if (!s)
        return -ENOMEM;
    inet_init(&s->base.inet, lite ? &lite_protocol : &udp_protocol, family, SOCK_DGRAM,
              lite ? IPPROTO_UDPLITE : IPPROTO_UDP);
    list_init(&s->base.queue);
    s->pcb = udp_new_ip_type(family == AF_INET ? IPADDR_TYPE_V4 : IPADDR_TYPE_ANY);
    *file = s->pcb ? inet_file(&s->base.inet, &udp_file_ops, 0) : NULL;
    if (!*file) {
        if (s->pcb)
            udp_remove(s->pcb);
        kfree(s);
        return -ENOMEM;
    }
    if (lite)
        udp_setflags(s->pcb, UDP_FLAGS_UDPLITE);
    list_append(&udp_sockets, &s->all);
    udp_recv(s->pcb, received, &s->base);
    udp_apply(&s->base.inet);
    return 0;
}

void udp_unreachable(const ip_addr_t *local, uint16_t local_port, const ip_addr_t *peer, uint16_t peer_port,
                     int error)
{
    list_for_each (l, &udp_sockets) {
        struct udp_socket *s = list_entry(l, struct udp_socket, all);
        struct inet_socket *inet = &s->base.inet;
        if (s->pcb->local_port != local_port || !addresses_overlap(&s->pcb->local_ip, local))
            continue;
        if (inet->connected ? s->pcb->remote_port != peer_port || !ip_addr_cmp(&s->pcb->remote_ip, peer)
                            : !(IP_IS_V6(peer) ? inet->receive_errors6 : inet->receive_errors))
            continue;
        inet->error = error;
        wake_all(&inet->queue, READY_ERROR | READY_IN | READY_OUT);
        return;
    }
}
