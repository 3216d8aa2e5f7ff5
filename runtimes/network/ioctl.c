/* ioctl.c - what netdevice(7) tells about interfaces; changing them is the boot configuration's part. */
#include <linux/sockios.h>

#include "device_abi.h"

/* SIOCGIFCONF: those with an IPv4 address. A null buffer asks for the size. */
static long list(struct interface_list __user *user)
{
    struct interface_list head;
    struct netif *netif;
    int used = 0;
    if (copy_in(&head, user, sizeof(head)))
        return -EFAULT;
    NETIF_FOREACH(netif)
    {
        struct interface_request r = {0};
        if (ip4_addr_isany(netif_ip4_addr(netif)))
            continue;
        if (head.requests) {
            if (head.length - used < (int)sizeof(r))
                break;
            interface_name(netif, r.name);
            r.address.sin_family = AF_INET;
            r.address.sin_addr.s_addr = netif_ip4_addr(netif)->addr;
            if (copy_out((char *)head.requests + used, &r, sizeof(r)))
                return -EFAULT;
        }
        used += (int)sizeof(r);
    }
    head.length = used;
    return copy_out(user, &head, sizeof(head));
}

static int give_address(struct interface_request *r, uint32_t address)
{
    r->address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = address};
    return address ? 0 : -EADDRNOTAVAIL;
}

static int answer(unsigned request, const struct netif *netif, struct interface_request *r)
{
    memset(r->room, 0, sizeof(r->room));
    switch (request) {
    case SIOCGIFFLAGS:
        r->flags = (short)interface_flags(netif);
        return 0;
    case SIOCGIFADDR:
    case SIOCGIFDSTADDR:
        return give_address(r, netif_ip4_addr(netif)->addr);
    case SIOCGIFNETMASK:
        return give_address(r, netif_ip4_netmask(netif)->addr);
    case SIOCGIFBRDADDR:
        return give_address(r, broadcast_address(netif));
    case SIOCGIFHWADDR:
        r->hardware.family = interface_is_loopback(netif) ? HARDWARE_LOOPBACK : HARDWARE_ETHERNET;
        memcpy(r->hardware.bytes, netif->hwaddr, netif->hwaddr_len);
        return 0;
    case SIOCGIFMTU:
        r->number = (int)interface_mtu(netif);
        return 0;
    case SIOCGIFINDEX:
        r->number = netif_get_index(netif);
        return 0;
    case SIOCGIFMETRIC:
        return 0;
    case SIOCGIFTXQLEN:
        r->number = 1000;
        return 0;
    default:
        return -ENOTTY;
    }
}

long interface_ioctl(unsigned request, uintptr_t argument)
{
    struct interface_request r;
    const struct netif *netif;
    if (request == SIOCGIFCONF)
        return list((struct interface_list __user *)argument);
    if (request >= SIOCSIFFLAGS && request <= SIOCSIFHWADDR && request % 2 == 0)
        return -EPERM;
    if (request == SIOCETHTOOL) /* no speeds and offloads to tell */
        return -EOPNOTSUPP;
    if (request < SIOCGIFNAME || request > SIOCGIFTXQLEN)
        return -ENOTTY;
    if (copy_in(&r, (void __user *)argument, sizeof(r)))
        return -EFAULT;
    if (request == SIOCGIFNAME) {
        netif = r.number > 0 && r.number < 256 ? netif_get_by_index((u8_t)r.number) : NULL;
        if (netif)
            interface_name(netif, r.name);
    } else {
        r.name[NAME_SIZE - 1] = 0;
        netif = interface_by_name(r.name);
    }
    if (!netif)
        return -ENODEV;
    int error = request == SIOCGIFNAME ? 0 : answer(request, netif, &r);
    return error ? error : copy_out((void __user *)argument, &r, sizeof(r));
}
