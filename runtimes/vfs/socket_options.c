/* vfs/socket_options.c - socket(7): the options of the socket level that every family answers alike, and the
 * format of control messages (cmsg(3)).
 */
#include "socket.h"

#include "memory.h"

struct time_value { /* struct timeval */
    int64_t sec, usec;
};

enum { SIZE_LEAST = 2304, SIZE_MOST = 425984 }; /* of a buffer, as Linux bounds them by default */

int socket_option_int(int number, void *value, unsigned *length)
{
    *length = min(*length, (unsigned)sizeof(number));
    memcpy(value, &number, *length);
    return 0;
}

static int set_time(uint64_t *time, const void *value, unsigned length)
{
    struct time_value t;
    if (length < sizeof(t))
        return -EINVAL;
    memcpy(&t, value, sizeof(t));
    if (t.usec < 0 || t.usec >= 1000000)
        return -EDOM;
    if (t.sec < 0) /* as Linux: no waiting at all; the shortest time there is */
        *time = 1;
    else
        *time = t.sec > (1L << 33) ? 0 : (uint64_t)t.sec * 1000000000 + (uint64_t)t.usec * 1000;
    return 0;
}

static int get_time(uint64_t time, void *value, unsigned *length)
{
    struct time_value t = {(int64_t)(time / 1000000000), (int64_t)(time % 1000000000 / 1000)};
    *length = min(*length, (unsigned)sizeof(t));
    memcpy(value, &t, *length);
    return 0;
}

/* Linux doubles what is asked for, to cover its own overhead, and says the doubled size. */
static int size_asked_for(int bytes)
{
    bytes = bytes > SIZE_MOST / 2 || bytes < 0 ? SIZE_MOST / 2 : bytes;
    return max(2 * bytes, (int)SIZE_LEAST);
}

int socket_common_set(struct socket_common *s, int level, int option, const void *value, unsigned length)
{
    int number;

    if (level != SOL_SOCKET)
        return -ENOPROTOOPT;
    if (option == SO_RCVTIMEO_OLD || option == SO_RCVTIMEO_NEW)
        return set_time(&s->receive_time, value, length);
    if (option == SO_SNDTIMEO_OLD || option == SO_SNDTIMEO_NEW)
        return set_time(&s->send_time, value, length);
    if (option == SO_LINGER)
        return length < 8 ? -EINVAL : 0;
    if (length < sizeof(number))
        return -EINVAL;
    memcpy(&number, value, sizeof(number));
    switch (option) {
    case SO_REUSEADDR:
        s->reuse_address = number != 0;
        return 0;
    case SO_REUSEPORT:
        s->reuse_port = number != 0;
        return 0;
    case SO_KEEPALIVE:
        s->keep_alive = number != 0;
        return 0;
    case SO_BROADCAST:
        s->broadcast = number != 0;
        return 0;
    case SO_PASSCRED:
        s->pass_credentials = number != 0;
        return 0;
    case SO_RCVBUF:
    case SO_RCVBUFFORCE:
        s->receive_size = size_asked_for(number);
        return 0;
    case SO_SNDBUF:
    case SO_SNDBUFFORCE:
        s->send_size = size_asked_for(number);
        return 0;
    case SO_PRIORITY:
    case SO_OOBINLINE:
    case SO_DONTROUTE:
        return 0; /* hints: nothing here depends on them */
    case SO_TYPE:
    case SO_DOMAIN:
    case SO_PROTOCOL:
    case SO_ERROR:
    case SO_ACCEPTCONN:
        return -ENOPROTOOPT; /* can only be asked */
    default:
        return -ENOPROTOOPT;
    }
}

int socket_common_get(const struct socket_common *s, int level, int option, void *value, unsigned *length)
{
    if (level != SOL_SOCKET)
        return -ENOPROTOOPT;
    switch (option) {
    case SO_RCVTIMEO_OLD:
    case SO_RCVTIMEO_NEW:
        return get_time(s->receive_time, value, length);
    case SO_SNDTIMEO_OLD:
    case SO_SNDTIMEO_NEW:
        return get_time(s->send_time, value, length);
    case SO_LINGER:
        *length = min(*length, 8u);
        memset(value, 0, *length);
        return 0;
    case SO_TYPE:
        return socket_option_int(s->type, value, length);
    case SO_DOMAIN:
        return socket_option_int(s->family, value, length);
    case SO_PROTOCOL:
        return socket_option_int(s->protocol, value, length);
    case SO_REUSEADDR:
        return socket_option_int(s->reuse_address, value, length);
    case SO_REUSEPORT:
        return socket_option_int(s->reuse_port, value, length);
    case SO_KEEPALIVE:
        return socket_option_int(s->keep_alive, value, length);
    case SO_BROADCAST:
        return socket_option_int(s->broadcast, value, length);
    case SO_PASSCRED:
        return socket_option_int(s->pass_credentials, value, length);
    case SO_RCVBUF:
        return socket_option_int(s->receive_size, value, length);
    case SO_SNDBUF:
        return socket_option_int(s->send_size, value, length);
    case SO_RCVLOWAT:
    case SO_SNDLOWAT:
        return socket_option_int(1, value, length);
    case SO_PRIORITY:
    case SO_OOBINLINE:
    case SO_DONTROUTE:
        return socket_option_int(0, value, length);
    default:
        return -ENOPROTOOPT;
    }
}

/* ---- control messages: control_length is the room of the buffer, control_used what is in it */

size_t control_room(const struct socket_message *m)
{
    size_t used = CONTROL_ALIGN(m->control_used) + sizeof(struct control_header);
    return m->control_length > used ? m->control_length - used : 0;
}

void control_put(struct socket_message *m, int level, int type, const void *data, size_t length)
{
    struct control_header header = {.level = level, .type = type};
    size_t at = CONTROL_ALIGN(m->control_used), fits = min(length, control_room(m));

    if (fits < length)
        m->flags |= MSG_CTRUNC;
    if (at + sizeof(header) > m->control_length)
        return;
    header.length = sizeof(header) + fits;
    memcpy((char *)m->control + at, &header, sizeof(header));
    memcpy((char *)m->control + at + sizeof(header), data, fits);
    /* With what aligns the next one, as far as there is room: older glibcs' CMSG_NXTHDR insists on it. */
    at += header.length;
    m->control_used = min(CONTROL_ALIGN(at), m->control_length);
    memset((char *)m->control + at, 0, m->control_used - at);
}

int control_next(const struct socket_message *m, size_t *at, const struct control_header **header)
{
    const struct control_header *h = (const void *)((const char *)m->control + *at);
    *header = NULL;
    if (*at >= m->control_length || m->control_length - *at < sizeof(*h))
        return 0;
    if (h->length < sizeof(*h) || h->length > m->control_length - *at)
        return -EINVAL;
    *header = h;
    *at += CONTROL_ALIGN(h->length);
    return 0;
}
