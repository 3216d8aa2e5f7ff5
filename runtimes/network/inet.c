/* inet.c - internet sockets (ip(7), ipv6(7)): makes them, and does what all protocols have in common. */
#include <asm/stat.h>
#include <linux/sockios.h>
#include <asm/ioctls.h>

#include "inet.h"
#include "lwip/err.h"

#define SOCKET_MODE 0140777 /* S_IFSOCK | 0777 */

static int create(int family, int type, int protocol, struct file **file)
{
    switch (type) {
    case SOCK_STREAM:
        if (protocol != 0 && protocol != IPPROTO_TCP)
            return -EPROTONOSUPPORT;
        return tcp_create(family, file);
    case SOCK_DGRAM:
        if (protocol == 0 || protocol == IPPROTO_UDP || protocol == IPPROTO_UDPLITE)
            return udp_create(family, protocol, file);
        if (protocol == (family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6))
            return raw_create(family, type, protocol, file);
        return -EPROTONOSUPPORT;
    case SOCK_RAW:
        if (protocol <= 0 || protocol > 255)
            return -EPROTONOSUPPORT;
        return raw_create(family, type, protocol, file);
    default:
        return -ESOCKTNOSUPPORT;
    }
}

static int create4(int type, int protocol, struct file **file)
{
    return create(AF_INET, type, protocol, file);
}

static int create6(int type, int protocol, struct file **file)
{
    return create(AF_INET6, type, protocol, file);
}

SOCKET_FAMILY(inet) = {.family = AF_INET, .create = create4};
SOCKET_FAMILY(inet6) = {.family = AF_INET6, .create = create6};

void inet_init(struct inet_socket *s, const struct inet_protocol *ops, int family, int type, int protocol)
{
    s->ops = ops;
    wait_queue_init(&s->queue);
    list_init(&s->memberships);
    s->family = (uint8_t)family;
    s->type = (uint8_t)type;
    s->protocol = (uint8_t)protocol;
    s->ttl = IP_DEFAULT_TTL;
    s->multicast_ttl = 1;
    s->multicast_loop = true;
    s->linger = -1;
    s->send_buffer = s->receive_buffer = 212992; /* Linux's net.core.[rw]mem_default */
}

struct file *inet_file(struct inet_socket *s, const struct file_ops *ops, int flags)
{
    s->file = file_new(ops, O_RDWR | flags, s);
    return s->file;
}

int inet_take_error(struct inet_socket *s)
{
    int error = s->error;
    s->error = 0;
    return -error;
}

int inet_wait(struct inet_socket *s, unsigned events, uint64_t deadline)
{
    network_settle();
    int result = wait_on(&s->queue, events, deadline);
    return result ? socket_wait_error(result, deadline == NEVER ? 0 : deadline) : 0;
}

int inet_errno(err_t error)
{
    switch (error) {
    case ERR_OK:
        return 0;
    case ERR_MEM:
        return -ENOBUFS;
    case ERR_BUF:
        return -ENOBUFS;
    case ERR_TIMEOUT:
        return -ETIMEDOUT;
    case ERR_RTE:
        return -ENETUNREACH;
    case ERR_INPROGRESS:
        return -EINPROGRESS;
    case ERR_WOULDBLOCK:
        return -EAGAIN;
    case ERR_USE:
        return -EADDRINUSE;
    case ERR_ALREADY:
        return -EALREADY;
    case ERR_ISCONN:
        return -EISCONN;
    case ERR_CONN:
        return -ENOTCONN;
    case ERR_ABRT:
        return -ECONNABORTED;
    case ERR_RST:
        return -ECONNRESET;
    case ERR_CLSD:
        return -ENOTCONN;
    default:
        return -EINVAL;
    }
}

int inet_bind(struct file *file, const void *address, unsigned length)
{
    struct inet_socket *s = inet_of(file);
    ip_addr_t ip;
    uint16_t port;
    int error = address_in(s, address, length, &ip, &port);
    if (error)
        return error == -ENETUNREACH ? -EINVAL : error;
    if (IP_IS_V6(&ip) && ip6_addr_isany(ip_2_ip6(&ip)))
        ip = *address_wildcard(s);
    /* An address that DHCP has yet to give may be meant. */
    if (!address_is_own(&ip)) {
        error = network_wait_configured();
        if (error)
            return error;
        if (!address_is_own(&ip))
            return -EADDRNOTAVAIL;
    }
    error = s->ops->bind(s, &ip, port);
    network_settle();
    return error;
}

int inet_connect(struct file *file, const void *address, unsigned length)
{
    struct inet_socket *s = inet_of(file);
    ip_addr_t ip;
    uint16_t port, family = AF_UNSPEC;
    if (length < sizeof(family))
        return -EINVAL;
    memcpy(&family, address, sizeof(family));
    int error;
    if (family == AF_UNSPEC) {
        if (!s->ops->disconnect)
            return -EAFNOSUPPORT;
        error = s->ops->disconnect(s);
        network_settle();
        return error;
    }
    error = address_in(s, address, length, &ip, &port);
    if (error)
        return error;
    /* Linux: the any address is this machine. */
    if (address_is_any(&ip))
        ip_addr_set_loopback(IP_IS_V6(&ip), &ip);
    if (!ip_addr_isloopback(&ip)) {
        error = network_wait_configured();
        if (error)
            return error;
    }
    error = s->ops->connect(s, &ip, port, socket_nonblocking(file, 0));
    network_settle();
    return error;
}

int inet_name(struct file *file, void *address, unsigned *length, bool peer)
{
    struct inet_socket *s = inet_of(file);
    ip_addr_t local = *address_wildcard(s), remote = {0};
    uint16_t local_port = 0, remote_port = 0;
    s->ops->names(s, &local, &local_port, &remote, &remote_port);
    if (peer && !s->connected)
        return -ENOTCONN;
    *length =
        peer ? address_out(s, address, &remote, remote_port) : address_out(s, address, &local, local_port);
    return 0;
}

int inet_stat(struct file *file, struct stat *st)
{
    memset(st, 0, sizeof(*st));
    st->st_dev = 8;
    st->st_ino = file->inode;
    st->st_mode = SOCKET_MODE;
    st->st_nlink = 1;
    st->st_blksize = PAGE_SIZE;
    return 0;
}

long inet_ioctl(struct file *file, unsigned request, uintptr_t argument)
{
    struct inet_socket *s = inet_of(file);
    int n;
    switch (request) {
    case FIONREAD:
        n = (int)s->ops->readable(s);
        return put_user((int __user *)argument, n);
    case TIOCOUTQ:
        n = s->ops->unsent ? (int)s->ops->unsent(s) : 0;
        return put_user((int __user *)argument, n);
    default:
        return interface_ioctl(request, argument);
    }
}
