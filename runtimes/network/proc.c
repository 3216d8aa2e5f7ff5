/* proc.c - /proc/net (proc(5)): connections and interfaces, as psutil, ss and netstat read them. */
#include "device_abi.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/raw.h"
#include "lwip/udp.h"
#include "tcp_socket.h"

static void show_dev(struct text_sink *out)
{
    struct netif *netif;
    char name[NAME_SIZE];
    text_put(out, "Inter-|   Receive                                                |  Transmit\n"
                  " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs "
                  "drop fifo colls carrier compressed\n");
    NETIF_FOREACH(netif)
    {
        const struct interface_counters *c = interface_counters(netif);
        interface_name(netif, name);
        text_put(out,
                 "%6s: %7lu %7lu    0    0    0     0          0         0 %8lu %7lu    0 %4lu    0     0    "
                 "   0          0\n",
                 name, c->received_bytes, c->received, c->sent_bytes, c->sent, c->dropped);
    }
}

TEXT_FILE(net_dev) = {.path = "/proc/net/dev", .show = show_dev};

/* Addresses are in the byte order of 32-bit words of the machine, ports in host order. */
static void put_address(struct text_sink *out, const ip_addr_t *a, uint16_t port, bool six)
{
    if (!six) {
        text_put(out, "%08X:%04X", IP_IS_V4(a) ? ip_2_ip4(a)->addr : 0, port);
        return;
    }
    uint32_t w[4] = {0};
    if (IP_IS_V6(a))
        memcpy(w, ip_2_ip6(a)->addr, sizeof(w));
    else if (IP_GET_TYPE(a) == IPADDR_TYPE_V4)
        w[2] = PP_HTONL(0xffff), w[3] = ip_2_ip4(a)->addr;
    text_put(out, "%08X%08X%08X%08X:%04X", w[0], w[1], w[2], w[3], port);
}

struct row {
    const ip_addr_t *local, *peer;
    uint16_t local_port, peer_port;
    unsigned state, sending, receiving;
    uint64_t inode;
};

static void put_row(struct text_sink *out, unsigned number, const struct row *r, bool six)
{
    text_put(out, "%4u: ", number);
    put_address(out, r->local, r->local_port, six);
    text_put(out, " ");
    put_address(out, r->peer, r->peer_port, six);
    text_put(out, " %02X %08X:%08X 00:00000000 00000000     0        0 %lu 1 0000000000000000 100 0 0 10 0\n",
             r->state, r->sending, r->receiving, r->inode);
}

static const char heading[] =
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";

static void show_tcp_table(struct text_sink *out, bool six)
{
    /* lwIP's states as Linux numbers them: CLOSED .. TIME_WAIT */
    static const uint8_t states[] = {7, 10, 2, 3, 1, 4, 5, 8, 11, 9, 6};
    static const ip_addr_t nobody;
    unsigned n = 0;
    text_put(out, heading);
    for (unsigned i = 0; i < NUM_TCP_PCB_LISTS; i++) {
        for (const struct tcp_pcb *p = *tcp_pcb_lists[i]; p; p = p->next) {
            const struct tcp_socket *s = tcp_ext_arg_get(p, 0);
            bool is_six = s ? s->inet.family == AF_INET6 : !IP_IS_V4(&p->local_ip);
            if (is_six != six || p->state == CLOSED)
                continue;
            struct row r = {&p->local_ip, &nobody, p->local_port, 0, states[p->state], 0, 0, 0};
            if (s)
                r.inode = s->inet.file ? s->inet.file->inode : 0;
            if (p->state != LISTEN) {
                r.peer = &p->remote_ip;
                r.peer_port = p->remote_port;
                r.sending = s ? s->unsent : 0;
                r.receiving = s ? s->queued : 0;
            } else if (s) {
                r.sending = s->backlog;
                r.receiving = s->ready_count;
            }
            put_row(out, n++, &r, six);
        }
    }
}

static void show_tcp(struct text_sink *out)
{
    show_tcp_table(out, false);
}
static void show_tcp6(struct text_sink *out)
{
    show_tcp_table(out, true);
}

TEXT_FILE(net_tcp) = {.path = "/proc/net/tcp", .show = show_tcp};
TEXT_FILE(net_tcp6) = {.path = "/proc/net/tcp6", .show = show_tcp6};

static void show_udp_table(struct text_sink *out, bool six)
{
    unsigned n = 0;
    text_put(out, heading);
    for (const struct udp_pcb *p = udp_pcbs; p; p = p->next) {
        const struct inet_socket *s = p->recv_arg;
        bool ours = udp_is_socket(p);
        bool is_six = ours ? s->family == AF_INET6 : IP_IS_V6(&p->local_ip);
        if (is_six != six || !p->local_port)
            continue;
        bool connected = p->flags & UDP_FLAGS_CONNECTED;
        struct row r = {
            &p->local_ip, &p->remote_ip, p->local_port, p->remote_port, connected ? 1 : 7, 0, 0, 0};
        if (ours && s->file)
            r.inode = s->file->inode;
        put_row(out, n++, &r, six);
    }
}

static void show_udp(struct text_sink *out)
{
    show_udp_table(out, false);
}
static void show_udp6(struct text_sink *out)
{
    show_udp_table(out, true);
}

TEXT_FILE(net_udp) = {.path = "/proc/net/udp", .show = show_udp};
TEXT_FILE(net_udp6) = {.path = "/proc/net/udp6", .show = show_udp6};

static void show_route(struct text_sink *out)
{
    struct netif *netif;
    char name[NAME_SIZE];
    text_put(out, "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n");
    NETIF_FOREACH(netif)
    {
        uint32_t ip = netif_ip4_addr(netif)->addr, mask = netif_ip4_netmask(netif)->addr;
        uint32_t gateway = netif_ip4_gw(netif)->addr;
        if (!ip || interface_is_loopback(netif))
            continue;
        interface_name(netif, name);
        if (gateway && netif == netif_default)
            text_put(out, "%s\t00000000\t%08X\t0003\t0\t0\t0\t00000000\t0\t0\t0\n", name, gateway);
        text_put(out, "%s\t%08X\t00000000\t0001\t0\t0\t0\t%08X\t0\t0\t0\n", name, ip & mask, mask);
    }
}

TEXT_FILE(net_route) = {.path = "/proc/net/route", .show = show_route};

static void show_if_inet6(struct text_sink *out)
{
    struct netif *netif;
    char name[NAME_SIZE];
    NETIF_FOREACH(netif)
    {
        interface_name(netif, name);
        for (int i = 0; i < LWIP_IPV6_NUM_ADDRESSES; i++) {
            const ip6_addr_t *a = netif_ip6_addr(netif, i);
            if (!ip6_addr_isvalid(netif_ip6_addr_state(netif, i)))
                continue;
            for (int w = 0; w < 4; w++)
                text_put(out, "%08x", lwip_ntohl(a->addr[w]));
            text_put(out, " %02x %02x %02x %02x %8s\n", netif_get_index(netif),
                     interface_is_loopback(netif) ? 128 : 64,
                     ip6_addr_isloopback(a)    ? 0x10
                     : ip6_addr_islinklocal(a) ? 0x20
                                               : 0,
                     0x80, name);
        }
    }
}

TEXT_FILE(net_if_inet6) = {.path = "/proc/net/if_inet6", .show = show_if_inet6};

static void show_somaxconn(struct text_sink *out)
{
    text_put(out, "4096\n");
}

TEXT_FILE(net_somaxconn) = {.path = "/proc/sys/net/core/somaxconn", .show = show_somaxconn};

static void show_port_range(struct text_sink *out)
{
    text_put(out, "32768\t60999\n");
}

TEXT_FILE(net_port_range) = {.path = "/proc/sys/net/ipv4/ip_local_port_range", .show = show_port_range};
