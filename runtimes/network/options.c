/* options.c - socket options of the levels SOL_SOCKET (socket(7)), IPPROTO_IP (ip(7)) and IPPROTO_IPV6
 * (ipv6(7)).
 *
 * An option that has no meaning here but no effect on correctness either (SO_PRIORITY, SO_BUSY_POLL ...) is
 * taken and remembered, as by a Linux without special hardware; one that would change what the program sees
 * is refused with ENOPROTOOPT. */
#include <asm/socket.h>

#include "inet.h"

#define BUFFER_LIMIT 4194304u /* as a Linux server has net.core.[rw]mem_max */
#define BUFFER_MIN   4608u
#define NS_SECOND    1000000000ULL

struct time_value {
    int64_t seconds, microseconds;
};

int option_number(const void *value, unsigned length, int *number)
{
    if (length >= sizeof(int)) {
        memcpy(number, value, sizeof(int));
        return 0;
    }
    if (length == 0)
        return -EINVAL;
    *number = *(const uint8_t *)value; /* ip(7): a byte will do */
    return 0;
}

int option_give(void *value, unsigned *length, const void *what, unsigned size)
{
    *length = min(*length, size);
    memcpy(value, what, *length);
    return 0;
}

static int give_number(void *value, unsigned *length, int number)
{
    return option_give(value, length, &number, sizeof(number));
}

static int set_timeout(uint64_t *to, const void *value, unsigned length)
{
    struct time_value t;
    if (length < sizeof(t))
        return -EINVAL;
    memcpy(&t, value, sizeof(t));
    if (t.microseconds < 0 || t.microseconds >= 1000000)
        return -EDOM;
    if (t.seconds < 0 || t.seconds > 1000000000) /* socket(7): none */
        *to = 0;
    else
        *to = (uint64_t)t.seconds * NS_SECOND + (uint64_t)t.microseconds * 1000;
    return 0;
}

static int give_timeout(void *value, unsigned *length, uint64_t timeout)
{
    struct time_value t = {(int64_t)(timeout / NS_SECOND), (int64_t)(timeout % NS_SECOND / 1000)};
    return option_give(value, length, &t, sizeof(t));
}

static int bind_to_device(struct inet_socket *s, const void *value, unsigned length)
{
    char name[16] = "";
    memcpy(name, value, min(length, (unsigned)sizeof(name) - 1));
    if (!name[0]) {
        s->interface = NETIF_NO_INDEX;
        return 0;
    }
    struct netif *netif = interface_by_name(name);
    if (!netif)
        return -ENODEV;
    s->interface = netif_get_index(netif);
    return 0;
}

static int set_socket(struct inet_socket *s, int option, const void *value, unsigned length)
{
    int n = 0;
    struct {
        int on, seconds;
    } linger;
    switch (option) {
    case SO_RCVTIMEO_OLD:
    case SO_RCVTIMEO_NEW:
        return set_timeout(&s->receive_timeout, value, length);
    case SO_SNDTIMEO_OLD:
    case SO_SNDTIMEO_NEW:
        return set_timeout(&s->send_timeout, value, length);
    case SO_LINGER:
        if (length < sizeof(linger))
            return -EINVAL;
        memcpy(&linger, value, sizeof(linger));
        s->linger = linger.on ? max(linger.seconds, 0) : -1;
        return 0;
    case SO_BINDTODEVICE:
        return bind_to_device(s, value, length);
    default:
        break;
    }
    if (length < sizeof(int))
        return -EINVAL;
    memcpy(&n, value, sizeof(n));
    switch (option) {
    case SO_REUSEADDR:
        s->reuse_address = n;
        return 0;
    case SO_REUSEPORT:
        s->reuse_port = n;
        return 0;
    case SO_KEEPALIVE:
        s->keep_alive = n;
        return 0;
    case SO_BROADCAST:
        s->broadcast = n;
        return 0;
    case SO_SNDBUF:
    case SO_SNDBUFFORCE: /* Linux doubles the value, for its own bookkeeping, and says so */
        s->send_buffer = max(2 * min((unsigned)max(n, 0), BUFFER_LIMIT), BUFFER_MIN);
        s->send_buffer_set = true;
        return 0;
    case SO_RCVBUF:
    case SO_RCVBUFFORCE:
        s->receive_buffer = max(2 * min((unsigned)max(n, 0), BUFFER_LIMIT), BUFFER_MIN / 2);
        s->receive_buffer_set = true;
        return 0;
    case SO_PRIORITY:
        s->priority = n;
        return 0;
    case SO_MARK:
        s->mark = n;
        return 0;
    case SO_OOBINLINE: /* urgent data is in line always */
    case SO_DONTROUTE:
    case SO_RCVLOWAT:
    case SO_BUSY_POLL:
    case SO_INCOMING_CPU:
    case SO_PREFER_BUSY_POLL:
    case SO_NO_CHECK:
        return 0;
    case SO_TYPE:
    case SO_PROTOCOL:
    case SO_DOMAIN:
    case SO_ERROR:
        return -ENOPROTOOPT;
    default:
        return -ENOPROTOOPT;
    }
}

static int get_socket(struct inet_socket *s, int option, void *value, unsigned *length)
{
    struct {
        int on, seconds;
    } linger;
    char name[16];
    switch (option) {
    case SO_TYPE:
        return give_number(value, length, s->type);
    case SO_DOMAIN:
        return give_number(value, length, s->family);
    case SO_PROTOCOL:
        return give_number(value, length, s->protocol);
    case SO_ERROR:
        return give_number(value, length, -inet_take_error(s));
    case SO_ACCEPTCONN:
        return give_number(value, length, 0);
    case SO_REUSEADDR:
        return give_number(value, length, s->reuse_address);
    case SO_REUSEPORT:
        return give_number(value, length, s->reuse_port);
    case SO_KEEPALIVE:
        return give_number(value, length, s->keep_alive);
    case SO_BROADCAST:
        return give_number(value, length, s->broadcast);
    case SO_SNDBUF:
        return give_number(value, length, (int)s->send_buffer);
    case SO_RCVBUF:
        return give_number(value, length, (int)s->receive_buffer);
    case SO_PRIORITY:
        return give_number(value, length, s->priority);
    case SO_MARK:
        return give_number(value, length, s->mark);
    case SO_RCVLOWAT:
    case SO_SNDLOWAT:
        return give_number(value, length, 1);
    case SO_OOBINLINE:
    case SO_DONTROUTE:
    case SO_BUSY_POLL:
    case SO_NO_CHECK:
    case SO_TIMESTAMP_OLD:
        return give_number(value, length, 0);
    case SO_INCOMING_CPU:
        return give_number(value, length, 0);
    case SO_RCVTIMEO_OLD:
    case SO_RCVTIMEO_NEW:
        return give_timeout(value, length, s->receive_timeout);
    case SO_SNDTIMEO_OLD:
    case SO_SNDTIMEO_NEW:
        return give_timeout(value, length, s->send_timeout);
    case SO_LINGER:
        linger.on = s->linger >= 0;
        linger.seconds = max(s->linger, 0);
        return option_give(value, length, &linger, sizeof(linger));
    case SO_BINDTODEVICE:
        if (!s->interface) {
            *length = 0;
            return 0;
        }
        interface_name(netif_get_by_index(s->interface), name);
        return option_give(value, length, name, (unsigned)strlen(name) + 1);
    default:
        return -ENOPROTOOPT;
    }
}

/* Options that are a flag or a number in struct inet_socket. */
struct plain_option {
    int level, option;
    enum { FLAG, BYTE } kind;
    size_t at;
    int least, most;
};

#define AT(member) offsetof(struct inet_socket, member)
static const struct plain_option plain[] = {
    {IPPROTO_IP, IP_TOS, BYTE, AT(tos), 0, 255},
    {IPPROTO_IP, IP_TTL, BYTE, AT(ttl), 1, 255},
    {IPPROTO_IP, IP_RECVERR, FLAG, AT(receive_errors), 0, 0},
    {IPPROTO_IP, IP_PKTINFO, FLAG, AT(packet_info), 0, 0},
    {IPPROTO_IP, IP_RECVTTL, FLAG, AT(receive_ttl), 0, 0},
    {IPPROTO_IP, IP_RECVTOS, FLAG, AT(receive_tos), 0, 0},
    {IPPROTO_IP, IP_MULTICAST_TTL, BYTE, AT(multicast_ttl), 0, 255},
    {IPPROTO_IP, IP_MULTICAST_LOOP, FLAG, AT(multicast_loop), 0, 0},
    {IPPROTO_IPV6, IPV6_RECVERR, FLAG, AT(receive_errors6), 0, 0},
    {IPPROTO_IPV6, IPV6_RECVPKTINFO, FLAG, AT(packet_info6), 0, 0},
    {IPPROTO_IPV6, IPV6_RECVHOPLIMIT, FLAG, AT(receive_ttl), 0, 0},
    {IPPROTO_IPV6, IPV6_RECVTCLASS, FLAG, AT(receive_tos), 0, 0},
    {IPPROTO_IPV6, IPV6_TCLASS, BYTE, AT(tos), 0, 255},
    {IPPROTO_IPV6, IPV6_UNICAST_HOPS, BYTE, AT(ttl), 1, 255},
    {IPPROTO_IPV6, IPV6_MULTICAST_HOPS, BYTE, AT(multicast_ttl), 0, 255},
    {IPPROTO_IPV6, IPV6_MULTICAST_LOOP, FLAG, AT(multicast_loop), 0, 0},
};

static const struct plain_option *find_plain(int level, int option)
{
    for (unsigned i = 0; i < array_size(plain); i++)
        if (plain[i].level == level && plain[i].option == option)
            return &plain[i];
    return NULL;
}

static int set_plain(struct inet_socket *s, const struct plain_option *o, int n)
{
    if (o->kind == FLAG) {
        *(bool *)((char *)s + o->at) = n;
        return 0;
    }
    if (n == -1) /* back to the default */
        n = o->at == AT(ttl) ? IP_DEFAULT_TTL : o->at == AT(multicast_ttl) ? 1 : 0;
    if (n < o->least || n > o->most)
        return -EINVAL;
    *((uint8_t *)s + o->at) = (uint8_t)n;
    return 0;
}

static int set_ip(struct inet_socket *s, int level, int option, const void *value, unsigned length)
{
    int n, error = membership_option(s, level, option, value, length);
    if (error != -ENOPROTOOPT)
        return error;
    error = option_number(value, length, &n);
    if (error)
        return error;
    const struct plain_option *o = find_plain(level, option);
    if (o)
        return set_plain(s, o, n);
    if (level == IPPROTO_IPV6 && option == IPV6_V6ONLY) {
        ip_addr_t local = {0}, peer;
        uint16_t port = 0, peer_port;
        s->ops->names(s, &local, &port, &peer, &peer_port);
        if (port)
            return -EINVAL;
        s->only6 = n;
        return 0;
    }
    if (level == IPPROTO_IP && (option == IP_MTU_DISCOVER || option == IP_FREEBIND ||
                                option == IP_BIND_ADDRESS_NO_PORT || option == IP_MULTICAST_ALL))
        return 0;
    if (level == IPPROTO_IPV6 && (option == IPV6_MTU_DISCOVER || option == IPV6_ADDR_PREFERENCES ||
                                  option == IPV6_DONTFRAG || option == IPV6_MULTICAST_ALL))
        return 0;
    return -ENOPROTOOPT;
}

static int get_ip(struct inet_socket *s, int level, int option, void *value, unsigned *length)
{
    const struct plain_option *o = find_plain(level, option);
    if (o)
        return give_number(value, length,
                           o->kind == FLAG ? *(bool *)((char *)s + o->at) : *((uint8_t *)s + o->at));
    ip_addr_t local = {0}, peer = {0};
    uint16_t port, peer_port;
    struct netif *netif;
    switch (level == IPPROTO_IP ? option : option + 1000) {
    case IPV6_V6ONLY + 1000:
        return give_number(value, length, s->only6);
    case IP_MTU_DISCOVER:
    case IP_FREEBIND:
    case IPV6_MTU_DISCOVER + 1000:
        return give_number(value, length, 0);
    case IP_MULTICAST_IF:
        return option_give(value, length, &s->multicast_address, 4);
    case IPV6_MULTICAST_IF + 1000:
        return give_number(value, length, s->multicast_interface);
    case IP_OPTIONS:
        *length = 0;
        return 0;
    case IP_MTU:
    case IPV6_MTU + 1000:
        s->ops->names(s, &local, &port, &peer, &peer_port);
        netif = s->connected ? address_route(s, &peer) : NULL;
        if (!netif)
            return -ENOTCONN;
        return give_number(value, length, netif->mtu ? netif->mtu : 65536);
    default:
        return -ENOPROTOOPT;
    }
}

int inet_set_option(struct file *file, int level, int option, const void *value, unsigned length)
{
    struct inet_socket *s = inet_of(file);
    int error = -ENOPROTOOPT, n;
    if (level == SOL_SOCKET) {
        error = set_socket(s, option, value, length);
    } else if (level == IPPROTO_IP || (level == IPPROTO_IPV6 && s->family == AF_INET6)) {
        error = set_ip(s, level, option, value, length);
    } else if (level == s->ops->level && s->ops->set_option) {
        error = option_number(value, length, &n);
        if (!error)
            error = s->ops->set_option(s, option, n);
    }
    if (!error) {
        s->ops->apply(s);
        network_settle();
    }
    return error;
}

int inet_get_option(struct file *file, int level, int option, void *value, unsigned *length)
{
    struct inet_socket *s = inet_of(file);
    if (level == s->ops->level && s->ops->get_option)
        return s->ops->get_option(s, option, value, length);
    if (level == SOL_SOCKET && option == SO_ACCEPTCONN && s->ops->get_option)
        return s->ops->get_option(s, -SO_ACCEPTCONN, value, length);
    if (level == SOL_SOCKET)
        return get_socket(s, option, value, length);
    if (level == IPPROTO_IP || (level == IPPROTO_IPV6 && s->family == AF_INET6))
        return get_ip(s, level, option, value, length);
    return -ENOPROTOOPT;
}
