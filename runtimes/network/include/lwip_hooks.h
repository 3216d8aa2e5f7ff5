/* lwip_hooks.h - where lwIP asks us while it works. Included by lwIP's sources (LWIP_HOOK_FILENAME). */
#ifndef UNIKIT_LWIP_HOOKS_H
#define UNIKIT_LWIP_HOOKS_H

#include "lwip/ip_addr.h"
#include "lwip/err.h"

struct tcp_pcb;
struct tcp_hdr;
struct pbuf;

/* Initial sequence numbers: RFC 6528 (network/tcp_sequence.c). */
u32_t network_tcp_isn(const ip_addr_t *local, u16_t local_port, const ip_addr_t *remote, u16_t remote_port);
#define LWIP_HOOK_TCP_ISN network_tcp_isn

/* Every segment that found its pcb: the listening queue's limits, and new connections in TIME_WAIT
 * (network/tcp_listen.c). Anything but ERR_OK drops it. */
err_t network_tcp_segment(struct tcp_pcb *pcb, struct tcp_hdr *header, u16_t options_length,
                          u16_t first_options, u8_t *more_options, struct pbuf *p);
#define LWIP_HOOK_TCP_INPACKET_PCB(pcb, hdr, optlen, opt1len, opt2, p)                                       \
    (likely((pcb)->state != LISTEN && (pcb)->state != TIME_WAIT)                                             \
         ? ERR_OK                                                                                            \
         : network_tcp_segment(pcb, hdr, optlen, opt1len, opt2, p))

#endif
