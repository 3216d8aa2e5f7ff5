/* controls.c - what a control message of sendmsg(2) sets for one datagram: time to live, type of service,
 * the address and interface to send from; ip(7), ipv6(7), RFC 3542.
 */
#include <asm/socket.h>
#include <linux/ipv6.h>

#include "controls.h"

/* linux/socket.h has them for the kernel alone. */
enum { RIGHTS = 1, CREDENTIALS = 2 };

static int number(const struct control_header *h, int least, int most, int *value)
{
    if (h->length != sizeof(*h) + sizeof(*value))
        return -EINVAL;
    memcpy(value, h + 1, sizeof(*value));
    return *value < least || *value > most ? -EINVAL : 0;
}

static int from_interface(int index, struct datagram_controls *c)
{
    if (!index)
        return 0;
    c->interface = index > 0 && index < 256 ? netif_get_by_index((u8_t)index) : NULL;
    return c->interface ? 0 : -ENODEV;
}

static int packet_info(const struct control_header *h, struct datagram_controls *c)
{
    struct in_pktinfo info;

    if (h->length != sizeof(*h) + sizeof(info))
        return -EINVAL;
    memcpy(&info, h + 1, sizeof(info));
    if (info.ipi_spec_dst.s_addr) {
        ip_addr_set_ip4_u32(&c->source, info.ipi_spec_dst.s_addr);
        c->from = true;
        if (!address_is_own(&c->source))
            return -ENETUNREACH;
    }
    return from_interface(info.ipi_ifindex, c);
}

static int packet_info6(const struct inet_socket *s, const struct control_header *h,
                        struct datagram_controls *c)
{
    struct in6_pktinfo info;
    struct sockaddr_in6 address = {.sin6_family = AF_INET6};
    uint16_t port;

    if (h->length != sizeof(*h) + sizeof(info))
        return -EINVAL;
    memcpy(&info, h + 1, sizeof(info));
    address.sin6_addr = info.ipi6_addr;
    int error = address_in(s, &address, sizeof(address), &c->source, &port);
    if (error)
        return error;
    if (!address_is_any(&c->source)) {
        c->from = true;
        if (!address_is_own(&c->source))
            return -EINVAL;
    }
    return from_interface(info.ipi6_ifindex, c);
}

static int control4(const struct control_header *h, struct datagram_controls *c)
{
    int value = 0;

    switch (h->type) {
    case IP_TTL:
        c->ttl = (uint8_t)(number(h, 1, 255, &value) ? 0 : value);
        return c->ttl ? 0 : -EINVAL;
    case IP_TOS:
        if (h->length == sizeof(*h) + 1)
            value = *(const uint8_t *)(h + 1);
        else if (number(h, 0, 255, &value))
            return -EINVAL;
        c->tos = (uint8_t)value;
        return 0;
    case IP_PKTINFO:
        return packet_info(h, c);
    default:
        return -EINVAL;
    }
}

static int control6(const struct inet_socket *s, const struct control_header *h, struct datagram_controls *c)
{
    int value, error;

    switch (h->type) {
    case IPV6_HOPLIMIT: /* -1: the socket's own */
    case IPV6_TCLASS:
        error = number(h, -1, 255, &value);
        if (!error && value >= 0)
            *(h->type == IPV6_TCLASS ? &c->tos : &c->ttl) = (uint8_t)value;
        return error;
    case IPV6_PKTINFO:
        return packet_info6(s, h, c);
    default:
        return -EINVAL;
    }
}

/* What other levels say is for others, as on Linux; of a socket's own, what only AF_UNIX knows is let pass.
 */
int datagram_controls(const struct inet_socket *s, const struct socket_message *m,
                      struct datagram_controls *c)
{
    const struct control_header *h;
    size_t at = 0;
    int error;

    *c = (struct datagram_controls){.ttl = s->ttl, .tos = s->tos};
    while ((error = control_next(m, &at, &h)) == 0 && h) {
        if (h->level == SOL_SOCKET)
            error = h->type == RIGHTS || h->type == CREDENTIALS || h->type == SO_MARK ? 0 : -EINVAL;
        else if (h->level == IPPROTO_IP && s->family == AF_INET)
            error = control4(h, c);
        else if (h->level == IPPROTO_IPV6 && s->family == AF_INET6)
            error = control6(s, h, c);
        if (error)
            return error;
    }
    return error;
}
