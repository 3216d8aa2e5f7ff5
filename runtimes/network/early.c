/* early.c - frames that come before the guest is ready for them.
 *
 * A hypervisor's network takes connections from the first moment on. What it sends then would be dropped
 * (there is no address yet) or refused (the program does not listen yet), and is sent again seconds later, or
 * never. So while the machine starts, questions for an address wait until there is one, and the first
 * segments of connections until somebody listens on their port. It ends WINDOW after the start, or soon after
 * the program has begun to listen: from then on a port is open or closed.
 */
#include "inet.h"
#include "lwip/etharp.h"
#include "lwip/ip.h"
#include "lwip/priv/tcp_priv.h"
#include "thread.h"

#define WINDOW 10000000000ULL
#define SOON   1000000000ULL

static struct held {
    struct netif *netif;
    struct pbuf *frame;
    uint16_t port; /* 0: asks for an address */
    uint16_t checks;
} held[32];
static unsigned count PER_BOOT;
static uint64_t until PER_BOOT;
static struct timer timer PER_BOOT;

static void time_is_up(struct timer *t)
{
    (void)t;
    until = 0;
    network_settle();
}

void early_begin(void)
{
    until = clock_now() + WINDOW;
}

void early_listening(void)
{
    until = min(until, clock_now() + SOON);
    if (timer.active)
        timer_start(&timer, until);
}

/* The port that a frame would open a connection to; -1 if it need not wait. */
static int wanted(const struct pbuf *p)
{
    const struct eth_hdr *ethernet = p->payload;
    const struct ip_hdr *ip = (const void *)((const uint8_t *)p->payload + SIZEOF_ETH_HDR);
    const struct tcp_hdr *tcp;
    size_t length;

    if (p->len < SIZEOF_ETH_HDR + SIZEOF_ETHARP_HDR)
        return -1;
    if (ethernet->type == PP_HTONS(ETHTYPE_ARP))
        return ((const struct etharp_hdr *)(const void *)ip)->opcode == PP_HTONS(ARP_REQUEST) ? 0 : -1;
    length = SIZEOF_ETH_HDR + IPH_HL_BYTES(ip);
    if (ethernet->type != PP_HTONS(ETHTYPE_IP) || ethernet->dest.addr[0] & 1 ||
        IPH_PROTO(ip) != IP_PROTO_TCP || IPH_OFFSET(ip) & PP_HTONS(IP_OFFMASK | IP_MF) ||
        p->len < length + TCP_HLEN)
        return -1;
    tcp = (const void *)((const uint8_t *)p->payload + length);
    return (TCPH_FLAGS(tcp) & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN ? lwip_ntohs(tcp->dest) : -1;
}

static bool ready(const struct netif *netif, uint16_t port)
{
    if (ip4_addr_isany(netif_ip4_addr(netif)))
        return false;
    if (!port)
        return true;
    for (const struct tcp_pcb_listen *p = tcp_listen_pcbs.listen_pcbs; p; p = p->next)
        if (p->local_port == port)
            return true;
    return false;
}

bool early_hold(struct netif *netif, struct pbuf *p)
{
    int port;

    if (likely(!until) || count == array_size(held))
        return false;
    if (clock_now() >= until) {
        until = 0;
        return false;
    }
    port = wanted(p);
    if (port < 0 || ready(netif, (uint16_t)port))
        return false;
    held[count++] = (struct held){netif, p, (uint16_t)port, netif->chksum_flags};
    if (!timer.active) {
        timer.fire = time_is_up;
        timer_start(&timer, until);
    }
    return true;
}

bool early_deliver(void)
{
    bool over, some = false;

    if (likely(!count))
        return false;
    over = clock_now() >= until;
    for (unsigned i = 0; i < count;) {
        struct held h = held[i];
        if (!over && !ready(h.netif, h.port)) {
            i++;
            continue;
        }
        memmove(&held[i], &held[i + 1], (--count - i) * sizeof(h));
        h.netif->chksum_flags = h.checks;
        if (h.netif->input(h.frame, h.netif) != ERR_OK)
            pbuf_free(h.frame);
        some = true;
    }
    if (!count)
        timer_cancel(&timer);
    return some;
}

void early_forget(void)
{
    while (count)
        pbuf_free(held[--count].frame);
    timer_cancel(&timer);
}
