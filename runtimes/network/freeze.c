/* freeze.c - what of the network is frozen: the sockets that wait for others. Interfaces, addresses and the
 * ends of connections belong to the machine; each boot has its own.
 */
#include "inet.h"
#include "lwip/dns.h"
#include "lwip/priv/tcp_priv.h"

void network_freeze(void)
{
    /* What the program has closed already, and the other end has not. */
    while (tcp_active_pcbs)
        tcp_abort(tcp_active_pcbs);
    while (tcp_tw_pcbs)
        tcp_abort(tcp_tw_pcbs);
    network_flush();
    interfaces_leave();
    for (u8_t i = 0; i < DNS_MAX_SERVERS; i++)
        dns_setserver(i, NULL);
}

/* Sockets that listened when the memory was frozen listen still: the host is told of them as of new ones. */
START(services)
{
    for (const struct tcp_pcb_listen *p = tcp_listen_pcbs.listen_pcbs; p; p = p->next)
        port_announce(p->local_port, "tcp");
    if (tcp_listen_pcbs.listen_pcbs)
        early_listening();
}
