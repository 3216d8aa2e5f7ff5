/* goodbye.c - the last moments of connections. On Linux the kernel goes on sending when a process has ended;
 * here the machine ends with it, so power-off waits until the peers acknowledged what was sent, but not for
 * those who do not take it. */
#include "lwip/priv/tcp_priv.h"
#include "network.h"
#include "thread.h"

#define AT_MOST 2000000000UL
#define STEP    5000000UL

/* The program's sockets are closed by now: what has not reached its peer is unacknowledged, the FIN too. */
static bool outstanding(void)
{
    for (const struct tcp_pcb *p = tcp_active_pcbs; p; p = p->next)
        if (p->state != SYN_SENT && p->state != SYN_RCVD && (p->unsent || p->unacked))
            return true;
    return false;
}

void network_goodbye(void)
{
    uint64_t end = clock_now() + AT_MOST;
    network_flush();
    while (outstanding() && clock_now() < end)
        if (wait_on(NULL, 0, clock_now() + STEP) == -ERESTARTSYS)
            return;
}
