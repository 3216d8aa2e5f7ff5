/* socket.h - the numbers and structures of the socket interface, and what address families share.
 * (vfs/socket.c, vfs/socket_options.c) Linux keeps the numbers out of its exported headers; they are those of
 * its ABI, socket(2). */
#ifndef UNIKIT_SOCKET_H
#define UNIKIT_SOCKET_H

#include <asm/socket.h>
#include <linux/fcntl.h>

#include "file.h"

#ifndef AF_UNSPEC
#define AF_UNSPEC  0
#define AF_UNIX    1
#define AF_INET    2
#define AF_INET6   10
#define AF_NETLINK 16
#define AF_PACKET  17
#endif

#ifndef SOCK_STREAM
#define SOCK_STREAM    1
#define SOCK_DGRAM     2
#define SOCK_RAW       3
#define SOCK_SEQPACKET 5
#endif
#define SOCK_TYPE_MASK 0xf
#define SOCK_CLOEXEC   O_CLOEXEC
#define SOCK_NONBLOCK  O_NONBLOCK

#ifndef MSG_OOB
#define MSG_OOB          0x1
#define MSG_PEEK         0x2
#define MSG_DONTROUTE    0x4
#define MSG_CTRUNC       0x8
#define MSG_TRUNC        0x20
#define MSG_DONTWAIT     0x40
#define MSG_EOR          0x80
#define MSG_WAITALL      0x100
#define MSG_ERRQUEUE     0x2000
#define MSG_NOSIGNAL     0x4000
#define MSG_MORE         0x8000
#define MSG_WAITFORONE   0x10000
#define MSG_CMSG_CLOEXEC 0x40000000
#endif

#ifndef SHUT_RD
#define SHUT_RD   0
#define SHUT_WR   1
#define SHUT_RDWR 2
#endif

#define SCM_RIGHTS      1
#define SCM_CREDENTIALS 2

enum { ADDRESS_ROOM = 128 }; /* struct sockaddr_storage */

struct message_header { /* struct msghdr of the ABI */
    void *name;
    int name_length;
    const struct iovec *vectors;
    size_t vector_count;
    void *control;
    size_t control_length;
    unsigned flags;
};

struct control_header { /* struct cmsghdr */
    size_t length;
    int level, type;
};
#define CONTROL_ALIGN(n) align_up((size_t)(n), sizeof(size_t))
/* Appends a control message to what the receiver gets; cut off with MSG_CTRUNC if there is no room. */
void control_put(struct socket_message *, int level, int type, const void *data, size_t length);
/* Room for data in one more control message. */
size_t control_room(const struct socket_message *);
/* The next control message at *at: true and *at moved behind it; `header` NULL: at the end. -EINVAL:
 * malformed. */
int control_next(const struct socket_message *, size_t *at, const struct control_header **header);

/* netdevice(7): what any socket tells of network interfaces; -ENOTTY without them. (network/ioctl.c) */
long interface_ioctl(unsigned request, uintptr_t argument);

/* ---- what every family answers alike */
struct socket_common {
    int family, type, protocol;
    uint64_t receive_time, send_time; /* SO_RCVTIMEO, SO_SNDTIMEO in ns, 0: none */
    int receive_size, send_size;      /* SO_RCVBUF, SO_SNDBUF as getsockopt tells them */
    bool pass_credentials;            /* SO_PASSCRED */
    bool reuse_address, reuse_port, keep_alive, broadcast;
};
/* SOL_SOCKET options that need no more than remembering. -ENOPROTOOPT: not one of them. */
int socket_common_set(struct socket_common *, int level, int option, const void *value, unsigned length);
int socket_common_get(const struct socket_common *, int level, int option, void *value, unsigned *length);
/* An int as an option's value, cut to the length that was asked for; 0. */
int socket_option_int(int number, void *value, unsigned *length);

static inline bool socket_nonblocking(const struct file *f, int message_flags)
{
    return (f->flags & O_NONBLOCK) || (message_flags & MSG_DONTWAIT);
}
/* The end of a wait that may last `time` (0: for ever). */
static inline uint64_t socket_deadline(uint64_t time)
{
    return time ? clock_now() + time : NEVER;
}
/* What a wait's failure means for a socket call with this time limit (socket(7)): the limit reached is
 * EAGAIN, and with a limit a signal ends the call instead of restarting it. */
static inline int socket_wait_error(int error, uint64_t time)
{
    if (error == -ETIMEDOUT)
        return -EAGAIN;
    return error == -ERESTARTSYS && time ? -EINTR : error;
}

/* read(2) and write(2) of a socket, for its file_ops. */
ssize_t socket_read(struct file *, struct io *, uint64_t *pos);
ssize_t socket_write(struct file *, struct io *, uint64_t *pos);

#endif
