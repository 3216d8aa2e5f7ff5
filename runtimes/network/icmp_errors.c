/* icmp_errors.c - ICMP and ICMPv6 errors about packets of ours: refused, unreachable (RFC 792, RFC 4443,
 * ip(7)).
 *
 * lwIP takes no notice of them, so they are watched for with a raw pcb. What came from outside is checked as
 * far as it goes: the error quotes the start of our packet, whose addresses and ports must be those of a
 * socket. */
#include "inet.h"
#include "lwip/icmp6.h"
#include "lwip/ip.h"
#include "lwip/prot/icmp.h"
#include "lwip/prot/ip6.h"
#include "lwip/raw.h"

/* The first bytes of the quoted packet's UDP or TCP header. */
struct ports {
    u16_t source, destination;
};

static void tell(u8_t protocol, const ip_addr_t *local, const ip_addr_t *peer, const struct ports *ports,
                 int error)
{
    u16_t local_port = lwip_ntohs(ports->source), peer_port = lwip_ntohs(ports->destination);
    if (protocol == IP_PROTO_UDP)
        udp_unreachable(local, local_port, peer, peer_port, error);
    else if (protocol == IP_PROTO_TCP)
        tcp_unreachable(local, local_port, peer, peer_port, error);
}

static int error4(u8_t type, u8_t code)
{
    static const uint8_t unreachable[] = {
        ENETUNREACH,  EHOSTUNREACH, ENOPROTOOPT, ECONNREFUSED, 0,           EOPNOTSUPP,   ENETUNREACH,
        EHOSTDOWN,    ENONET,       ENETUNREACH, EHOSTUNREACH, ENETUNREACH, EHOSTUNREACH, EHOSTUNREACH,
        EHOSTUNREACH, EHOSTUNREACH};
    if (type == ICMP_DUR && code < array_size(unreachable))
        return unreachable[code];
    return type == ICMP_TE ? EHOSTUNREACH : 0;
}

static u8_t watch4(void *arg, struct raw_pcb *pcb, struct pbuf *p, const ip_addr_t *from)
{
    (void)arg;
    (void)pcb;
    (void)from;
    struct icmp_echo_hdr icmp;
    struct ip_hdr quoted;
    struct ports ports;
    u16_t at = ip_current_header_tot_len();
    if (pbuf_copy_partial(p, &icmp, sizeof(icmp), at) != sizeof(icmp))
        return 0;
    int error = error4(icmp.type, icmp.code);
    at = (u16_t)(at + sizeof(icmp));
    if (!error || pbuf_copy_partial(p, &quoted, sizeof(quoted), at) != sizeof(quoted))
        return 0;
    at = (u16_t)(at + IPH_HL_BYTES(&quoted));
    if (IPH_HL_BYTES(&quoted) < IP_HLEN || pbuf_copy_partial(p, &ports, sizeof(ports), at) != sizeof(ports))
        return 0;
    ip_addr_t local = IPADDR4_INIT(quoted.src.addr), peer = IPADDR4_INIT(quoted.dest.addr);
    tell(IPH_PROTO(&quoted), &local, &peer, &ports, error);
    return 0;
}

static int error6(u8_t type, u8_t code)
{
    static const uint8_t unreachable[] = {ENETUNREACH,  EACCES, EHOSTUNREACH, EHOSTUNREACH,
                                          ECONNREFUSED, EACCES, EACCES};
    if (type == ICMP6_TYPE_DUR && code < array_size(unreachable))
        return unreachable[code];
    return type == ICMP6_TYPE_TE ? EHOSTUNREACH : 0;
}

static u8_t watch6(void *arg, struct raw_pcb *pcb, struct pbuf *p, const ip_addr_t *from)
{
    (void)arg;
    (void)pcb;
    (void)from;
    struct icmp6_hdr icmp;
    struct ip6_hdr quoted;
    struct ports ports;
    u16_t at = ip_current_header_tot_len();
    if (pbuf_copy_partial(p, &icmp, sizeof(icmp), at) != sizeof(icmp))
        return 0;
    int error = error6(icmp.type, icmp.code);
    at = (u16_t)(at + sizeof(icmp));
    if (!error || pbuf_copy_partial(p, &quoted, sizeof(quoted), at) != sizeof(quoted))
        return 0;
    at = (u16_t)(at + IP6_HLEN);
    if (pbuf_copy_partial(p, &ports, sizeof(ports), at) != sizeof(ports))
        return 0;
    ip_addr_t local = {0}, peer = {0};
    ip_addr_copy_from_ip6_packed(local, quoted.src);
    ip_addr_copy_from_ip6_packed(peer, quoted.dest);
    ip6_addr_assign_zone(ip_2_ip6(&local), IP6_UNICAST, ip_current_input_netif());
    ip6_addr_assign_zone(ip_2_ip6(&peer), IP6_UNICAST, ip_current_input_netif());
    tell(IP6H_NEXTH(&quoted), &local, &peer, &ports, error);
    return 0;
}

INIT(services)
{
    struct raw_pcb *four = raw_new_ip_type(IPADDR_TYPE_V4, IP_PROTO_ICMP);
    struct raw_pcb *six = raw_new_ip_type(IPADDR_TYPE_V6, IP6_NEXTH_ICMP6);
    if (four)
        raw_recv(four, watch4, NULL);
    if (six)
        raw_recv(six, watch6, NULL);
}
