/* ticks.c - lwIP's cyclic timers on the kernel's timers (lwIP option LWIP_TIMERS_CUSTOM).
 *
 * An idle guest must sleep, so each timer runs only while lwIP has work for it: the TCP timer while there are
 * connections, DHCP's while an answer is awaited, those of multicast while a report is due. What ages by the
 * second (ARP, neighbours, fragments) rests when nothing came or went for a while, and when traffic returns
 * the seconds that it missed are made up for. */
#include "inet.h"
#include "lwip/dhcp.h"
#include "lwip/etharp.h"
#include "lwip/igmp.h"
#include "lwip/ip4_frag.h"
#include "lwip/ip6_frag.h"
#include "lwip/mld6.h"
#include "lwip/nd6.h"
#include "lwip/priv/tcp_priv.h"

#define MS 1000000ULL

struct tick {
    struct timer timer;
    uint64_t period;
    void (*run)(void);
    bool (*needed)(void);
    uint64_t stopped; /* when it was last due without being needed; 0: never ran */
};

/* Seconds without traffic after which the second's timer rests: longer than any answer that lwIP waits for.
 */
#define QUIET_SECONDS  20
#define CATCH_UP_LIMIT 3600

static bool traffic;
static unsigned quiet;

/* Connections in TIME_WAIT cost memory and a look at each for every new connection. Beyond this many the
 * oldest end early, as Linux does (tcp_max_tw_buckets). */
#define TIME_WAIT_LIMIT 512

static void tcp_run(void)
{
    unsigned n = 0;
    tcp_tmr();
    for (struct tcp_pcb *p = tcp_tw_pcbs; p; p = p->next) {
        if (++n < TIME_WAIT_LIMIT)
            continue;
        for (struct tcp_pcb *old; (old = p->next);) { /* the list is newest first */
            p->next = old->next;
            tcp_pcb_purge(old);
            tcp_free(old);
        }
    }
}

static bool tcp_needed(void)
{
    return tcp_active_pcbs || tcp_tw_pcbs;
}

static void each_second(void)
{
    etharp_tmr();
    ip_reass_tmr();
    nd6_tmr();
    ip6_reass_tmr();
}

static bool second_needed(void)
{
    quiet = traffic ? 0 : quiet + 1;
    traffic = false;
    return quiet < QUIET_SECONDS;
}

static bool igmp_needed(void)
{
    struct netif *netif;
    NETIF_FOREACH(netif)
    for (struct igmp_group *g = netif_igmp_data(netif); g; g = g->next)
        if (g->timer)
            return true;
    return false;
}

static bool mld_needed(void)
{
    struct netif *netif;
    NETIF_FOREACH(netif)
    for (struct mld_group *g = netif_mld6_data(netif); g; g = g->next)
        if (g->timer)
            return true;
    return false;
}

static bool dhcp_leased(void)
{
    struct netif *netif;
    NETIF_FOREACH(netif)
    if (netif_dhcp_data(netif))
        return true;
    return false;
}

static void fire(struct timer *);

#define TICK(period_ms, run_, needed_)                                                                       \
    {                                                                                                        \
        .timer = {.fire = fire}, .period = (period_ms)*MS, .run = (run_), .needed = (needed_)                \
    }
static struct tick tcp_tick = TICK(TCP_TMR_INTERVAL, tcp_run, tcp_needed);
static struct tick second_tick = TICK(1000, each_second, second_needed);
static struct tick rare_ticks[] = {
    TICK(DHCP_FINE_TIMER_MSECS, dhcp_fine_tmr, dhcp_pending),
    TICK(DHCP_COARSE_TIMER_MSECS, dhcp_coarse_tmr, dhcp_leased),
    TICK(IGMP_TMR_INTERVAL, igmp_tmr, igmp_needed),
    TICK(MLD6_TMR_INTERVAL, mld6_tmr, mld_needed),
};

static void start(struct tick *t)
{
    timer_start(&t->timer, clock_now() + t->period);
}

static void start_anew(struct tick *t)
{
    if (t->timer.active)
        start(t);
}

/* What was due when the memory was frozen, or since, is not due at once on another machine. */
START(network)
{
    start_anew(&tcp_tick);
    start_anew(&second_tick);
    for (unsigned i = 0; i < array_size(rare_ticks); i++)
        start_anew(&rare_ticks[i]);
}

static void wake_rare(void)
{
    for (unsigned i = 0; i < array_size(rare_ticks); i++)
        if (!rare_ticks[i].timer.active && rare_ticks[i].needed())
            start(&rare_ticks[i]);
}

static void fire(struct timer *timer)
{
    struct tick *t = container_of(timer, struct tick, timer);
    uint64_t due = timer->when, now = clock_now();
    t->run();
    if (t != &tcp_tick)
        wake_rare();
    if (t->needed()) {
        due += t->period;
        timer_start(timer, due > now ? due : now + t->period);
    } else {
        t->stopped = now;
    }
    network_settle();
}

static void wake_second(void)
{
    if (second_tick.stopped) {
        uint64_t missed = (clock_now() - second_tick.stopped) / second_tick.period;
        for (uint64_t n = min(missed, (uint64_t)CATCH_UP_LIMIT); n; n--)
            each_second();
    }
    quiet = 0;
    start(&second_tick);
    wake_rare();
}

void ticks_wake(void)
{
    if (unlikely(!tcp_tick.timer.active) && tcp_needed())
        start(&tcp_tick);
    if (unlikely(!second_tick.timer.active) && traffic)
        wake_second();
}

void ticks_traffic(void)
{
    traffic = true;
}

/* lwIP's lwip_init calls it; there is nothing to set up. */
void sys_timeouts_init(void) {}
