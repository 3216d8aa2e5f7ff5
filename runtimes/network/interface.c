/* interface.c - network devices as lwIP's interfaces, and the one door through which everything leaves the
 * stack.
 *
 * lwIP runs without a thread: it is entered from socket calls, from a device's interrupt and from timers, and
 * every entry ends with network_settle(). That hands in what lwIP sent to itself (loopback packets are
 * queued, so that the stack is not entered twice), tells devices about the frames that were queued, once for
 * all of them, and starts the timers that are needed now. */
#include "config.h"

#include "device_abi.h"
#include "lwip/dhcp.h"
#include "lwip/etharp.h"
#include "lwip/ethip6.h"
#include "lwip/init.h"
#include "lwip/ip6.h"
#include "netif/ethernet.h"

struct interface {
    struct netif netif;
    struct network_device *device;
    struct interface_counters counters;
    bool dirty; /* frames were queued that the device was not told of */
};

static struct interface *interfaces[8];
static unsigned interface_count;
static struct interface_counters loopback_counters;
static bool started;

static void start(void)
{
    if (started)
        return;
    started = true;
    lwip_init();
}

static struct interface *interface_of(const struct netif *netif)
{
    for (unsigned i = 0; i < interface_count; i++)
        if (&interfaces[i]->netif == netif)
            return interfaces[i];
    return NULL;
}

static err_t link_output(struct netif *netif, struct pbuf *p)
{
    struct interface *i = container_of(netif, struct interface, netif);
    if (i->device->send(i->device, p) != 0) {
        i->counters.dropped++;
        return ERR_BUF;
    }
    i->dirty = true;
    ticks_traffic();
    i->counters.sent++;
    i->counters.sent_bytes += p->tot_len;
    return ERR_OK;
}

static err_t interface_init(struct netif *netif)
{
    struct network_device *device = container_of(netif, struct interface, netif)->device;
    netif->name[0] = 'e';
    netif->name[1] = 't';
    netif->hostname = config_get("hostname");
    if (!netif->hostname)
        netif->hostname = "unikit";
    netif->mtu = device->mtu ? device->mtu : 1500;
    netif->mtu6 = netif->mtu;
    netif->hwaddr_len = ETH_HWADDR_LEN;
    memcpy(netif->hwaddr, device->mac, ETH_HWADDR_LEN);
    netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET | NETIF_FLAG_IGMP |
                   NETIF_FLAG_MLD6 | NETIF_FLAG_LINK_UP;
    netif->output = etharp_output;
    netif->output_ip6 = ethip6_output;
    netif->linkoutput = link_output;
    if (device->offload & NETWORK_CSUM_TX)
        NETIF_SET_CHECKSUM_CTRL(netif, NETIF_CHECKSUM_ENABLE_ALL &
                                           ~(NETIF_CHECKSUM_GEN_TCP | NETIF_CHECKSUM_GEN_UDP));
    return ERR_OK;
}

int network_device_add(struct network_device *device)
{
    start();
    if (interface_count == array_size(interfaces))
        return -ENOSPC;
    struct interface *i = kzalloc(sizeof(*i));
    if (!i)
        return -ENOMEM;
    i->device = device;
    /* interface_init needs it as the container of the netif only, lwIP passes the state through. */
    if (!netif_add(&i->netif, NULL, NULL, NULL, i, interface_init, ethernet_input)) {
        kfree(i);
        return -ENOMEM;
    }
    device->interface = i;
    interfaces[interface_count++] = i;
    if (!netif_default)
        netif_set_default(&i->netif);
    return 0;
}

START(network)
{
    start();
    early_begin();
    for (unsigned i = 0; i < interface_count; i++)
        dhcp_begin(&interfaces[i]->netif);
    network_settle();
}

void interfaces_leave(void)
{
    early_forget();
    while (interface_count) {
        struct interface *i = interfaces[--interface_count];
        netif_set_status_callback(&i->netif, NULL);
        dhcp_stop(&i->netif);
        dhcp_cleanup(&i->netif);
        netif_remove(&i->netif);
        i->device->leave(i->device);
        kfree(i);
    }
}

/* lwIP reads the first header of each protocol before it looks at the length: a frame that ends in it, or
 * whose first buffer does, is none. */
static bool cut_short(const struct pbuf *p)
{
    const struct eth_hdr *h = p->payload;
    if (p->len < SIZEOF_ETH_HDR)
        return true;
    switch (h->type) {
    case PP_HTONS(ETHTYPE_IP):
        return p->len < SIZEOF_ETH_HDR + IP_HLEN;
    case PP_HTONS(ETHTYPE_IPV6):
        return p->len < SIZEOF_ETH_HDR + IP6_HLEN;
    case PP_HTONS(ETHTYPE_ARP):
        return p->len < SIZEOF_ETH_HDR + SIZEOF_ETHARP_HDR;
    default:
        return true; /* nothing that is spoken here */
    }
}

void network_input(struct network_device *device, struct pbuf *p, bool checked)
{
    struct interface *i = device->interface;
    struct netif *netif = &i->netif;
    const u16_t checks = NETIF_CHECKSUM_CHECK_TCP | NETIF_CHECKSUM_CHECK_UDP;
    i->counters.received++;
    i->counters.received_bytes += p->tot_len;
    ticks_traffic();
    netif->chksum_flags = checked ? netif->chksum_flags & ~checks : netif->chksum_flags | checks;
    if (cut_short(p) || (!early_hold(netif, p) && netif->input(p, netif) != ERR_OK))
        pbuf_free(p);
}

void network_settle(void)
{
    for (bool again = true; again;) {
        struct netif *netif;
        again = early_deliver();
        NETIF_FOREACH(netif)
        {
            if (netif->loop_first) {
                netif_poll(netif);
                again = true;
            }
        }
    }
    for (unsigned i = 0; i < interface_count; i++) {
        if (interfaces[i]->dirty) {
            interfaces[i]->dirty = false;
            interfaces[i]->device->flush(interfaces[i]->device);
        }
    }
    ticks_wake();
}

void network_flush(void)
{
    for (unsigned i = 0; i < interface_count; i++)
        interfaces[i]->device->poll(interfaces[i]->device);
    network_settle();
}

/* ---- what others want to know */

bool interface_is_loopback(const struct netif *netif)
{
    return !interface_of(netif);
}

void interface_name(const struct netif *netif, char name[16])
{
    if (interface_is_loopback(netif))
        snprintf(name, NAME_SIZE, "lo");
    else
        snprintf(name, NAME_SIZE, "eth%u", netif->num - 1u);
}

struct netif *interface_by_name(const char *name)
{
    char own[NAME_SIZE];
    struct netif *netif;
    NETIF_FOREACH(netif)
    {
        interface_name(netif, own);
        if (strcmp(own, name) == 0)
            return netif;
    }
    return NULL;
}

unsigned interface_flags(const struct netif *netif)
{
    unsigned flags = netif_is_up(netif) ? INTERFACE_UP | INTERFACE_RUNNING : 0;
    if (interface_is_loopback(netif))
        return flags | INTERFACE_LOOPBACK;
    return flags | INTERFACE_BROADCAST | INTERFACE_MULTICAST;
}

const struct interface_counters *interface_counters(const struct netif *netif)
{
    struct interface *i = interface_of(netif);
    return i ? &i->counters : &loopback_counters;
}

/* lwIP's netif_find() wants it for names such as "et0". */
int network_atoi(const char *text)
{
    int n = 0;
    for (; *text >= '0' && *text <= '9' && n < 1000; text++)
        n = n * 10 + (*text - '0');
    return n;
}

/* lwIP's clock: milliseconds. */
u32_t sys_now(void);
u32_t sys_now(void)
{
    return (u32_t)(clock_now() / 1000000);
}
