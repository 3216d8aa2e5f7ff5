/* tcp_socket.h - a TCP socket, as the files tcp_*.c share it. */
#ifndef UNIKIT_TCP_SOCKET_H
#define UNIKIT_TCP_SOCKET_H

#include "inet.h"
#include "lwip/tcp.h"

enum tcp_phase {
    TCP_NEW, /* perhaps bound */
    TCP_LISTENING,
    TCP_HALF_OPEN, /* a peer's SYN was answered: in its listener's half list */
    TCP_CONNECTING,
    TCP_CONNECTED, /* until both sides have closed, and after */
    TCP_FAILED,    /* a connection attempt failed: may try again */
};

/* One object from the first SYN until lwIP has forgotten the connection. `pcb` is lwIP's half of it, NULL
 * once that is gone; the pcb points back through its extension argument. When both file and pcb are gone, it
 * is freed. */
struct tcp_socket {
    struct inet_socket inet;
    struct tcp_pcb *pcb;
    enum tcp_phase phase;
    bool finished; /* the peer's FIN came, behind what is queued */
    bool bound;    /* bind(2) chose `local` */
    bool untold;   /* connect(2) did not wait, and was not asked again */
    bool corked, nodelay;
    bool started;                             /* the first data was sent */
    bool small_sent;                          /* a segment below the maximum went out, up to small_end */
    uint32_t small_end, written;              /* written: bytes since all was sent */
    int keep_idle, keep_interval, keep_count; /* seconds */
    int user_timeout, max_segment;            /* ms, bytes */
    /* received, in order; chained through pbuf->next regardless of tot_len */
    struct pbuf *first, *last;
    uint32_t skip;     /* bytes of `first` that were read */
    uint32_t queued;   /* bytes to read */
    uint32_t spare;    /* room behind `last`, if it is a buffer of ours */
    uint32_t unsent;   /* bytes given to lwIP and not acknowledged */
    uint64_t progress; /* when the peer last acknowledged, for TCP_USER_TIMEOUT */
    /* names, for after the pcb */
    ip_addr_t local, peer;
    uint16_t local_port, peer_port;
    /* listening */
    struct tcp_socket *listener;
    struct list link; /* in the listener's half or ready */
    struct list half, ready;
    unsigned half_count, ready_count, backlog;
};

extern const struct inet_protocol tcp_protocol;
extern const struct file_ops tcp_file_ops;
extern const struct tcp_ext_arg_callbacks tcp_callbacks, tcp_listen_callbacks;

static inline struct tcp_socket *tcp_of(struct file *f)
{
    return f->data;
}

/* tcp.c */
struct tcp_socket *tcp_socket_new(int family);
/* Frees what the socket holds, if neither the file nor lwIP knows it any more. */
void tcp_socket_drop(struct tcp_socket *);
/* Connects the two halves: callbacks and the socket's options. */
void tcp_attach(struct tcp_socket *, struct tcp_pcb *);
void tcp_detach(struct tcp_socket *);
void tcp_apply(struct inet_socket *);

/* tcp_listen.c */
int tcp_socket_listen(struct file *, int backlog);
int tcp_socket_accept(struct file *, struct file **connection, int flags);
void tcp_listen_end(struct tcp_socket *);

/* tcp_data.c */
ssize_t tcp_socket_send(struct file *, struct socket_message *);
ssize_t tcp_socket_receive(struct file *, struct socket_message *);
unsigned tcp_file_poll(struct file *, struct poller *);
err_t tcp_received(void *socket, struct tcp_pcb *, struct pbuf *, err_t);
err_t tcp_acknowledged(void *socket, struct tcp_pcb *, u16_t length);
void tcp_failed(void *socket, err_t);
err_t tcp_polled(void *socket, struct tcp_pcb *);
void tcp_queue_free(struct tcp_socket *);
/* Lets the peer send as much as the socket has room for. */
void tcp_window_open(struct tcp_socket *);
/* What is left to be sent goes out, as far as corking allows. */
void tcp_push(struct tcp_socket *);

/* tcp_memory.c: what all connections together hold */
void tcp_memory_receive(long bytes);
void tcp_memory_send(long bytes);
/* Bytes that this socket may have queued now. */
uint32_t tcp_receive_limit(const struct tcp_socket *);
uint32_t tcp_send_limit(const struct tcp_socket *);

/* tcp_options.c */
int tcp_set_option(struct inet_socket *, int option, int value);
int tcp_get_option(struct inet_socket *, int option, void *value, unsigned *length);

#endif
