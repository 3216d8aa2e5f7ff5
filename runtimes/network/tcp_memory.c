/* tcp_memory.c - how much the connections may hold of the memory, together and each.
 *
 * A fast sender wants a big buffer: a program that writes a megabyte then goes on at once instead of being
 * woken a dozen times. A small machine wants small ones. So a connection gets a lot while all of them
 * together hold little, and little from then on (tcp(7): tcp_mem, tcp_rmem and tcp_wmem do the same).
 * SO_SNDBUF and SO_RCVBUF set the limit by hand. */
#include "tcp_socket.h"

#define RECEIVE_DEFAULT (256u * 1024)
#define RECEIVE_LEAST   (32u * 1024)
#define SEND_LEAST      (32u * 1024)

static size_t receiving, sending; /* bytes in queues */

static size_t share(void)
{
    static size_t bytes;
    if (!bytes)
        bytes = pages_totals().total * PAGE_SIZE / 10;
    return bytes;
}

void tcp_memory_receive(long bytes)
{
    receiving += (size_t)bytes;
}

void tcp_memory_send(long bytes)
{
    sending += (size_t)bytes;
}

uint32_t tcp_receive_limit(const struct tcp_socket *s)
{
    uint32_t most =
        s->inet.receive_buffer_set ? min(s->inet.receive_buffer, (uint32_t)TCP_WND) : RECEIVE_DEFAULT;
    return receiving < share() ? most : min(most, RECEIVE_LEAST);
}

uint32_t tcp_send_limit(const struct tcp_socket *s)
{
    if (s->inet.send_buffer_set)
        return min(s->inet.send_buffer, (uint32_t)TCP_SND_BUF);
    if (sending >= share())
        return SEND_LEAST;
    return (uint32_t)min((size_t)TCP_SND_BUF, share() - sending + s->unsent);
}
