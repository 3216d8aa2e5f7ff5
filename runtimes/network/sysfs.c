/* sysfs.c - /sys/class/net for the loopback and the first device. */
#include "device_abi.h"

static void show_address(struct text_sink *out, const struct netif *n)
{
    const u8_t *a = n->hwaddr;
    text_put(out, "%02x:%02x:%02x:%02x:%02x:%02x\n", a[0], a[1], a[2], a[3], a[4], a[5]);
}
static void show_mtu(struct text_sink *out, const struct netif *n)
{
    text_put(out, "%u\n", interface_mtu(n));
}
static void show_ifindex(struct text_sink *out, const struct netif *n)
{
    text_put(out, "%u\n", netif_get_index(n));
}
static void show_flags(struct text_sink *out, const struct netif *n)
{
    text_put(out, "0x%x\n", interface_flags(n) & ~(unsigned)INTERFACE_RUNNING);
}
static void show_operstate(struct text_sink *out, const struct netif *n)
{
    text_put(out, "%s\n", interface_is_loopback(n) ? "unknown" : netif_is_up(n) ? "up" : "down");
}
static void show_carrier(struct text_sink *out, const struct netif *n)
{
    text_put(out, "%d\n", netif_is_link_up(n) || interface_is_loopback(n));
}
static void show_type(struct text_sink *out, const struct netif *n)
{
    text_put(out, "%d\n", interface_is_loopback(n) ? HARDWARE_LOOPBACK : HARDWARE_ETHERNET);
}

#define FILE_OF(interface, what)                                                                             \
    static void interface##_##what(struct text_sink *out)                                                    \
    {                                                                                                        \
        const struct netif *n = interface_by_name(#interface);                                               \
        if (n)                                                                                               \
            show_##what(out, n);                                                                             \
    }                                                                                                        \
    TEXT_FILE(interface##_##what) = {.path = "/sys/class/net/" #interface "/" #what,                         \
                                     .show = interface##_##what}

#define FILES_OF(interface)                                                                                  \
    FILE_OF(interface, address);                                                                             \
    FILE_OF(interface, mtu);                                                                                 \
    FILE_OF(interface, ifindex);                                                                             \
    FILE_OF(interface, flags);                                                                               \
    FILE_OF(interface, operstate);                                                                           \
    FILE_OF(interface, carrier);                                                                             \
    FILE_OF(interface, type)

FILES_OF(lo);
FILES_OF(eth0);
