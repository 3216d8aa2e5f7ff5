/* inet.h - what the parts of the internet sockets share (private to network/).
 *
 * Layers: inet.c makes sockets; tcp*.c, udp.c and raw.c are the protocols over lwIP's raw API; options.c
 * holds what they have in common; interface.c, dhcp.c and ticks.c keep lwIP itself going. Every entry into
 * lwIP ends with network_settle(). */
#ifndef UNIKIT_INET_H
#define UNIKIT_INET_H

#include <linux/eventpoll.h>
#include <linux/in.h>
#include <linux/in6.h>

#include "file.h"
#include "lwip/ip_addr.h"
#include "lwip/netif.h"
#include "lwip/pbuf.h"
#include "memory.h"
#include "network.h"
#include "socket.h"

/* Events, as wake_all() and poll name them, and shutdown(2)'s directions as bits. */
enum {
    READY_IN = EPOLLIN | EPOLLRDNORM,
    READY_OUT = EPOLLOUT | EPOLLWRNORM,
    READY_ERROR = EPOLLERR,
    READY_HANGUP = EPOLLHUP,
    READY_READ_HANGUP = EPOLLRDHUP,
    READY_ALL = READY_IN | READY_OUT | READY_ERROR | READY_HANGUP | READY_READ_HANGUP,
    SHUT_READ = 1,
    SHUT_WRITE = 2,
};

struct inet_socket;

/* What a protocol does; the rest is inet.c's. */
struct inet_protocol {
    int (*bind)(struct inet_socket *, const ip_addr_t *, uint16_t port);
    int (*connect)(struct inet_socket *, const ip_addr_t *, uint16_t port, bool nonblocking);
    /* For AF_UNSPEC; NULL: not possible. */
    int (*disconnect)(struct inet_socket *);
    void (*names)(struct inet_socket *, ip_addr_t *local, uint16_t *local_port, ip_addr_t *peer,
                  uint16_t *peer_port);
    /* Options were changed: carries them over into the pcb. */
    void (*apply)(struct inet_socket *);
    int (*set_option)(struct inet_socket *, int option, int value); /* of its own level */
    int (*get_option)(struct inet_socket *, int option, void *value, unsigned *length);
    /* Bytes that can be read (SIOCINQ), bytes not yet acknowledged or sent (SIOCOUTQ). */
    size_t (*readable)(struct inet_socket *);
    size_t (*unsent)(struct inet_socket *);
    int level; /* IPPROTO_* of its options */
};

struct inet_socket {
    const struct inet_protocol *ops;
    struct file *file; /* NULL: not accepted yet, or closed already */
    struct wait_queue queue;
    uint8_t family, type, protocol;
    uint8_t shut;    /* SHUT_* by shutdown(2) */
    int error;       /* SO_ERROR, a positive errno */
    bool connected;  /* has a peer */
    bool want_space; /* somebody waits for room to send */
    /* options */
    bool reuse_address, reuse_port, only6, broadcast, keep_alive, receive_errors, receive_errors6,
        packet_info, packet_info6, receive_ttl, receive_tos, multicast_loop, timestamps, send_buffer_set,
        receive_buffer_set;
    uint8_t tos, ttl, multicast_ttl;
    uint8_t interface; /* SO_BINDTODEVICE: index, 0: none */
    uint8_t multicast_interface;
    uint32_t multicast_address; /* network order */
    int linger;                 /* seconds, -1: off */
    int priority, mark;
    struct list memberships;                /* multicast groups (membership.c) */
    uint32_t send_buffer, receive_buffer;   /* bytes, as SO_SNDBUF and SO_RCVBUF tell them */
    uint64_t send_timeout, receive_timeout; /* ns, 0: none */
};

static inline struct inet_socket *inet_of(struct file *f)
{
    return f->data;
}
/* inet.c */
void inet_init(struct inet_socket *, const struct inet_protocol *, int family, int type, int protocol);
struct file *inet_file(struct inet_socket *, const struct file_ops *, int flags);
int inet_bind(struct file *, const void *address, unsigned length);
int inet_connect(struct file *, const void *address, unsigned length);
int inet_name(struct file *, void *address, unsigned *length, bool peer);
long inet_ioctl(struct file *, unsigned request, uintptr_t argument);
int inet_stat(struct file *, struct stat *);
/* Takes the pending error: -errno, or 0. */
int inet_take_error(struct inet_socket *);
/* Waits for `events`, with the socket's time-out: 0, -EAGAIN when time is up, -ERESTARTSYS, -EINTR. */
int inet_wait(struct inet_socket *, unsigned events, uint64_t deadline);
/* lwIP's err_t as -errno. */
int inet_errno(err_t);

/* What the tables of all internet sockets' operations say alike. */
#define INET_SOCKET_OPS                                                                                      \
    .bind = inet_bind, .connect = inet_connect, .name = inet_name, .set_option = inet_set_option,            \
    .get_option = inet_get_option
#define INET_FILE_OPS                                                                                        \
    .read = socket_read, .write = socket_write, .ioctl = inet_ioctl, .stat = inet_stat, .kind = "socket"

/* address.c: struct sockaddr_in and sockaddr_in6 to lwIP's addresses and back. IPv4-mapped addresses on
 * AF_INET6 sockets become IPv4. -EINVAL, -EAFNOSUPPORT. */
int address_in(const struct inet_socket *, const void *from, unsigned length, ip_addr_t *, uint16_t *port);
/* Writes at most 28 bytes; the length. */
unsigned address_out(const struct inet_socket *, void *to, const ip_addr_t *, uint16_t port);
/* May a socket be bound to it: any address, an own one, multicast. */
bool address_is_own(const ip_addr_t *);
bool address_is_any(const ip_addr_t *);
/* Where packets to `to` leave, or NULL. */
struct netif *address_route(const struct inet_socket *, const ip_addr_t *to);
/* The address an unbound socket of the family is bound to. */
const ip_addr_t *address_wildcard(const struct inet_socket *);
int address_print(char *to, size_t size, const ip_addr_t *);

/* options.c */
int inet_set_option(struct file *, int level, int option, const void *value, unsigned length);
int inet_get_option(struct file *, int level, int option, void *value, unsigned *length);
int option_number(const void *value, unsigned length, int *number);
int option_give(void *value, unsigned *length, const void *what, unsigned size);
/* membership.c: IP_ADD_MEMBERSHIP and its kin; -ENOPROTOOPT if it is none of them. */
int membership_option(struct inet_socket *, int level, int option, const void *value, unsigned length);
/* On close. */
void memberships_leave(struct inet_socket *);

/* ports.c: a port that is free for this address, random, or 0. `taken` says whether one is. */
uint16_t port_random(const struct inet_socket *, const ip_addr_t *,
                     bool (*taken)(const struct inet_socket *, const ip_addr_t *, uint16_t port));
/* Do two local addresses stand in each other's way? */
bool addresses_overlap(const ip_addr_t *, const ip_addr_t *);
/* Tells the report channel of a port that is served, once. */
void port_announce(uint16_t port, const char *protocol);

/* interface.c */
/* Handles what lwIP left to be done: loopback packets, timers, frames that the device was not told of. */
void network_settle(void);
/* "lo", "eth0"; index as for if_nametoindex(3). */
void interface_name(const struct netif *, char name[16]);
struct netif *interface_by_name(const char *name);
unsigned interface_flags(const struct netif *); /* IFF_* */
struct interface_counters {
    uint64_t received_bytes, received, sent_bytes, sent, dropped;
};
const struct interface_counters *interface_counters(const struct netif *);
bool interface_is_loopback(const struct netif *);

/* early.c: what comes while the machine starts waits until it can be answered. */
void early_begin(void);
/* The program listens: from soon on it is known which ports are closed. */
void early_listening(void);
/* Takes over the frame (true) if it has to wait. */
bool early_hold(struct netif *, struct pbuf *);
/* Hands in what need not wait any longer; whether there was something. Called by network_settle(). */
bool early_deliver(void);
/* Frames that wait are dropped. */
void early_forget(void);

/* dhcp.c: waits until the interfaces are configured, or the deadline for that has passed. 0 or -ERESTARTSYS.
 */
int network_wait_configured(void);
/* All but loopback are gone, and what they had learnt. (network/interface.c) */
void interfaces_leave(void);
void dhcp_begin(struct netif *);
/* Is there work for lwIP's DHCP timer? */
bool dhcp_pending(void);

/* ticks.c */
void ticks_wake(void);    /* lwIP was used: the timers that it needs now run */
void ticks_traffic(void); /* a frame came in or goes out */

/* tcp.c, udp.c, raw.c */
int tcp_create(int family, struct file **);
int udp_create(int family, int protocol, struct file **);
/* Is it a socket's (recv_arg: its struct inet_socket), or one of lwIP's own? */
struct udp_pcb;
bool udp_is_socket(const struct udp_pcb *);
int raw_create(int family, int type, int protocol, struct file **);
/* An ICMP error about a packet of ours (icmp_errors.c). `hard`: ends a connection attempt. */
void udp_unreachable(const ip_addr_t *local, uint16_t local_port, const ip_addr_t *peer, uint16_t peer_port,
                     int error);
void tcp_unreachable(const ip_addr_t *local, uint16_t local_port, const ip_addr_t *peer, uint16_t peer_port,
                     int error);

#endif
