/* vfs/socket.c - the socket calls, whatever the address family: they check and copy arguments, and the family
 * does the rest through `struct socket_ops` (socket(2), send(2), recv(2)).
 *
 * Families add themselves to the table unikit_socket_families; one that is not linked answers EAFNOSUPPORT.
 */
#include "socket.h"

#include "memory.h"

enum { VECTORS_MOST = 1024, CONTROL_MOST = 20480, FEW_CONTROL = 128, OPTION_MOST = 1024 };

/* The socket behind fd with a reference taken, or NULL and *error. */
static struct file *socket_get(int fd, int *error)
{
    struct file *f = fd_get(fd);
    if (f && f->ops->socket)
        return f;
    *error = f ? -ENOTSOCK : -EBADF;
    if (f)
        file_put(f);
    return NULL;
}

#define WITH_SOCKET(fd, f)                                                                                   \
    int error_ = 0;                                                                                          \
    struct file *f = socket_get(fd, &error_);                                                                \
    if (!f)                                                                                                  \
        return error_;

WEAK long interface_ioctl(unsigned request, uintptr_t argument)
{
    (void)request, (void)argument;
    return -ENOTTY;
}

static int address_in(void *to, const void __user *from, int length)
{
    if (length < 0 || length > ADDRESS_ROOM)
        return -EINVAL;
    return copy_in(to, from, (size_t)length);
}

/* The address as far as the caller has room; its whole length goes to *user_length. */
static int address_out(void __user *to, int __user *user_length, const void *address, unsigned length)
{
    int room, whole = (int)length;

    if (copy_in(&room, user_length, sizeof(room)) < 0)
        return -EFAULT;
    if (room < 0)
        return -EINVAL;
    if (copy_out(to, address, min((unsigned)room, length)) < 0)
        return -EFAULT;
    return copy_out(user_length, &whole, sizeof(whole));
}

/* ---- making sockets */

static const struct socket_family_record *find_family(int number)
{
    for_each_record(unikit_socket_families, family) if (family->family == number) return family;
    return NULL;
}

static int check_type(int type)
{
    int flags = type & ~SOCK_TYPE_MASK;
    return flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC) ? -EINVAL : 0;
}

SYSCALL(socket, int domain, int type, int protocol)
{
    const struct socket_family_record *family = find_family(domain);
    struct file *f;
    int result = check_type(type);

    if (result < 0)
        return result;
    if (!family || !family->create)
        return -EAFNOSUPPORT;
    result = family->create(type & SOCK_TYPE_MASK, protocol, &f);
    if (result < 0)
        return result;
    f->flags |= O_RDWR | (type & SOCK_NONBLOCK);
    return fd_install(f, 0, (type & SOCK_CLOEXEC) != 0);
}

SYSCALL(socketpair, int domain, int type, int protocol, int __user *user)
{
    const struct socket_family_record *family = find_family(domain);
    struct file *pair[2];
    int result = check_type(type);

    if (result < 0)
        return result;
    if (!family)
        return -EAFNOSUPPORT;
    if (!family->pair)
        return -EOPNOTSUPP;
    result = family->pair(type & SOCK_TYPE_MASK, protocol, pair);
    if (result < 0)
        return result;
    pair[0]->flags |= O_RDWR | (type & SOCK_NONBLOCK);
    pair[1]->flags |= O_RDWR | (type & SOCK_NONBLOCK);
    return fd_install_pair(pair, (type & SOCK_CLOEXEC) != 0, user);
}

/* ---- names and connections */

/* What the family does with an address; drops the reference to the socket. */
static int with_address(struct file *f, int (*act)(struct file *, const void *address, unsigned length),
                        const void __user *user, int length)
{
    char name[ADDRESS_ROOM];
    int result = address_in(name, user, length);

    if (result == 0)
        result = act ? act(f, name, (unsigned)length) : -EOPNOTSUPP;
    file_put(f);
    return result;
}

SYSCALL(bind, int fd, const void __user *address, int length)
{
    WITH_SOCKET(fd, f);
    return with_address(f, f->ops->socket->bind, address, length);
}

SYSCALL(connect, int fd, const void __user *address, int length)
{
    WITH_SOCKET(fd, f);
    return with_address(f, f->ops->socket->connect, address, length);
}

SYSCALL(listen, int fd, int backlog)
{
    int result;
    WITH_SOCKET(fd, f);

    result = f->ops->socket->listen ? f->ops->socket->listen(f, backlog) : -EOPNOTSUPP;
    file_put(f);
    return result;
}

/* Is there a descriptor left? Asked before a connection is taken off the queue, which would be lost
 * otherwise. */
static int descriptor_left(struct file *f)
{
    int fd = fd_install(file_get(f), 0, false);
    return fd < 0 ? fd : fd_close(fd);
}

static int accept_on(struct file *f, void __user *address, int __user *length, int flags)
{
    char name[ADDRESS_ROOM];
    unsigned n = sizeof(name);
    struct file *connection;
    int fd, result;

    if (!f->ops->socket->accept)
        return -EOPNOTSUPP;
    result = descriptor_left(f);
    if (result < 0)
        return result;
    result = f->ops->socket->accept(f, &connection, flags);
    if (result < 0)
        return result;
    connection->flags |= O_RDWR | (flags & SOCK_NONBLOCK);
    if (address) {
        result = connection->ops->socket->name(connection, name, &n, true);
        if (result < 0) /* already gone again */
            n = 0;
        result = address_out(address, length, name, n);
        if (result < 0) {
            file_put(connection);
            return result;
        }
    }
    fd = fd_install(connection, 0, (flags & SOCK_CLOEXEC) != 0);
    return fd;
}

SYSCALL(accept4, int fd, void __user *address, int __user *length, int flags)
{
    int result;
    WITH_SOCKET(fd, f);

    result = flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC) ? -EINVAL : accept_on(f, address, length, flags);
    file_put(f);
    return result;
}

SYSCALL(accept, int fd, void __user *address, int __user *length)
{
    int result;
    WITH_SOCKET(fd, f);

    result = accept_on(f, address, length, 0);
    file_put(f);
    return result;
}

static long get_name(int fd, void __user *address, int __user *length, bool peer)
{
    char name[ADDRESS_ROOM];
    unsigned n = sizeof(name);
    int result;
    WITH_SOCKET(fd, f);

    result = f->ops->socket->name(f, name, &n, peer);
    file_put(f);
    return result < 0 ? result : address_out(address, length, name, n);
}

SYSCALL(getsockname, int fd, void __user *address, int __user *length)
{
    return get_name(fd, address, length, false);
}

SYSCALL(getpeername, int fd, void __user *address, int __user *length)
{
    return get_name(fd, address, length, true);
}

SYSCALL(shutdown, int fd, int how)
{
    int result = -EINVAL;
    WITH_SOCKET(fd, f);

    if (how >= SHUT_RD && how <= SHUT_RDWR)
        result = f->ops->socket->shutdown ? f->ops->socket->shutdown(f, how) : -EOPNOTSUPP;
    file_put(f);
    return result;
}

/* ---- options */

SYSCALL(setsockopt, int fd, int level, int option, const void __user *value, int length)
{
    char few[64], *buffer = few;
    int result;
    WITH_SOCKET(fd, f);

    result = length < 0 ? -EINVAL : 0;
    length = min(length, (int)OPTION_MOST);
    if (result == 0 && length > (int)sizeof(few)) {
        buffer = kmalloc(OPTION_MOST);
        result = buffer ? 0 : -ENOMEM;
    }
    if (result == 0)
        result = copy_in(buffer, value, (size_t)length);
    if (result == 0)
        result = f->ops->socket->set_option
                     ? f->ops->socket->set_option(f, level, option, buffer, (unsigned)length)
                     : -ENOPROTOOPT;
    if (buffer != few)
        kfree(buffer);
    file_put(f);
    return result;
}

static int option_out(struct file *f, int level, int option, void __user *value, int __user *user_length)
{
    char few[64] = {0}, *buffer = few;
    int length, result;

    if (copy_in(&length, user_length, sizeof(length)) < 0)
        return -EFAULT;
    if (length < 0)
        return -EINVAL;
    if (!f->ops->socket->get_option)
        return -ENOPROTOOPT;
    length = min(length, (int)OPTION_MOST);
    if (length > (int)sizeof(few)) {
        buffer = kzalloc(OPTION_MOST);
        if (!buffer)
            return -ENOMEM;
    }
    result = f->ops->socket->get_option(f, level, option, buffer, (unsigned *)&length);
    if (result >= 0 &&
        (copy_out(value, buffer, (size_t)length) < 0 || copy_out(user_length, &length, sizeof(length)) < 0))
        result = -EFAULT;
    if (buffer != few)
        kfree(buffer);
    return result;
}

SYSCALL(getsockopt, int fd, int level, int option, void __user *value, int __user *length)
{
    int result;
    WITH_SOCKET(fd, f);

    result = option_out(f, level, option, value, length);
    file_put(f);
    return result;
}

/* ---- sending */

static ssize_t send_message(struct file *f, struct socket_message *m)
{
    ssize_t result;
    int flags = m->flags;

    if (!f->ops->socket->send)
        return -EOPNOTSUPP;
    result = f->ops->socket->send(f, m);
    if (unlikely(result == -EPIPE) && !(flags & MSG_NOSIGNAL)) {
        int type = SOCK_STREAM;
        unsigned length = sizeof(type);
        if (f->ops->socket->get_option)
            f->ops->socket->get_option(f, SOL_SOCKET, SO_TYPE, &type, &length);
        if (type != SOCK_DGRAM)
            signal_send(current, &(struct signal_info){.number = 13}); /* SIGPIPE */
    }
    return result;
}

ssize_t socket_write(struct file *f, struct io *io, uint64_t *pos)
{
    struct socket_message m = {.io = io};
    (void)pos;
    return send_message(f, &m);
}

SYSCALL(sendto, int fd, const void __user *buffer, size_t length, int flags, const void __user *address,
        int address_length)
{
    char name[ADDRESS_ROOM];
    struct io io;
    struct socket_message m = {.io = &io, .flags = flags};
    ssize_t result = 0;
    WITH_SOCKET(fd, f);

    if (address) {
        result = address_in(name, address, address_length);
        m.name = name;
        m.name_length = (unsigned)address_length;
    }
    if (result == 0) {
        io_init(&io, (void *)buffer, min(length, (size_t)0x7ffff000), false);
        result = send_message(f, &m);
    }
    file_put(f);
    return result;
}

/* A message header from user memory with its vectors; io_done(io) if 0. */
static int header_in(struct message_header *h, const struct message_header __user *user, struct io *io)
{
    int result;
    if (copy_in(h, user, sizeof(*h)) < 0)
        return -EFAULT;
    if (h->name_length < 0)
        return -EINVAL;
    if (h->vector_count > VECTORS_MOST)
        return -EMSGSIZE;
    result = io_init_vectors(io, h->vectors, h->vector_count);
    return min(result, 0);
}

static ssize_t send_header(struct file *f, const struct message_header __user *user, int flags)
{
    char name[ADDRESS_ROOM], few[FEW_CONTROL] __attribute__((aligned(8)));
    struct message_header h;
    struct io io;
    struct socket_message m = {.io = &io, .flags = flags};
    ssize_t result = header_in(&h, user, &io);

    if (result < 0)
        return result;
    if (h.name && h.name_length) {
        m.name = name;
        m.name_length = (unsigned)h.name_length;
        result = address_in(name, h.name, h.name_length);
    }
    if (result == 0 && h.control && h.control_length) {
        m.control_length = h.control_length;
        m.control = few;
        if (h.control_length > CONTROL_MOST)
            result = -ENOBUFS;
        else if (h.control_length > sizeof(few))
            m.control = kmalloc(h.control_length);
        if (!m.control)
            result = -ENOMEM;
        if (result == 0)
            result = copy_in(m.control, h.control, h.control_length);
    }
    if (result == 0)
        result = send_message(f, &m);
    if (m.control != few)
        kfree(m.control);
    io_done(&io);
    return result;
}

SYSCALL(sendmsg, int fd, const struct message_header __user *header, int flags)
{
    ssize_t result;
    WITH_SOCKET(fd, f);

    result = send_header(f, header, flags);
    file_put(f);
    return result;
}

struct many_header { /* struct mmsghdr */
    struct message_header header;
    unsigned length;
};

SYSCALL(sendmmsg, int fd, struct many_header __user *headers, unsigned count, int flags)
{
    ssize_t result = 0;
    unsigned done = 0;
    WITH_SOCKET(fd, f);

    for (; done < min(count, (unsigned)VECTORS_MOST); done++) {
        unsigned length;
        result = send_header(f, &headers[done].header, flags);
        if (result < 0)
            break;
        length = (unsigned)result;
        if (copy_out(&headers[done].length, &length, sizeof(length)) < 0) {
            result = -EFAULT;
            break;
        }
    }
    file_put(f);
    return done || result >= 0 ? (long)done : result;
}

/* ---- receiving */

static ssize_t receive_message(struct file *f, struct socket_message *m)
{
    return f->ops->socket->receive ? f->ops->socket->receive(f, m) : -EOPNOTSUPP;
}

ssize_t socket_read(struct file *f, struct io *io, uint64_t *pos)
{
    struct socket_message m = {.io = io};
    (void)pos;
    return receive_message(f, &m);
}

SYSCALL(recvfrom, int fd, void __user *buffer, size_t length, int flags, void __user *address,
        int __user *address_length)
{
    char name[ADDRESS_ROOM];
    struct io io;
    struct socket_message m = {.io = &io, .flags = flags, .name = address ? name : NULL};
    ssize_t result;
    WITH_SOCKET(fd, f);

    io_init(&io, buffer, min(length, (size_t)0x7ffff000), false);
    result = receive_message(f, &m);
    if (result >= 0 && address) {
        int error = address_out(address, address_length, name, m.name_length);
        if (error < 0)
            result = error;
    }
    file_put(f);
    return result;
}

/* What the family filled in, back into the user's header. */
static int header_out(struct message_header __user *user, const struct message_header *h,
                      const struct socket_message *m)
{
    size_t used = m->control_used;
    unsigned flags = (unsigned)m->flags;
    int name_length = (int)m->name_length;

    if (h->name && (copy_out(h->name, m->name, min((unsigned)h->name_length, m->name_length)) < 0 ||
                    copy_out(&user->name_length, &name_length, sizeof(name_length)) < 0))
        return -EFAULT;
    if (used && copy_out(h->control, m->control, used) < 0)
        return -EFAULT;
    if (copy_out(&user->control_length, &used, sizeof(used)) < 0 ||
        copy_out(&user->flags, &flags, sizeof(flags)) < 0)
        return -EFAULT;
    return 0;
}

static ssize_t receive_header(struct file *f, struct message_header __user *user, int flags)
{
    char name[ADDRESS_ROOM], few[FEW_CONTROL] __attribute__((aligned(8)));
    struct message_header h;
    struct io io;
    struct socket_message m = {.io = &io, .flags = flags};
    ssize_t result = header_in(&h, user, &io);

    if (result < 0)
        return result;
    m.name = h.name ? name : NULL;
    if (h.control && h.control_length) {
        m.control_length = min(h.control_length, (size_t)CONTROL_MOST);
        m.control = m.control_length > sizeof(few) ? kmalloc(m.control_length) : few;
        if (!m.control)
            result = -ENOMEM;
    }
    if (result == 0)
        result = receive_message(f, &m);
    m.flags &= MSG_TRUNC | MSG_CTRUNC | MSG_EOR | MSG_OOB | MSG_ERRQUEUE | MSG_CMSG_CLOEXEC;
    if (result >= 0) {
        int error = header_out(user, &h, &m);
        if (error < 0)
            result = error;
    }
    if (m.control != few)
        kfree(m.control);
    io_done(&io);
    return result;
}

SYSCALL(recvmsg, int fd, struct message_header __user *header, int flags)
{
    ssize_t result;
    WITH_SOCKET(fd, f);

    result = receive_header(f, header, flags);
    file_put(f);
    return result;
}

struct nanoseconds { /* struct timespec */
    int64_t sec, nsec;
};

/* The time-out is looked at between messages only, as in Linux. */
SYSCALL(recvmmsg, int fd, struct many_header __user *headers, unsigned count, int flags,
        const struct nanoseconds __user *timeout)
{
    struct nanoseconds t;
    uint64_t deadline = NEVER;
    ssize_t result = 0;
    unsigned done = 0;

    if (timeout) {
        if (copy_in(&t, timeout, sizeof(t)) < 0)
            return -EFAULT;
        if (t.sec < 0 || t.nsec < 0 || t.nsec >= 1000000000)
            return -EINVAL;
        if (t.sec < 1L << 33)
            deadline = clock_now() + (uint64_t)t.sec * 1000000000 + (uint64_t)t.nsec;
    }
    WITH_SOCKET(fd, f);
    while (done < min(count, (unsigned)VECTORS_MOST)) {
        unsigned length;
        result = receive_header(f, &headers[done].header, flags & ~MSG_WAITFORONE);
        if (result < 0)
            break;
        length = (unsigned)result;
        if (copy_out(&headers[done].length, &length, sizeof(length)) < 0) {
            result = -EFAULT;
            break;
        }
        done++;
        if (flags & MSG_WAITFORONE)
            flags |= MSG_DONTWAIT;
        if (deadline != NEVER && clock_now() >= deadline)
            break;
    }
    file_put(f);
    return done || result >= 0 ? (long)done : result;
}
