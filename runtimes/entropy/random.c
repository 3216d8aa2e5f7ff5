/* random.c - the pool and the generator.
 *
 * The generator is ChaCha20 with fast key erasure (D. J. Bernstein, 2017): of each run of blocks the first 32
 * bytes become the next key, the rest goes out, so that what was given out cannot be computed from memory
 * later. The pool is a second key into which sources are absorbed through the same function; it is stirred
 * into the generator's key whenever there is something new. The time-stamp counter is always mixed in, but
 * never counted.
 *
 * Sources count in bits; the machine goes on only with 256 of them, or not at all (check.c).
 */
#include "clock.h"
#include "entropy.h"
#include "chacha.h"

#define KEY_WORDS 8
#define WANTED    256U

static uint32_t key[KEY_WORDS], pool[KEY_WORDS];
static uint64_t absorbed; /* blocks taken into the pool: each is mixed under another nonce */
static unsigned bits;     /* what the sources vouch for */
static bool fresh;        /* the pool has what the key has not */

/* The constants of RFC 8439 with another third word for each use, so that no two uses share a key stream. */
static void setup(uint32_t state[16], const uint32_t *k, uint32_t use, uint64_t nonce)
{
    static const uint32_t constants[4] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
    memcpy(state, constants, sizeof(constants));
    memcpy(state + 4, k, KEY_WORDS * 4);
    state[12] = 0;
    state[13] = use;
    state[14] = (uint32_t)nonce;
    state[15] = (uint32_t)(nonce >> 32);
}

/* One-way: the old value cannot be found from the new one and the data. */
static void absorb(uint32_t *into, const void *data, size_t n, uint32_t use)
{
    uint32_t state[16];
    uint8_t out[64];
    const uint8_t *from = data;
    do {
        uint32_t block[KEY_WORDS] = {0};
        size_t part = min(n, sizeof(block));
        memcpy(block, from, part);
        for (int i = 0; i < KEY_WORDS; i++)
            into[i] ^= block[i];
        setup(state, into, use, ++absorbed << 8 | part);
        chacha20_block(state, out);
        memcpy(into, out, KEY_WORDS * 4);
        from += part;
        n -= part;
    } while (n);
    memset(out, 0, sizeof(out));
    memset(state, 0, sizeof(state));
    compiler_barrier();
}

void entropy_add(const void *data, size_t n, unsigned worth)
{
    if (!n)
        return;
    absorb(pool, data, n, 1);
    uint64_t tsc = tsc_read();
    absorb(pool, &tsc, sizeof(tsc), 1);
    bits = min(bits + worth, 1U << 20);
    fresh = true;
}

bool entropy_enough(void)
{
    return bits >= WANTED;
}

void entropy_forget(void)
{
    memset(key, 0, sizeof(key));
    memset(pool, 0, sizeof(pool));
    bits = 0;
}

static void stir(void)
{
    uint64_t tsc = tsc_read();
    absorb(pool, &tsc, sizeof(tsc), 1);
    absorb(key, pool, sizeof(pool), 2);
    fresh = false;
}

void random_bytes(void *to, size_t n)
{
    uint8_t *out = to, block[64];
    uint32_t state[16];
    if (fresh)
        stir();
    setup(state, key, 3, 0);
    chacha20_block(state, block);
    memcpy(key, block, sizeof(key));
    size_t have = sizeof(block) - sizeof(key);
    uint8_t *next = block + sizeof(key);
    while (n) {
        if (!have) {
            state[12]++;
            chacha20_block(state, block);
            next = block, have = sizeof(block);
        }
        size_t part = min(n, have);
        memcpy(out, next, part);
        out += part, next += part;
        n -= part, have -= part;
    }
    memset(block, 0, sizeof(block));
    memset(state, 0, sizeof(state));
    compiler_barrier();
}

uint64_t random_u64(void)
{
    uint64_t value;
    random_bytes(&value, sizeof(value));
    return value;
}
