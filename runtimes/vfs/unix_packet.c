/* vfs/unix_packet.c - what travels between AF_UNIX sockets: bytes, who sent them, and open files (unix(7),
 * "Ancillary messages").
 */
#include "unix.h"

#include "memory.h"
#include "process.h"

struct credentials credentials_own(void)
{
    return (struct credentials){.pid = process_id};
}

struct packet *packet_new(const struct unix_socket *sender, size_t room)
{
    struct packet *p = kmalloc(sizeof(*p) + room);
    if (!p)
        return NULL;
    list_init(&p->link);
    p->sender = unix_address_get(sender->address);
    p->credentials = credentials_own();
    p->rights = NULL;
    p->room = room;
    p->length = p->taken = 0;
    return p;
}

static void rights_free(struct rights *rights)
{
    for (unsigned i = 0; rights && i < rights->count; i++) {
        unix_in_flight(rights->files[i], -1);
        file_put(rights->files[i]);
    }
    kfree(rights);
}

void packet_free(struct packet *p)
{
    struct rights *rights = p->rights;
    list_remove(&p->link);
    unix_address_put(p->sender);
    kfree(p);
    rights_free(rights); /* last: closing a file may bring us here again */
}

/* ---- in */

static int rights_in(struct packet *p, const int *fds, size_t bytes)
{
    size_t n = bytes / sizeof(int), have = p->rights ? p->rights->count : 0;
    struct rights *rights;

    if (have + n > RIGHTS_MOST)
        return -EINVAL;
    rights = krealloc(p->rights, sizeof(*rights) + (have + n) * sizeof(struct file *));
    if (!rights)
        return -ENOMEM;
    rights->count = (unsigned)have;
    p->rights = rights;
    for (size_t i = 0; i < n; i++) {
        int fd;
        struct file *f;
        memcpy(&fd, fds + i, sizeof(fd));
        f = fd_get(fd);
        if (!f)
            return -EBADF;
        rights->files[rights->count++] = f;
        unix_in_flight(f, 1);
    }
    return 0;
}

int packet_control_in(struct packet *p, const struct socket_message *m)
{
    const struct control_header *header;
    size_t at = 0;

    for (;;) {
        int result = control_next(m, &at, &header);
        size_t bytes;
        if (result < 0 || !header)
            return result;
        bytes = header->length - sizeof(*header);
        if (header->level != SOL_SOCKET)
            continue;
        if (header->type == SCM_RIGHTS) {
            result = rights_in(p, (const int *)(header + 1), bytes);
        } else if (header->type == SCM_CREDENTIALS && bytes == sizeof(p->credentials)) {
            memcpy(&p->credentials, header + 1, sizeof(p->credentials));
        } else {
            result = -EINVAL;
        }
        if (result < 0)
            return result;
    }
}

/* ---- out */

static void rights_out(struct packet *p, struct socket_message *m, bool keep)
{
    struct rights *rights = p->rights;
    unsigned fits = (unsigned)min(control_room(m) / sizeof(int), (size_t)rights->count), done = 0;
    int fds[RIGHTS_MOST];

    while (done < fits) {
        int fd = fd_install(file_get(rights->files[done]), 0, (m->flags & MSG_CMSG_CLOEXEC) != 0);
        if (fd < 0)
            break;
        fds[done++] = fd;
    }
    if (done)
        control_put(m, SOL_SOCKET, SCM_RIGHTS, fds, done * sizeof(int));
    if (done < rights->count)
        m->flags |= MSG_CTRUNC;
    if (!keep) {
        p->rights = NULL;
        rights_free(rights);
    }
}

void packet_control_out(struct packet *p, struct socket_message *m, bool pass_credentials, bool keep)
{
    if (pass_credentials)
        control_put(m, SOL_SOCKET, SCM_CREDENTIALS, &p->credentials, sizeof(p->credentials));
    if (p->rights)
        rights_out(p, m, keep);
}
