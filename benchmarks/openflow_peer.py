"""A switch that asks an OpenFlow 1.3 controller about frames as fast as it gets flows back.

It knows nothing of frames: each packet-in is from a station of its own to one that the controller has seen, so that
a learning switch answers with a flow-mod. (OpenFlow Switch Specification 1.3, section 7)
"""

from __future__ import annotations

import socket
import struct
import time

HELLO, ECHO, ECHO_REPLY, FEATURES, FEATURES_REPLY, PACKET_IN, PACKET_OUT, FLOW_MOD = 0, 2, 3, 5, 6, 10, 13, 14
DESCRIPTIONS, DESCRIPTIONS_REPLY = 18, 19
IN_PORT = 0x80000004  # the match field's header: OXM class, field, length
KNOWN = bytes.fromhex("020000000001")
EVERYBODY = b"\xff" * 6


class Switch:
    """A connection to a controller, past its handshake; raises OSError without one."""

    def __init__(self, port: int, timeout: float) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self.stream = self.socket.makefile("rb")
        self.send(HELLO, b"")
        self.until(FLOW_MOD)  # where frames go that nothing matches

    def close(self) -> None:
        self.stream.close()
        self.socket.close()

    def send(self, kind: int, body: bytes, transaction: int = 1) -> None:
        self.socket.sendall(struct.pack("!BBHI", 4, kind, 8 + len(body), transaction) + body)

    def receive(self) -> int:
        """The next message's type; what a controller asks is answered."""
        head = self.stream.read(8)
        if len(head) < 8:
            raise ConnectionError("the controller went away")
        _, kind, length, transaction = struct.unpack("!BBHI", head)
        body = self.stream.read(length - 8)
        if kind == ECHO:
            self.send(ECHO_REPLY, body, transaction)
        elif kind == FEATURES:
            self.send(FEATURES_REPLY, struct.pack("!QIBBHII", 1, 0, 1, 0, 0, 0x4F, 0), transaction)
        elif kind == DESCRIPTIONS:
            self.send(DESCRIPTIONS_REPLY, body[:4] + bytes(4), transaction)
        return int(kind)

    def until(self, wanted: int) -> None:
        while self.receive() != wanted:
            pass

    def frame(self, source: bytes, to: bytes, port: int) -> None:
        data = to + source + b"\x08\x00" + bytes(46)
        match = struct.pack("!HHIIxxxx", 1, 12, IN_PORT, port)
        self.send(PACKET_IN, struct.pack("!IHBBQ", 0xFFFFFFFF, len(data), 0, 0, 0) + match + bytes(2) + data)


def flow_mods(port: int, seconds: float, under_way: int) -> float:
    """Flow-mods a second, with so many packet-ins under way."""
    switch = Switch(port, 60.0)
    try:
        switch.frame(KNOWN, EVERYBODY, 1)
        switch.until(PACKET_OUT)
        start = time.monotonic()
        sent = done = 0
        while (passed := time.monotonic() - start) < seconds:
            while sent < done + under_way:
                sent += 1
                switch.frame(b"\x06" + sent.to_bytes(5, "big"), KNOWN, 2)
            done += switch.receive() == FLOW_MOD
        return done / passed
    finally:
        switch.close()
