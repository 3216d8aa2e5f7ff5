/* tcp_options.c - socket options of the level IPPROTO_TCP (tcp(7)). */
#include <asm/socket.h>
#include <linux/tcp.h>

#include "tcp_socket.h"

static const char congestion[] = "reno";

static int in_range(int *to, int value, int least, int most)
{
    if (value < least || value > most)
        return -EINVAL;
    *to = value;
    return 0;
}

int tcp_set_option(struct inet_socket *inet, int option, int value)
{
    struct tcp_socket *s = container_of(inet, struct tcp_socket, inet);
    switch (option) {
    case TCP_NODELAY:
        s->nodelay = value;
        return 0;
    case TCP_CORK:
        s->corked = value;
        return 0;
    case TCP_MAXSEG:
        return in_range(&s->max_segment, value, 88, 32767);
    case TCP_KEEPIDLE:
        return in_range(&s->keep_idle, value, 1, 32767);
    case TCP_KEEPINTVL:
        return in_range(&s->keep_interval, value, 1, 32767);
    case TCP_KEEPCNT:
        return in_range(&s->keep_count, value, 1, 127);
    case TCP_USER_TIMEOUT:
        return in_range(&s->user_timeout, value, 0, INT32_MAX);
    case TCP_QUICKACK: /* acknowledgements are never later than 100 ms */
    case TCP_DEFER_ACCEPT:
    case TCP_LINGER2:
    case TCP_SYNCNT:
    case TCP_WINDOW_CLAMP:
    case TCP_THIN_LINEAR_TIMEOUTS:
    case TCP_NOTSENT_LOWAT:
        return 0;
    default: /* TCP_FASTOPEN, TCP_MD5SIG, TCP_ULP ...: would change what goes over the wire */
        return -ENOPROTOOPT;
    }
}

/* The part of struct tcp_info that programs look at: the rest is zero, as from an older kernel. */
static int give_info(const struct tcp_socket *s, void *value, unsigned *length)
{
    struct tcp_info info = {0};
    const struct tcp_pcb *p = s->pcb;
    /* lwIP's states in Linux's numbers (net/tcp_states.h): CLOSED .. TIME_WAIT */
    static const uint8_t states[] = {7, 10, 2, 3, 1, 4, 5, 8, 11, 9, 6};
    info.tcpi_state = p && (unsigned)p->state < array_size(states) ? states[p->state] : 7;
    if (p && p->state != LISTEN) {
        info.tcpi_options = (u8_t)(((p->flags & TF_WND_SCALE) ? TCPI_OPT_WSCALE : 0) |
                                   ((p->flags & TF_SACK) ? TCPI_OPT_SACK : 0));
        info.tcpi_snd_wscale = p->snd_scale & 15;
        info.tcpi_rcv_wscale = p->rcv_scale & 15;
        info.tcpi_rto = (u32_t)p->rto * TCP_TMR_INTERVAL * 2 * 1000;
        info.tcpi_snd_mss = info.tcpi_rcv_mss = info.tcpi_advmss = p->mss;
        info.tcpi_retransmits = p->nrtx;
        info.tcpi_unacked = s->unsent / max(p->mss, (u16_t)1);
        info.tcpi_rtt = (u32_t)(p->sa >> 3) * TCP_TMR_INTERVAL * 2 * 1000;
        info.tcpi_snd_cwnd = p->cwnd / max(p->mss, (u16_t)1);
        info.tcpi_snd_ssthresh = p->ssthresh / max(p->mss, (u16_t)1);
        info.tcpi_rcv_space = p->rcv_wnd;
        info.tcpi_pmtu = p->mss + 40u;
    } else if (p) {
        info.tcpi_unacked = s->ready_count;
        info.tcpi_sacked = s->backlog;
    }
    return option_give(value, length, &info, sizeof(info));
}

int tcp_get_option(struct inet_socket *inet, int option, void *value, unsigned *length)
{
    struct tcp_socket *s = container_of(inet, struct tcp_socket, inet);
    int n = 0;
    switch (option) {
    case -SO_ACCEPTCONN:
        n = s->phase == TCP_LISTENING;
        break;
    case TCP_NODELAY:
        n = s->nodelay;
        break;
    case TCP_CORK:
        n = s->corked;
        break;
    case TCP_MAXSEG:
        n = s->pcb && s->phase == TCP_CONNECTED ? s->pcb->mss : s->max_segment ? s->max_segment : 536;
        break;
    case TCP_KEEPIDLE:
        n = s->keep_idle;
        break;
    case TCP_KEEPINTVL:
        n = s->keep_interval;
        break;
    case TCP_KEEPCNT:
        n = s->keep_count;
        break;
    case TCP_USER_TIMEOUT:
        n = s->user_timeout;
        break;
    case TCP_QUICKACK:
        n = 1;
        break;
    case TCP_SYNCNT:
        n = TCP_SYNMAXRTX;
        break;
    case TCP_DEFER_ACCEPT:
    case TCP_LINGER2:
    case TCP_WINDOW_CLAMP:
        break;
    case TCP_CONGESTION:
        return option_give(value, length, congestion, sizeof(congestion));
    case TCP_INFO:
        return give_info(s, value, length);
    default:
        return -ENOPROTOOPT;
    }
    return option_give(value, length, &n, sizeof(n));
}
