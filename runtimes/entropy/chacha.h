/* chacha.h - the ChaCha20 block function of RFC 8439, section 2.3. */
#ifndef UNIKIT_CHACHA_H
#define UNIKIT_CHACHA_H

#include <stdint.h>

/* state: four constants, eight words of key, one of counter, three of nonce; out: 64 bytes of key stream. */
void chacha20_block(const uint32_t state[16], uint8_t out[64]);

#endif
