"""Packets that no honest peer sends: random bytes, and sound packets with bytes changed, cut off, repeated."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence


def packets(seeds: Sequence[bytes], number: int, longest: int = 1400) -> Iterator[bytes]:
    """`number` packets, the same ones each time."""
    chance = random.Random(1)
    for _ in range(number):
        if chance.random() < 0.2:
            yield chance.randbytes(chance.randrange(longest))
            continue
        packet = bytearray(chance.choice(seeds))
        for _ in range(chance.randrange(1, 6)):
            at = chance.randrange(len(packet) + 1)
            match chance.randrange(5):
                case 0:
                    packet[at : at + 1] = chance.randbytes(1)
                case 1:
                    packet[at : at + 2] = chance.choice((b"\0\0", b"\xff\xff", b"\xc0\x0c", b"\x7f\xff"))
                case 2:
                    del packet[at:]
                case 3:
                    packet[at:at] = packet[: chance.randrange(1, 60)]
                case _:
                    packet[at:at] = chance.randbytes(chance.randrange(40))
            if not packet:
                break
        yield bytes(packet[:longest])
