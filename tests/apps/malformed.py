"""Packets that no honest peer sends: random bytes, and sound packets with bytes changed, cut off, repeated.

Each service gets them for UNIKIT_MALFORMED_SECONDS (2); `make malformed` is a minute each.
"""

from __future__ import annotations

import contextlib
import os
import random
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import count

from tests.guest import Guest

SECONDS = float(os.environ.get("UNIKIT_MALFORMED_SECONDS", "2"))
PATIENCE = 120.0
ROUNDS = 6
MIB = 1 << 20

# Sends packets until a moment of time.monotonic(); returns how many.
Attack = Callable[[Iterator[bytes], float], int]


def packets(seeds: Sequence[bytes], longest: int = 1400) -> Iterator[bytes]:
    """Without end, the same ones each time."""
    chance = random.Random(1)
    while True:
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


def datagrams(port: int) -> Attack:
    """A little apart, so that the guest gets to read most of them."""

    def attack(source: Iterator[bytes], end: float) -> int:
        with socket.socket(type=socket.SOCK_DGRAM) as sock:
            sock.connect(("127.0.0.1", port))
            sock.setblocking(False)
            for sent in count():
                if time.monotonic() >= end:
                    return sent
                with contextlib.suppress(OSError):
                    sock.send(next(source))
                if sent % 16 == 0:
                    time.sleep(0.005)
                with contextlib.suppress(OSError):
                    sock.recv(2000)
        raise AssertionError

    return attack


def connections(port: int, framed: Callable[[bytes], bytes] = bytes) -> Attack:
    """A connection for each packet. Of two one goes away at once; the other has nothing more to say, and the server
    must end it."""

    def attack(source: Iterator[bytes], end: float) -> int:
        for sent in count():
            if time.monotonic() >= end:
                return sent
            with contextlib.suppress(ConnectionError), socket.create_connection(("127.0.0.1", port), PATIENCE) as sock:
                sock.sendall(framed(next(source)))
                if sent % 2:
                    sock.shutdown(socket.SHUT_WR)
                    while sock.recv(4096):
                        pass
        raise AssertionError

    return attack


def used(guest: Guest) -> int:
    memory = guest.memory()
    return memory["total"] - memory["free"]


def flat_under(guest: Guest, attack: Attack, seeds: Sequence[bytes], allowed: int = MIB) -> str:
    """The second half of an attack takes no more memory than what Python has not collected yet; a report.

    A service may need some rounds until its buffers and heap are as large as they get.
    """
    source = packets(seeds)
    rounds = [used(guest)]
    sent, start = 0, time.monotonic()
    while len(rounds) <= ROUNDS or (rounds[-1] > rounds[len(rounds) // 2] + allowed and len(rounds) <= 3 * ROUNDS):
        sent += attack(source, time.monotonic() + SECONDS / ROUNDS)
        rounds.append(used(guest))
    report = f"{sent} packets in {time.monotonic() - start:.0f} s; MiB in use: " + " ".join(
        f"{memory / MIB:.1f}" for memory in rounds
    )
    assert rounds[-1] <= rounds[len(rounds) // 2] + allowed, report
    return report
