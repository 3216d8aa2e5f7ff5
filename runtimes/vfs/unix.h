/* unix.h - what the parts of the AF_UNIX family share (vfs/unix*.c). */
#ifndef UNIKIT_UNIX_H
#define UNIKIT_UNIX_H

#include "socket.h"

struct node;

enum { UNIX_PATH_ROOM = 108 };

struct unix_name { /* struct sockaddr_un */
    uint16_t family;
    char path[UNIX_PATH_ROOM];
};

/* A bound name; shared by a listening socket and what it accepted, and by the packets that were sent under
 * it. */
struct unix_address {
    unsigned users;
    unsigned length; /* of `name` */
    struct unix_name name;
    struct node *node; /* a path's; NULL: an abstract name */
    struct unix_socket *socket;
    struct list link; /* abstract names */
};

struct credentials { /* struct ucred */
    int pid;
    unsigned uid, gid;
};

enum { RIGHTS_MOST = 253 }; /* SCM_MAX_FD */

struct rights {
    unsigned count;
    struct file *files[];
};

/* Some bytes of a stream, or one datagram. */
struct packet {
    struct list link;
    struct unix_address *sender; /* NULL: unnamed */
    struct credentials credentials;
    struct rights *rights;
    size_t room, length, taken;
    char data[];
};

enum unix_state { UNIX_FRESH, UNIX_LISTENING, UNIX_CONNECTED };
enum { SHUT_RECEIVE = 1, SHUT_SEND = 2, SHUT_BOTH = 3 };

struct unix_socket {
    struct socket_common common;
    unsigned users;    /* the file, and waits that must outlive it */
    struct file *file; /* NULL: not accepted yet, or closed */
    struct list all;   /* every socket, for the garbage collector */
    enum unix_state state;
    unsigned shut;
    int error; /* SO_ERROR, positive */
    struct unix_address *address, *peer_address;
    struct unix_socket *peer;
    bool lost_peer;         /* a datagram socket's peer was closed */
    struct list followers;  /* sockets whose peer this is */
    struct list follow;     /* in peer->followers */
    struct list packets;    /* received */
    size_t queued, count;   /* bytes and packets there */
    struct list pending;    /* listening: connections not accepted yet */
    struct list in_pending; /* in the listener's list */
    unsigned pending_count, backlog;
    struct credentials peer_credentials;
    struct wait_queue queue; /* everything that poll tells */
    struct wait_queue space; /* senders and connecters who wait for room here */
    unsigned held;           /* garbage collection: references in queues */
    bool marked;             /* can be reached */
};

extern struct list unix_sockets;

/* vfs/unix_name.c */
struct unix_address *unix_address_get(struct unix_address *);
void unix_address_put(struct unix_address *);
int unix_bind(struct unix_socket *, const void *name, unsigned length);
void unix_unbind(struct unix_socket *);
/* The socket that is bound to a name. */
int unix_find(const void *name, unsigned length, struct unix_socket **);
/* A name for a caller; NULL: unnamed. */
void unix_name_out(const struct unix_address *, void *name, unsigned *length);

/* vfs/unix_packet.c */
struct packet *packet_new(const struct unix_socket *sender, size_t room);
void packet_free(struct packet *);
/* What the sender gave along (SCM_RIGHTS, SCM_CREDENTIALS). 0 or -errno. */
int packet_control_in(struct packet *, const struct socket_message *);
/* What goes with the packet, to the receiver. `keep`: it was only looked at. */
void packet_control_out(struct packet *, struct socket_message *, bool pass_credentials, bool keep);
struct credentials credentials_own(void);

/* vfs/unix_garbage.c: sockets that are in flight to nobody */
void unix_in_flight(struct file *, int change);
void unix_collect(void);

/* vfs/unix.c */
bool unix_is_socket(const struct file *);
void unix_drop_packets(struct unix_socket *);

#endif
