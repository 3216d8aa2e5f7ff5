/* netlink.c - AF_NETLINK sockets with NETLINK_ROUTE (netlink(7), rtnetlink(7)): the questions about
 * interfaces, addresses and routes that getifaddrs(3), getaddrinfo(3) and tools ask. Changing anything is not
 * permitted; no events are sent (nothing changes but what DHCP does).
 *
 * An answer is made when it is asked for, one message a datagram as the kernel's dumps end with NLMSG_DONE,
 * and waits in the socket's queue. */
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "device_abi.h"

#define DATAGRAM_ROOM 8192u
#ifndef SOL_NETLINK
#define SOL_NETLINK 270
#endif

struct reply {
    struct list link;
    unsigned length;
    char data[DATAGRAM_ROOM] __attribute__((aligned(8)));
};

struct netlink_socket {
    struct wait_queue queue;
    struct list replies;
    unsigned waiting;
    uint32_t port;
    int type;
    struct socket_common common;
};

static struct netlink_socket *netlink_of(struct file *f)
{
    return f->data;
}

/* ---- composing */

/* What is being answered: the request's sequence number and the message under construction. */
struct answer {
    struct netlink_socket *socket;
    const struct nlmsghdr *request;
    struct reply *reply;
    struct nlmsghdr *message;
    unsigned flags;
};

static void *put(struct answer *a, unsigned length)
{
    struct reply *r = a->reply;
    if (!r || r->length + NLMSG_ALIGN(length) > DATAGRAM_ROOM)
        return NULL;
    void *at = r->data + r->length;
    memset(at, 0, NLMSG_ALIGN(length));
    r->length += NLMSG_ALIGN(length);
    return at;
}

static void attribute(struct answer *a, unsigned short type, const void *data, size_t n)
{
    struct rtattr *attribute = put(a, (unsigned)RTA_LENGTH(n));
    if (!attribute)
        return;
    attribute->rta_type = type;
    attribute->rta_len = (unsigned short)RTA_LENGTH(n);
    memcpy(RTA_DATA(attribute), data, n);
}

static void attribute_u32(struct answer *a, unsigned short type, uint32_t value)
{
    attribute(a, type, &value, sizeof(value));
}

/* A new datagram when the rest of this one is short. */
static bool begin_datagram(struct answer *a)
{
    if (a->reply && DATAGRAM_ROOM - a->reply->length >= 1024)
        return true;
    a->reply = kzalloc(sizeof(*a->reply));
    if (!a->reply)
        return false;
    list_append(&a->socket->replies, &a->reply->link);
    a->socket->waiting++;
    return true;
}

static void *begin(struct answer *a, unsigned short type, size_t body)
{
    if (!begin_datagram(a))
        return NULL;
    struct nlmsghdr *m = put(a, (unsigned)NLMSG_LENGTH(body));
    if (!m)
        return NULL;
    m->nlmsg_type = type;
    m->nlmsg_flags = (uint16_t)a->flags;
    m->nlmsg_seq = a->request->nlmsg_seq;
    m->nlmsg_pid = a->socket->port;
    a->message = m;
    return NLMSG_DATA(m);
}

static void end(struct answer *a)
{
    a->message->nlmsg_len = (uint32_t)((char *)a->reply->data + a->reply->length - (char *)a->message);
}

/* ---- the three tables */

static void link(struct answer *a, const struct netif *netif)
{
    static const uint8_t all[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, none[6];
    bool loopback = interface_is_loopback(netif);
    const struct interface_counters *c = interface_counters(netif);
    char name[NAME_SIZE];
    struct ifinfomsg *body = begin(a, RTM_NEWLINK, sizeof(*body));
    if (!body)
        return;
    body->ifi_type = loopback ? HARDWARE_LOOPBACK : HARDWARE_ETHERNET;
    body->ifi_index = netif_get_index(netif);
    body->ifi_flags = interface_flags(netif) | (netif_is_up(netif) ? INTERFACE_LOWER_UP : 0);
    interface_name(netif, name);
    attribute(a, IFLA_IFNAME, name, strlen(name) + 1);
    attribute_u32(a, IFLA_TXQLEN, 1000);
    attribute(a, IFLA_OPERSTATE, loopback ? "\0" : "\6", 1);
    attribute_u32(a, IFLA_MTU, interface_mtu(netif));
    attribute(a, IFLA_ADDRESS, loopback ? none : netif->hwaddr, 6);
    attribute(a, IFLA_BROADCAST, loopback ? none : all, 6);
    struct rtnl_link_stats64 wide = {.rx_packets = c->received,
                                     .tx_packets = c->sent,
                                     .rx_bytes = c->received_bytes,
                                     .tx_bytes = c->sent_bytes,
                                     .tx_dropped = c->dropped};
    struct rtnl_link_stats narrow = {.rx_packets = (uint32_t)c->received,
                                     .tx_packets = (uint32_t)c->sent,
                                     .rx_bytes = (uint32_t)c->received_bytes,
                                     .tx_bytes = (uint32_t)c->sent_bytes,
                                     .tx_dropped = (uint32_t)c->dropped};
    attribute(a, IFLA_STATS64, &wide, sizeof(wide));
    attribute(a, IFLA_STATS, &narrow, sizeof(narrow));
    end(a);
}

static void address4(struct answer *a, const struct netif *netif)
{
    char name[NAME_SIZE];
    uint32_t ip = netif_ip4_addr(netif)->addr, broadcast = broadcast_address(netif);
    struct ifaddrmsg *body = ip ? begin(a, RTM_NEWADDR, sizeof(*body)) : NULL;
    if (!body)
        return;
    body->ifa_family = AF_INET;
    body->ifa_prefixlen = (uint8_t)prefix_length(netif);
    body->ifa_flags = IFA_F_PERMANENT;
    body->ifa_scope = interface_is_loopback(netif) ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE;
    body->ifa_index = netif_get_index(netif);
    attribute(a, IFA_ADDRESS, &ip, sizeof(ip));
    attribute(a, IFA_LOCAL, &ip, sizeof(ip));
    if (!interface_is_loopback(netif))
        attribute(a, IFA_BROADCAST, &broadcast, sizeof(broadcast));
    interface_name(netif, name);
    attribute(a, IFA_LABEL, name, strlen(name) + 1);
    attribute_u32(a, IFA_FLAGS, IFA_F_PERMANENT);
    end(a);
}

static void address6(struct answer *a, const struct netif *netif, int i)
{
    uint8_t state = netif_ip6_addr_state(netif, i);
    const ip6_addr_t *ip = netif_ip6_addr(netif, i);
    if (ip6_addr_isinvalid(state) || ip6_addr_isduplicated(state))
        return;
    struct ifaddrmsg *body = begin(a, RTM_NEWADDR, sizeof(*body));
    if (!body)
        return;
    uint32_t flags = ip6_addr_istentative(state) ? IFA_F_TENTATIVE : IFA_F_PERMANENT;
    body->ifa_family = AF_INET6;
    body->ifa_prefixlen = interface_is_loopback(netif) ? 128 : 64;
    body->ifa_flags = (uint8_t)flags;
    body->ifa_scope = ip6_addr_isloopback(ip)    ? RT_SCOPE_HOST
                      : ip6_addr_islinklocal(ip) ? RT_SCOPE_LINK
                                                 : RT_SCOPE_UNIVERSE;
    body->ifa_index = netif_get_index(netif);
    attribute(a, IFA_ADDRESS, ip->addr, 16);
    attribute_u32(a, IFA_FLAGS, flags);
    end(a);
}

static void route4(struct answer *a, const struct netif *netif, bool through_gateway)
{
    uint32_t ip = netif_ip4_addr(netif)->addr, mask = netif_ip4_netmask(netif)->addr;
    uint32_t gateway = netif_ip4_gw(netif)->addr, network = ip & mask;
    if (!ip || (through_gateway && !gateway))
        return;
    struct rtmsg *body = begin(a, RTM_NEWROUTE, sizeof(*body));
    if (!body)
        return;
    body->rtm_family = AF_INET;
    body->rtm_dst_len = through_gateway ? 0 : (uint8_t)prefix_length(netif);
    body->rtm_table = RT_TABLE_MAIN;
    body->rtm_protocol = through_gateway ? RTPROT_DHCP : RTPROT_KERNEL;
    body->rtm_scope = through_gateway ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
    body->rtm_type = RTN_UNICAST;
    attribute_u32(a, RTA_TABLE, RT_TABLE_MAIN);
    if (through_gateway)
        attribute(a, RTA_GATEWAY, &gateway, sizeof(gateway));
    else
        attribute(a, RTA_DST, &network, sizeof(network));
    attribute(a, RTA_PREFSRC, &ip, sizeof(ip));
    attribute_u32(a, RTA_OIF, netif_get_index(netif));
    end(a);
}

/* ---- requests */

static void finish(struct answer *a, int error)
{
    if (error || !(a->flags & NLM_F_MULTI)) {
        a->flags = 0;
        struct nlmsgerr *body = begin(a, NLMSG_ERROR, sizeof(*body));
        if (!body)
            return;
        body->error = error;
        body->msg = *a->request;
    } else {
        int *body = begin(a, NLMSG_DONE, sizeof(*body));
        if (!body)
            return;
    }
    end(a);
}

static int dump(struct answer *a, int family)
{
    struct netif *netif;
    bool four = family == AF_UNSPEC || family == AF_INET, six = family == AF_UNSPEC || family == AF_INET6;
    /* In the order of their numbers; lwIP's list is newest first. */
    for (unsigned index = 1; index < 256; index++) {
        netif = netif_get_by_index((u8_t)index);
        if (!netif)
            continue;
        switch (a->request->nlmsg_type) {
        case RTM_GETLINK:
            link(a, netif);
            break;
        case RTM_GETADDR:
            if (four)
                address4(a, netif);
            for (int i = 0; six && i < LWIP_IPV6_NUM_ADDRESSES; i++)
                address6(a, netif, i);
            break;
        case RTM_GETROUTE:
            if (!four || interface_is_loopback(netif))
                break;
            if (netif == netif_default)
                route4(a, netif, true);
            route4(a, netif, false);
            break;
        case RTM_GETNEIGH:
        case RTM_GETRULE:
            break;
        default:
            return -EOPNOTSUPP;
        }
    }
    return 0;
}

static void serve(struct netlink_socket *s, const struct nlmsghdr *m)
{
    struct answer a = {.socket = s, .request = m};
    uint8_t family = AF_UNSPEC;
    if (m->nlmsg_len > sizeof(*m))
        family = *(const uint8_t *)NLMSG_DATA(m);
    if (m->nlmsg_type < RTM_BASE) /* NLMSG_NOOP and the like */
        return;
    if ((m->nlmsg_type - RTM_BASE) % 4 != 2) { /* not one of the questions: a change */
        finish(&a, -EPERM);
        return;
    }
    if ((m->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP) {
        a.flags = NLM_F_MULTI;
        finish(&a, dump(&a, family));
        return;
    }
    const struct ifinfomsg *about = NLMSG_DATA(m);
    if (m->nlmsg_type == RTM_GETLINK && m->nlmsg_len >= NLMSG_LENGTH(sizeof(*about))) {
        struct netif *netif = about->ifi_index > 0 && about->ifi_index < 256
                                  ? netif_get_by_index((u8_t)about->ifi_index)
                                  : NULL;
        if (netif)
            link(&a, netif);
        if (!netif || (m->nlmsg_flags & NLM_F_ACK))
            finish(&a, netif ? 0 : -ENODEV);
        return;
    }
    finish(&a, -EOPNOTSUPP);
}

static ssize_t netlink_send(struct file *file, struct socket_message *m)
{
    struct netlink_socket *s = netlink_of(file);
    size_t n = m->io->left;
    if (n > DATAGRAM_ROOM)
        return -EMSGSIZE;
    if (s->waiting > 64)
        return -ENOBUFS;
    char *data = kmalloc(max(n, sizeof(struct nlmsghdr)));
    if (!data)
        return -ENOMEM;
    if (io_take(m->io, data, n) != (ssize_t)n) {
        kfree(data);
        return -EFAULT;
    }
    for (size_t at = 0; n - at >= sizeof(struct nlmsghdr);) {
        const struct nlmsghdr *h = (const struct nlmsghdr *)(const void *)(data + at);
        if (h->nlmsg_len < sizeof(*h) || h->nlmsg_len > n - at)
            break;
        serve(s, h);
        size_t step = NLMSG_ALIGN((size_t)h->nlmsg_len);
        if (step >= n - at)
            break;
        at += step;
    }
    kfree(data);
    if (!list_empty(&s->replies))
        wake_all(&s->queue, READY_IN);
    return (ssize_t)n;
}

static ssize_t netlink_receive(struct file *file, struct socket_message *m)
{
    struct netlink_socket *s = netlink_of(file);
    int flags = m->flags;
    uint64_t deadline = socket_deadline(s->common.receive_time);
    while (list_empty(&s->replies)) {
        if (socket_nonblocking(file, flags))
            return -EAGAIN;
        int error = wait_on(&s->queue, READY_IN, deadline);
        if (error)
            return socket_wait_error(error, s->common.receive_time);
    }
    struct reply *r = list_first(&s->replies, struct reply, link);
    size_t n = min((size_t)r->length, m->io->left);
    if (n && io_put(m->io, r->data, n) != (ssize_t)n)
        return -EFAULT;
    m->flags = n < r->length ? MSG_TRUNC : 0;
    if (m->name) {
        struct sockaddr_nl from = {.nl_family = AF_NETLINK};
        memcpy(m->name, &from, sizeof(from));
        m->name_length = sizeof(from);
    }
    ssize_t result = (ssize_t)(flags & MSG_TRUNC ? r->length : n);
    if (!(flags & MSG_PEEK)) {
        list_remove(&r->link);
        s->waiting--;
        kfree(r);
    }
    return result;
}

/* ---- the rest of a socket */

static int netlink_bind(struct file *file, const void *address, unsigned length)
{
    struct netlink_socket *s = netlink_of(file);
    struct sockaddr_nl a;
    if (length < sizeof(a))
        return -EINVAL;
    memcpy(&a, address, sizeof(a));
    if (a.nl_family != AF_NETLINK)
        return -EINVAL;
    if (a.nl_pid)
        s->port = a.nl_pid;
    return 0;
}

static int netlink_connect(struct file *file, const void *address, unsigned length)
{
    (void)file;
    struct sockaddr_nl a;
    if (length < sizeof(a))
        return -EINVAL;
    memcpy(&a, address, sizeof(a));
    return a.nl_pid ? -ECONNREFUSED : 0;
}

static int netlink_name(struct file *file, void *address, unsigned *length, bool peer)
{
    struct sockaddr_nl a = {.nl_family = AF_NETLINK, .nl_pid = peer ? 0 : netlink_of(file)->port};
    memcpy(address, &a, sizeof(a));
    *length = sizeof(a);
    return 0;
}

static int netlink_set_option(struct file *file, int level, int option, const void *value, unsigned length)
{
    if (level == SOL_NETLINK)
        return 0; /* extended acknowledgements, strict checks, groups: nothing to them */
    return socket_common_set(&netlink_of(file)->common, level, option, value, length);
}

static int netlink_get_option(struct file *file, int level, int option, void *value, unsigned *length)
{
    return socket_common_get(&netlink_of(file)->common, level, option, value, length);
}

static unsigned netlink_poll(struct file *file, struct poller *poller)
{
    struct netlink_socket *s = netlink_of(file);
    poll_on(poller, &s->queue);
    return READY_OUT | (list_empty(&s->replies) ? 0 : READY_IN);
}

static void netlink_release(struct file *file)
{
    struct netlink_socket *s = netlink_of(file);
    while (!list_empty(&s->replies)) {
        struct reply *r = list_first(&s->replies, struct reply, link);
        list_remove(&r->link);
        kfree(r);
    }
    kfree(s);
}

static const struct socket_ops netlink_socket_ops = {
    .bind = netlink_bind,
    .connect = netlink_connect,
    .name = netlink_name,
    .send = netlink_send,
    .receive = netlink_receive,
    .set_option = netlink_set_option,
    .get_option = netlink_get_option,
};

static const struct file_ops netlink_file_ops = {
    .read = socket_read,
    .write = socket_write,
    .poll = netlink_poll,
    .stat = inet_stat,
    .release = netlink_release,
    .socket = &netlink_socket_ops,
    .kind = "socket",
};

static int netlink_create(int type, int protocol, struct file **file)
{
    static uint32_t next_port = 1;
    if (type != SOCK_RAW && type != SOCK_DGRAM)
        return -ESOCKTNOSUPPORT;
    if (protocol != NETLINK_ROUTE)
        return -EPROTONOSUPPORT;
    struct netlink_socket *s = kzalloc(sizeof(*s));
    if (!s)
        return -ENOMEM;
    wait_queue_init(&s->queue);
    list_init(&s->replies);
    s->port = next_port++; /* Linux gives the first socket the process's id */
    s->common.family = AF_NETLINK;
    s->common.type = type;
    s->common.protocol = protocol;
    s->common.receive_size = s->common.send_size = 212992;
    *file = file_new(&netlink_file_ops, O_RDWR, s);
    if (!*file) {
        kfree(s);
        return -ENOMEM;
    }
    return 0;
}

SOCKET_FAMILY(netlink) = {.family = AF_NETLINK, .create = netlink_create};
