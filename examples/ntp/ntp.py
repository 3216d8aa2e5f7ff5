"""An NTP server (RFC 5905): tells clients the time of this machine. PORT is 123.

It follows no other clock, so it says stratum 10 and `LOCL`, as a server does whose own clock is all there is. Packets
that are not a client's question are dropped, and no answer is longer than its question, so nobody can use it to flood
others.
"""

from __future__ import annotations

import os
import socket
import struct
import time

PORT = int(os.environ.get("PORT", "123"))
SINCE_1900 = 2_208_988_800  # seconds from NTP's era 0 to 1970
LEAP, STRATUM, PRECISION = 0, 10, -20
CLIENT, SERVER = 3, 4  # modes
HEAD = struct.Struct("!BBBbII4s")
STAMPS = struct.Struct("!Q8sQQ")
SECOND = 1_000_000_000


def stamp(ns: int) -> int:
    """NTP's time: 32 bits of seconds, 32 of fraction; the era (every 136 years) is left out."""
    seconds, rest = divmod(ns, SECOND)
    return (seconds + SINCE_1900) % (1 << 32) << 32 | (rest << 32) // SECOND


def answer(packet: bytes, received: int) -> bytes | None:
    """What the client is told; None: the packet is no question. `received`: ns since 1970."""
    if len(packet) < 48:
        return None
    version, mode = packet[0] >> 3 & 7, packet[0] & 7
    if mode != CLIENT or not 1 <= version <= 4:
        return None
    head = HEAD.pack(LEAP << 6 | version << 3 | SERVER, STRATUM, packet[2], PRECISION, 0, 1 << 6, b"LOCL")
    return head + STAMPS.pack(stamp(received // SECOND * SECOND), packet[40:48], stamp(received), stamp(time.time_ns()))


def main() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("0.0.0.0", PORT))
        print(f"the time on port {PORT}", flush=True)
        receive, send, now = server.recvfrom, server.sendto, time.time_ns
        while True:
            packet, address = receive(512)
            reply = answer(packet, now())
            if reply is not None:
                send(reply, address)


if __name__ == "__main__":
    main()
