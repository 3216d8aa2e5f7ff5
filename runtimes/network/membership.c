/* membership.c - multicast groups: IP_ADD_MEMBERSHIP, IPV6_JOIN_GROUP and the outgoing interface (ip(7),
 * ipv6(7)).
 *
 * lwIP keeps memberships by interface, counted; a group that a socket joined is left when it is closed, so
 * each socket keeps a list of its own. */
#include "inet.h"
#include "lwip/igmp.h"
#include "lwip/mld6.h"

static struct netif *interface_for(uint32_t index, uint32_t address)
{
    struct netif *netif;
    if (index)
        return index < 256 ? netif_get_by_index((u8_t)index) : NULL;
    if (address) {
        NETIF_FOREACH(netif)
        if (netif_ip4_addr(netif)->addr == address)
            return netif;
        return NULL;
    }
    return netif_default ? netif_default : netif_list;
}

struct membership {
    struct list link;
    uint8_t interface;
    ip_addr_t group;
};

static err_t tell(struct netif *netif, const ip_addr_t *group, bool join)
{
    if (IP_IS_V6(group))
        return join ? mld6_joingroup_netif(netif, ip_2_ip6(group))
                    : mld6_leavegroup_netif(netif, ip_2_ip6(group));
    return join ? igmp_joingroup_netif(netif, ip_2_ip4(group))
                : igmp_leavegroup_netif(netif, ip_2_ip4(group));
}

static int change(struct inet_socket *s, struct netif *netif, const ip_addr_t *group, bool join)
{
    struct membership *m = NULL;
    list_for_each (p, &s->memberships) {
        struct membership *other = list_entry(p, struct membership, link);
        if (other->interface == netif_get_index(netif) && ip_addr_cmp(&other->group, group))
            m = other;
    }
    /* Loopback hears every group. */
    bool told = (netif->flags & (IP_IS_V6(group) ? NETIF_FLAG_MLD6 : NETIF_FLAG_IGMP)) != 0;
    if (!join) {
        if (!m)
            return -EADDRNOTAVAIL;
        list_remove(&m->link);
        kfree(m);
        if (told)
            tell(netif, group, false);
        return 0;
    }
    if (m)
        return -EADDRINUSE;
    m = kzalloc(sizeof(*m));
    if (!m || (told && tell(netif, group, true) != ERR_OK)) {
        kfree(m);
        return -ENOBUFS;
    }
    m->interface = netif_get_index(netif);
    m->group = *group;
    list_append(&s->memberships, &m->link);
    return 0;
}

void memberships_leave(struct inet_socket *s)
{
    while (!list_empty(&s->memberships)) {
        struct membership *m = list_first(&s->memberships, struct membership, link);
        ip_addr_t group = m->group;
        struct netif *netif = netif_get_by_index(m->interface);
        if (netif)
            change(s, netif, &group, false);
    }
}

static int join4(struct inet_socket *s, bool join, const void *value, unsigned length)
{
    struct ip_mreqn r = {0};
    if (length < sizeof(struct ip_mreq))
        return -EINVAL;
    memcpy(&r, value, min(length, (unsigned)sizeof(r)));
    ip_addr_t group = IPADDR4_INIT(r.imr_multiaddr.s_addr);
    if (!ip_addr_ismulticast(&group))
        return -EINVAL;
    struct netif *netif = interface_for((uint32_t)r.imr_ifindex, r.imr_address.s_addr);
    return netif ? change(s, netif, &group, join) : -ENODEV;
}

static int join6(struct inet_socket *s, bool join, const void *value, unsigned length)
{
    struct ipv6_mreq r;
    if (length < sizeof(r))
        return -EINVAL;
    memcpy(&r, value, sizeof(r));
    ip_addr_t group = {.type = IPADDR_TYPE_V6};
    memcpy(ip_2_ip6(&group)->addr, &r.ipv6mr_multiaddr, 16);
    if (!ip_addr_ismulticast(&group))
        return -EINVAL;
    struct netif *netif = interface_for((uint32_t)r.ipv6mr_ifindex, 0);
    if (!netif)
        return -ENODEV;
    ip6_addr_assign_zone(ip_2_ip6(&group), IP6_MULTICAST, netif);
    return change(s, netif, &group, join);
}

static int outgoing4(struct inet_socket *s, const void *value, unsigned length)
{
    struct ip_mreqn r = {0};
    if (length >= sizeof(r)) {
        memcpy(&r, value, sizeof(r));
    } else if (length >= sizeof(struct in_addr)) {
        memcpy(&r.imr_address, value, sizeof(r.imr_address));
    } else {
        return -EINVAL;
    }
    s->multicast_interface = NETIF_NO_INDEX;
    s->multicast_address = r.imr_address.s_addr;
    if (!r.imr_ifindex && !r.imr_address.s_addr)
        return 0;
    struct netif *netif = interface_for((uint32_t)r.imr_ifindex, r.imr_address.s_addr);
    if (!netif)
        return -EADDRNOTAVAIL;
    s->multicast_interface = netif_get_index(netif);
    return 0;
}

int membership_option(struct inet_socket *s, int level, int option, const void *value, unsigned length)
{
    int n;
    if (level == IPPROTO_IP) {
        switch (option) {
        case IP_ADD_MEMBERSHIP:
        case IP_DROP_MEMBERSHIP:
            return join4(s, option == IP_ADD_MEMBERSHIP, value, length);
        case IP_MULTICAST_IF:
            return outgoing4(s, value, length);
        default:
            return -ENOPROTOOPT;
        }
    }
    switch (option) {
    case IPV6_ADD_MEMBERSHIP:
    case IPV6_DROP_MEMBERSHIP:
        return join6(s, option == IPV6_ADD_MEMBERSHIP, value, length);
    case IPV6_MULTICAST_IF:
        if (option_number(value, length, &n))
            return -EINVAL;
        if (n < 0 || n > 255 || (n && !netif_get_by_index((u8_t)n)))
            return -ENODEV;
        s->multicast_interface = (uint8_t)n;
        return 0;
    default:
        return -ENOPROTOOPT;
    }
}
