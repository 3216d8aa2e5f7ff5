/* tcp_sequence.c - initial sequence numbers (RFC 6528): a clock of 4 microseconds plus a keyed hash of the
 * connection's addresses and ports, so that others cannot guess them and yet a new connection of the same
 * pair starts above the old one. The hash is SipHash-2-4 (Aumasson and Bernstein, 2012). */
#include "arch/cc.h"
#include "lwip_hooks.h"
#include "thread.h"

#define ROTATE(x, n) ((x) << (n) | (x) >> (64 - (n)))

static void round_(uint64_t v[4])
{
    v[0] += v[1], v[2] += v[3];
    v[1] = ROTATE(v[1], 13) ^ v[0], v[3] = ROTATE(v[3], 16) ^ v[2];
    v[0] = ROTATE(v[0], 32);
    v[2] += v[1], v[0] += v[3];
    v[1] = ROTATE(v[1], 17) ^ v[2], v[3] = ROTATE(v[3], 21) ^ v[0];
    v[2] = ROTATE(v[2], 32);
}

static uint64_t siphash(const uint64_t key[2], const uint64_t *words, unsigned count)
{
    uint64_t v[4] = {key[0] ^ 0x736f6d6570736575, key[1] ^ 0x646f72616e646f6d, key[0] ^ 0x6c7967656e657261,
                     key[1] ^ 0x7465646279746573};
    uint64_t length = (uint64_t)count * 8 << 56;
    for (unsigned i = 0; i <= count; i++) {
        uint64_t word = i < count ? words[i] : length;
        v[3] ^= word;
        round_(v);
        round_(v);
        v[0] ^= word;
    }
    v[2] ^= 0xff;
    for (int i = 0; i < 4; i++)
        round_(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

u32_t network_tcp_isn(const ip_addr_t *local, u16_t local_port, const ip_addr_t *remote, u16_t remote_port)
{
    static uint64_t key[2] PER_BOOT;
    if (!key[0])
        random_bytes(key, sizeof(key));
    uint64_t words[5] = {0};
    size_t n = IP_IS_V6(local) ? 16 : 4;
    memcpy(&words[0], &local->u_addr, n);
    memcpy(&words[2], &remote->u_addr, n);
    words[4] = (uint64_t)local_port << 16 | remote_port;
    return (u32_t)(clock_now() / 4096 + siphash(key, words, 5));
}
