/* divide.c - division of 128-bit integers, which the compiler leaves to a library (libgcc's interface:
 * __udivti3,
 * __divti3). Rates and times are scaled with it at boot; nothing fast needs it.
 */
#include "kernel.h"

typedef unsigned __int128 wide;

wide __udivti3(wide a, wide b);
wide __udivti3(wide a, wide b)
{
    uint64_t high = (uint64_t)(a >> 64), low = (uint64_t)a, divisor = (uint64_t)b;
    wide quotient = 0, rest = 0;
    if (b >> 64 == 0 && divisor > high) { /* the quotient fits into 64 bits */
        uint64_t q, r;
        __asm__("divq %4" : "=a"(q), "=d"(r) : "0"(low), "1"(high), "r"(divisor) : "cc");
        return q;
    }
    for (int bit = 127; bit >= 0; bit--) {
        bool carry = rest >> 127;
        rest = rest << 1 | (a >> bit & 1);
        if (carry || rest >= b)
            rest -= b, quotient |= (wide)1 << bit;
    }
    return quotient;
}

__int128 __divti3(__int128 a, __int128 b);
__int128 __divti3(__int128 a, __int128 b)
{
    wide q = __udivti3(a < 0 ? -(wide)a : (wide)a, b < 0 ? -(wide)b : (wide)b);
    return (__int128)((a < 0) != (b < 0) ? -q : q);
}
