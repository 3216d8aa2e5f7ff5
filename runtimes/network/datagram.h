/* datagram.h - what UDP and raw sockets share: a queue of packets with their addresses. */
#ifndef UNIKIT_DATAGRAM_H
#define UNIKIT_DATAGRAM_H

#include "inet.h"

struct datagram {
    struct list link;
    struct pbuf *p;
    ip_addr_t from, to;
    uint16_t port;
    uint8_t interface, ttl, tos;
};

struct datagram_socket {
    struct inet_socket inet;
    struct list queue; /* struct datagram */
    size_t charged;    /* bytes of memory that the queue holds */
};

static inline struct datagram_socket *datagram_of(struct file *f)
{
    return f->data;
}

#define DATAGRAM_SOCKET_OPS INET_SOCKET_OPS, .receive = datagram_receive, .shutdown = datagram_shutdown
#define DATAGRAM_FILE_OPS   INET_FILE_OPS, .poll = datagram_poll

/* Queues a packet that lwIP is just handing in (takes over p), or drops it when the buffer is full. */
void datagram_arrived(struct datagram_socket *, struct pbuf *p, const ip_addr_t *from, uint16_t port);
void datagrams_free(struct datagram_socket *);
ssize_t datagram_receive(struct file *, struct socket_message *);
/* Carries the options of all packets over into what lwIP's control blocks have alike. */
struct ip_pcb;
void datagram_apply(const struct inet_socket *, struct ip_pcb *);
unsigned datagram_poll(struct file *, struct poller *);
size_t datagram_readable(struct inet_socket *);
int datagram_shutdown(struct file *, int how);
/* The message's bytes in a new pbuf with room for headers of `layer`; -EMSGSIZE, -EFAULT, -ENOBUFS. */
int datagram_take(struct io *, size_t most, pbuf_layer layer, struct pbuf **);

#endif
