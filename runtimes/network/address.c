/* address.c - socket addresses (ip(7), ipv6(7)) to lwIP's and back.
 *
 * An AF_INET6 socket talks IPv4 as well, with IPv4-mapped addresses (::ffff:a.b.c.d): lwIP then sees plain
 * IPv4. */
#include "inet.h"
#include "lwip/ip.h"
#include "lwip/ip6.h"
#include "lwip/priv/nd6_priv.h"

static bool is_mapped(const ip6_addr_t *a)
{
    return a->addr[0] == 0 && a->addr[1] == 0 && a->addr[2] == PP_HTONL(0xffff);
}

int address_in(const struct inet_socket *s, const void *from, unsigned length, ip_addr_t *address,
               uint16_t *port)
{
    uint16_t family;
    if (length < sizeof(family))
        return -EINVAL;
    memcpy(&family, from, sizeof(family));
    if (s->family == AF_INET) {
        struct sockaddr_in in;
        if (length < sizeof(in))
            return -EINVAL;
        memcpy(&in, from, sizeof(in));
        /* Linux takes AF_UNSPEC for the any address. */
        if (family != AF_INET && !(family == AF_UNSPEC && in.sin_addr.s_addr == 0))
            return -EAFNOSUPPORT;
        ip_addr_set_ip4_u32(address, in.sin_addr.s_addr);
        *port = lwip_ntohs(in.sin_port);
        return 0;
    }
    struct sockaddr_in6 in6 = {0};
    if (family != AF_INET6)
        return -EAFNOSUPPORT;
    if (length < offsetof(struct sockaddr_in6, sin6_scope_id))
        return -EINVAL;
    memcpy(&in6, from, min(length, (unsigned)sizeof(in6)));
    *port = lwip_ntohs(in6.sin6_port);
    ip6_addr_t raw;
    memcpy(raw.addr, &in6.sin6_addr, sizeof(raw.addr));
    ip6_addr_clear_zone(&raw);
    if (is_mapped(&raw)) {
        if (s->only6)
            return -ENETUNREACH;
        ip_addr_set_ip4_u32(address, raw.addr[3]);
        return 0;
    }
    ip_addr_copy_from_ip6(*address, raw);
    if (ip6_addr_has_scope(ip_2_ip6(address), IP6_UNKNOWN)) {
        if (in6.sin6_scope_id > 255)
            return -EINVAL;
        ip6_addr_set_zone(ip_2_ip6(address), (u8_t)in6.sin6_scope_id);
    }
    return 0;
}

unsigned address_out(const struct inet_socket *s, void *to, const ip_addr_t *address, uint16_t port)
{
    if (s->family == AF_INET) {
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = lwip_htons(port)};
        in.sin_addr.s_addr = IP_IS_V4(address) ? ip_2_ip4(address)->addr : 0;
        memcpy(to, &in, sizeof(in));
        return sizeof(in);
    }
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = lwip_htons(port)};
    if (IP_IS_V6(address)) {
        memcpy(&in6.sin6_addr, ip_2_ip6(address)->addr, 16);
        in6.sin6_scope_id = ip6_addr_zone(ip_2_ip6(address));
    } else if (IP_GET_TYPE(address) == IPADDR_TYPE_V4) {
        ip6_addr_t mapped;
        ip4_2_ipv4_mapped_ipv6(&mapped, ip_2_ip4(address));
        memcpy(&in6.sin6_addr, mapped.addr, 16);
    } /* IPADDR_TYPE_ANY: :: */
    memcpy(to, &in6, sizeof(in6));
    return sizeof(in6);
}

bool address_is_any(const ip_addr_t *address)
{
    return IP_IS_ANY_TYPE_VAL(*address) || ip_addr_isany(address);
}

bool address_is_own(const ip_addr_t *address)
{
    if (address_is_any(address) || ip_addr_ismulticast(address))
        return true;
    if (IP_IS_V4(address) &&
        ip4_addr_isbroadcast_u32(ip_2_ip4(address)->addr, netif_default ? netif_default : netif_list))
        return true;
    struct netif *netif;
    NETIF_FOREACH(netif)
    {
        if (IP_IS_V4(address)) {
            if (ip4_addr_cmp(ip_2_ip4(address), netif_ip4_addr(netif)))
                return true;
        } else {
            for (int i = 0; i < LWIP_IPV6_NUM_ADDRESSES; i++)
                if (ip6_addr_isvalid(netif_ip6_addr_state(netif, i)) &&
                    ip6_addr_cmp_zoneless(ip_2_ip6(address), netif_ip6_addr(netif, i)))
                    return true;
        }
    }
    return false;
}

/* lwIP sends what it has no route for to the default interface. Programs want to hear ENETUNREACH at once
 * instead: they try the next address. */
static bool reachable6(const ip6_addr_t *to)
{
    struct netif *netif;
    if (ip6_addr_isloopback(to) || ip6_addr_islinklocal(to) || ip6_addr_ismulticast(to))
        return true;
    bool address = false;
    NETIF_FOREACH(netif)
    {
        for (int i = 0; i < LWIP_IPV6_NUM_ADDRESSES; i++) {
            const ip6_addr_t *own = netif_ip6_addr(netif, i);
            if (!ip6_addr_isvalid(netif_ip6_addr_state(netif, i)) || ip6_addr_islinklocal(own) ||
                ip6_addr_isloopback(own))
                continue;
            if (ip6_addr_netcmp_zoneless(own, to))
                return true;
            address = true;
        }
    }
    for (int i = 0; address && i < LWIP_ND6_NUM_ROUTERS; i++)
        if (default_router_list[i].neighbor_entry)
            return true;
    return false;
}

struct netif *address_route(const struct inet_socket *s, const ip_addr_t *to)
{
    if (s->interface)
        return netif_get_by_index(s->interface);
    if (IP_IS_V6(to))
        return reachable6(ip_2_ip6(to)) ? ip6_route(IP6_ADDR_ANY6, ip_2_ip6(to)) : NULL;
    return ip4_route(ip_2_ip4(to));
}

const ip_addr_t *address_wildcard(const struct inet_socket *s)
{
    if (s->family == AF_INET)
        return IP4_ADDR_ANY;
    return s->only6 ? IP6_ADDR_ANY : IP_ANY_TYPE;
}

int address_print(char *to, size_t size, const ip_addr_t *address)
{
    if (!ipaddr_ntoa_r(address, to, (int)size))
        to[0] = 0;
    return (int)strlen(to);
}
