/* device_abi.h - netdevice(7)'s structures and flags. Linux's own header for them drags in the C library's.
 */
#ifndef UNIKIT_DEVICE_ABI_H
#define UNIKIT_DEVICE_ABI_H

#include "inet.h"

#define NAME_SIZE 16 /* IFNAMSIZ */

enum {
    INTERFACE_UP = 0x1,
    INTERFACE_BROADCAST = 0x2,
    INTERFACE_LOOPBACK = 0x8,
    INTERFACE_RUNNING = 0x40,
    INTERFACE_MULTICAST = 0x1000,
    INTERFACE_LOWER_UP = 0x10000,
    HARDWARE_ETHERNET = 1,
    HARDWARE_LOOPBACK = 772,
    LOOPBACK_MTU = 65536,
};

/* struct ifreq */
struct interface_request {
    char name[NAME_SIZE];
    union {
        struct sockaddr_in address;
        struct {
            uint16_t family;
            uint8_t bytes[14];
        } hardware;
        int number;
        short flags;
        char room[24];
    };
};

/* struct ifconf */
struct interface_list {
    int length;
    struct interface_request *requests;
};

static inline unsigned interface_mtu(const struct netif *netif)
{
    return netif->mtu ? netif->mtu : LOOPBACK_MTU;
}

static inline unsigned prefix_length(const struct netif *netif)
{
    return (unsigned)__builtin_popcount(netif_ip4_netmask(netif)->addr);
}

static inline uint32_t broadcast_address(const struct netif *netif)
{
    return netif_ip4_addr(netif)->addr | ~netif_ip4_netmask(netif)->addr;
}

#endif
