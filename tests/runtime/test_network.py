"""TCP and UDP sockets: two machines, each a whole stack under ASan and UBSan, and a wire that can lose frames."""

from __future__ import annotations

import errno
import random
import socket
import struct
from pathlib import Path

import pytest

from . import network
from .network import (
    ACTIVE,
    AF_INET6,
    DGRAM,
    ERR,
    HUP,
    IN,
    LISTENING,
    NONBLOCK,
    OUT,
    RDHUP,
    STREAM,
    TIME_WAIT,
    Machine,
    Wire,
    ipv4,
    ipv6,
)

MAPPED = bytes(10) + b"\xff\xff"
LOOPBACK6 = bytes(15) + b"\1"
MSG_PEEK, MSG_TRUNC, MSG_DONTWAIT, MSG_WAITALL = 2, 0x20, 0x40, 0x100


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return network.compile_stack(tmp_path_factory.mktemp("network"))


@pytest.fixture
def wire(library: Path) -> Wire:
    wire = Wire(Machine(library, 1, "10.0.0.1/24"), Machine(library, 2, "10.0.0.2/24"))
    wire.pass_time(2)
    wire.pass_time(10, 0.5)  # the machines have started (early.c)
    return wire


def pattern(n: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(n)


def transfer(
    wire: Wire, sender: Machine, out: int, receiver: Machine, into: int, data: bytes, step: float = 0.0
) -> bytes:
    """Sends all of data while the receiver reads all that comes."""
    sent, got = 0, bytearray()
    for _ in range(100000):
        if sent < len(data):
            n = sender.send(out, data[sent : sent + 300_000])
            assert n > 0 or n == -errno.EAGAIN, n
            sent += max(n, 0)
        if step:
            wire.pass_time(step)
        else:
            wire.run()
        while isinstance(piece := receiver.receive(into, 100_000), bytes) and piece:
            got += piece
        if len(got) >= len(data):
            return bytes(got)
    raise AssertionError(f"{len(got)} of {len(data)} bytes came")


def test_checksums_agree_with_the_definition(wire: Wire) -> None:
    lib, ffi = wire.a.lib, wire.a.ffi
    for n in [*range(80), 1459, 1460, 9001, 65535]:
        for start in range(3):
            data = (b"\xff" * (n + start)) if n % 2 else pattern(n + start, n)
            source, copy = ffi.new("char[]", data), ffi.new("char[]", n + 1)
            padded = data[start:] + b"\0" * (n % 2)
            total = sum(struct.unpack(f"<{len(padded) // 2}H", padded))
            while total >> 16:
                total = (total & 0xFFFF) + (total >> 16)
            assert lib.network_checksum(source + start, n) == total
            assert lib.network_checksum_copy(copy, source + start, n) == total
            assert bytes(ffi.buffer(copy, n)) == data[start:]


def test_connect_send_close(wire: Wire) -> None:
    client, server, listener = wire.connection()
    a, b = wire.a, wire.b
    assert a.poll(client) & (IN | OUT | HUP | ERR) == OUT
    assert a.get(client, socket.SOL_SOCKET, socket.SO_ERROR) == 0
    assert a.name(client, peer=True) == ipv4("10.0.0.2", 80)
    assert b.name(server, peer=True) == a.name(client)
    assert b.receive(server) == -errno.EAGAIN
    assert a.send(client, b"hello") == 5
    wire.run()
    assert b.poll(server) & IN
    assert b.receive(server, 2, MSG_PEEK) == b"he"
    assert b.receive(server) == b"hello"
    assert not b.poll(server) & IN
    assert a.close(client) == 0
    wire.run()
    assert b.poll(server) & (IN | RDHUP | HUP) == IN | RDHUP
    assert b.receive(server) == b""
    assert b.close(server) == 0
    wire.run()
    assert a.lib.host_pcbs(TIME_WAIT) == 1
    assert b.lib.host_pcbs(ACTIVE) == 0
    wire.pass_time(31)
    assert a.lib.host_pcbs(TIME_WAIT) == 0
    assert b.close(listener) == 0
    assert b.lib.host_pcbs(LISTENING) == 0


def test_blocking_calls_wait_for_the_peer(wire: Wire) -> None:
    a, b = wire.a, wire.b
    listener = b.socket(kind=STREAM)
    assert b.bind(listener, ipv4("0.0.0.0", 80)) == 0
    assert b.listen(listener) == 0
    client = a.socket(kind=STREAM)
    assert a.connect(client, ipv4("10.0.0.2", 80)) == 0
    server = b.accept(listener, 0)
    assert b.send(server, pattern(200_000)) == 200_000
    got = b""
    while len(got) < 200_000:
        piece = a.receive(client, 65536, MSG_WAITALL if len(got) + 65536 <= 200_000 else 0)
        assert isinstance(piece, bytes) and piece
        assert len(piece) == 65536 or len(got) + len(piece) == 200_000 or len(got) + 65536 > 200_000
        got += piece
    assert got == pattern(200_000)


def test_receive_timeout(wire: Wire) -> None:
    client, _, _ = wire.connection()
    a = wire.a
    blocking = a.socket(kind=STREAM)
    assert a.connect(blocking, ipv4("10.0.0.2", 80)) == 0
    assert a.set(blocking, socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("<qq", 1, 500_000)) == 0
    before = a.lib.clock_now()
    assert a.receive(blocking) == -errno.EAGAIN
    assert a.lib.clock_now() - before == 1_500_000_000
    assert a.close(client) == 0


@pytest.mark.parametrize("piece", [65536, 61, 200])
def test_a_big_transfer_arrives_whole(wire: Wire, piece: int) -> None:
    client, server, _ = wire.connection()
    wire.piece = piece
    data = pattern(3_000_000)
    assert transfer(wire, wire.a, client, wire.b, server, data) == data
    assert transfer(wire, wire.b, server, wire.a, client, data) == data
    assert max(len(payload) for _, _, payload in wire.segments(wire.a)) == 1460


def test_lost_frames_are_sent_again(wire: Wire) -> None:
    client, server, _ = wire.connection()
    dice = random.Random(5)
    wire.drop = lambda sender, frame: dice.random() < 0.05
    data = pattern(400_000)
    assert transfer(wire, wire.a, client, wire.b, server, data, 0.1) == data


def test_a_full_card_loses_nothing(wire: Wire) -> None:
    client, server, _ = wire.connection()
    wire.a.lib.host_send_limit(3)
    data = pattern(60_000)
    assert transfer(wire, wire.a, client, wire.b, server, data, 0.1) == data


def test_window_scaling_opens_a_big_window(wire: Wire) -> None:
    client, server, _ = wire.connection()
    total = 0
    for _ in range(50):
        n = wire.a.send(client, bytes(100_000))
        total += max(n, 0)
        wire.run()
    queued = wire.b.ffi.new("int *")
    assert wire.b.lib.host_ioctl(server, 0x541B, queued) == 0
    assert 200_000 < queued[0] <= 256 * 1024, "the reader did not read: its window bounds what waits"
    wire.pass_time(5)
    assert wire.b.lib.host_ioctl(server, 0x541B, queued) == 0
    assert queued[0] <= 256 * 1024
    got = 0
    while got < total:
        piece = wire.b.receive(server)
        if isinstance(piece, bytes):
            got += len(piece)
        wire.pass_time(0.1)
    assert got == total


def test_small_receive_buffer_is_honoured(wire: Wire) -> None:
    a, b = wire.a, wire.b
    listener = b.socket()
    assert b.set(listener, socket.SOL_SOCKET, socket.SO_RCVBUF, 4096) == 0
    assert b.get(listener, socket.SOL_SOCKET, socket.SO_RCVBUF) == 8192
    assert b.bind(listener, ipv4("0.0.0.0", 81)) == 0
    assert b.listen(listener) == 0
    client = a.socket()
    a.connect(client, ipv4("10.0.0.2", 81))
    wire.run()
    server = b.accept(listener)
    a.send(client, bytes(100_000))
    wire.pass_time(3)
    piece = b.receive(server)
    assert isinstance(piece, bytes) and 4096 <= len(piece) <= 8192 + 1460
    data = bytes(20_000)
    got = 0
    for _ in range(200):
        wire.pass_time(0.1)
        piece = b.receive(server)
        got += len(piece) if isinstance(piece, bytes) else 0
    assert got >= len(data)


def test_tiny_segments_do_not_hold_frames(wire: Wire) -> None:
    """A peer that sends single bytes: memory in use stays near what it sent."""
    client, server, _ = wire.connection()
    assert wire.a.set(client, socket.IPPROTO_TCP, socket.TCP_NODELAY, 1) == 0
    data = pattern(3000)
    for i in range(len(data)):
        assert wire.a.send(client, data[i : i + 1]) == 1
        wire.run()
    assert wire.b.receive(server) == data


def test_half_close_both_ways(wire: Wire) -> None:
    client, server, _ = wire.connection()
    a, b = wire.a, wire.b
    assert a.send(client, b"question") == 8
    assert a.shutdown(client, socket.SHUT_WR) == 0
    assert a.send(client, b"more") == -errno.EPIPE
    assert a.lib.host_last_signal == 13
    wire.run()
    assert b.receive(server) == b"question"
    assert b.receive(server) == b""
    answer = pattern(200_000)
    assert transfer(wire, b, server, a, client, answer) == answer
    assert b.close(server) == 0
    wire.run()
    assert a.poll(client) & (IN | HUP | RDHUP) == IN | HUP | RDHUP
    assert a.receive(client) == b""
    assert a.close(client) == 0


def test_data_before_close_still_arrives(wire: Wire) -> None:
    client, server, _ = wire.connection()
    data = pattern(150_000)
    assert wire.a.send(client, data) == len(data)
    assert wire.a.close(client) == 0
    got = b""
    for _ in range(100):
        wire.run()
        piece = wire.b.receive(server)
        if piece == b"":
            break
        got += piece if isinstance(piece, bytes) else b""
    assert got == data


def test_close_with_unread_data_resets(wire: Wire) -> None:
    client, server, _ = wire.connection()
    assert wire.a.send(client, b"never read") == 10
    wire.run()
    assert wire.b.close(server) == 0
    wire.run()
    assert wire.a.poll(client) & (ERR | HUP | IN) == ERR | HUP | IN
    assert wire.a.receive(client) == -errno.ECONNRESET
    assert wire.a.receive(client) == b""
    assert wire.a.send(client, b"x") == -errno.EPIPE
    assert wire.b.lib.host_pcbs(ACTIVE) == 0


def test_send_after_the_peer_is_gone(wire: Wire) -> None:
    client, server, _ = wire.connection()
    wire.b.close(server)
    wire.run()
    assert wire.a.send(client, b"x") == 1
    wire.run()
    assert wire.a.send(client, b"x") == -errno.EPIPE


def test_linger_zero_resets(wire: Wire) -> None:
    client, server, _ = wire.connection()
    assert wire.a.set(client, socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("<ii", 1, 0)) == 0
    wire.a.close(client)
    wire.run()
    assert wire.b.receive(server) == -errno.ECONNRESET
    assert wire.a.lib.host_pcbs(TIME_WAIT) == wire.a.lib.host_pcbs(ACTIVE) == 0


def test_refused_and_tried_again(wire: Wire) -> None:
    a = wire.a
    client = a.socket()
    assert a.connect(client, ipv4("10.0.0.2", 99)) == -errno.EINPROGRESS
    assert a.connect(client, ipv4("10.0.0.2", 99)) == -errno.EALREADY
    assert a.poll(client) & OUT == 0
    wire.run()
    assert a.poll(client) & (OUT | ERR | HUP) == OUT | ERR | HUP
    assert a.get(client, socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNREFUSED
    assert a.get(client, socket.SOL_SOCKET, socket.SO_ERROR) == 0
    assert a.receive(client) == b"" and a.send(client, b"x") == -errno.EPIPE, "as if it had been closed"
    wire.b.listener(99)
    assert a.connect(client, ipv4("10.0.0.2", 99)) == -errno.EINPROGRESS
    wire.run()
    assert a.get(client, socket.SOL_SOCKET, socket.SO_ERROR) == 0
    assert a.connect(client, ipv4("10.0.0.2", 99)) == 0
    assert a.connect(client, ipv4("10.0.0.2", 99)) == -errno.EISCONN
    blocking = a.socket(kind=STREAM)
    assert a.connect(blocking, ipv4("10.0.0.2", 98)) == -errno.ECONNREFUSED


def test_connections_wait_while_the_machine_starts(library: Path) -> None:
    """Until somebody listens on their port; a second after the program has begun to listen, the rest is refused."""
    wire = Wire(Machine(library, 1, "10.0.0.1/24"), Machine(library, 2, "10.0.0.2/24"))
    wire.pass_time(2)
    early, wrong = wire.a.socket(), wire.a.socket()
    for client, port in ((early, 80), (wrong, 99)):
        assert wire.a.connect(client, ipv4("10.0.0.2", port)) == -errno.EINPROGRESS
    wire.run()
    assert list(wire.segments(wire.b)) == []
    listener = wire.b.listener(80)
    wire.run()
    assert wire.a.connect(early, ipv4("10.0.0.2", 80)) == 0 and wire.b.accept(listener) >= 0
    assert wire.a.poll(wrong) & ERR == 0
    wire.pass_time(1.1)
    assert wire.a.get(wrong, socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNREFUSED
    late = wire.a.socket()
    assert wire.a.connect(late, ipv4("10.0.0.2", 99)) == -errno.EINPROGRESS
    wire.run()
    assert wire.a.get(late, socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNREFUSED


def test_connections_to_a_machine_that_never_listens_are_refused_in_the_end(library: Path) -> None:
    wire = Wire(Machine(library, 1, "10.0.0.1/24"), Machine(library, 2, "10.0.0.2/24"))
    client = wire.a.socket()
    assert wire.a.connect(client, ipv4("10.0.0.2", 80)) == -errno.EINPROGRESS
    wire.run()
    assert list(wire.segments(wire.b)) == []
    wire.pass_time(11)
    assert wire.a.get(client, socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNREFUSED


def test_nobody_answers(wire: Wire) -> None:
    client = wire.a.socket()
    wire.drop = lambda sender, frame: frame[12:14] == b"\x08\x00"
    assert wire.a.connect(client, ipv4("10.0.0.2", 80)) == -errno.EINPROGRESS
    wire.pass_time(30, 0.2)
    assert wire.a.get(client, socket.SOL_SOCKET, socket.SO_ERROR) == errno.ETIMEDOUT


def test_no_route(wire: Wire) -> None:
    far = ipv6(bytes.fromhex("20010db8") + bytes(12), 80)
    assert wire.a.connect(wire.a.socket(AF_INET6), far) == -errno.ENETUNREACH
    assert wire.a.bind(wire.a.socket(), ipv4("192.168.7.7", 0)) == -errno.EADDRNOTAVAIL
    assert wire.a.connect(wire.a.socket(), b"\x02\x00") == -errno.EINVAL
    assert wire.a.connect(wire.a.socket(), ipv6(LOOPBACK6, 1)) == -errno.EAFNOSUPPORT


def test_keepalive_finds_a_dead_peer(wire: Wire) -> None:
    client, _, _ = wire.connection()
    a = wire.a
    assert a.set(client, socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1) == 0
    for option, value in ((socket.TCP_KEEPIDLE, 5), (socket.TCP_KEEPINTVL, 2), (socket.TCP_KEEPCNT, 3)):
        assert a.set(client, socket.IPPROTO_TCP, option, value) == 0
        assert a.get(client, socket.IPPROTO_TCP, option) == value
    wire.pass_time(30, 0.2)
    assert not a.poll(client) & ERR, "the peer answers"
    wire.drop = lambda sender, frame: True
    wire.pass_time(13, 0.2)
    assert a.poll(client) & ERR
    assert a.receive(client) == -errno.ETIMEDOUT


def test_user_timeout(wire: Wire) -> None:
    client, _, _ = wire.connection()
    assert wire.a.set(client, socket.IPPROTO_TCP, 18, 3000) == 0
    wire.drop = lambda sender, frame: True
    assert wire.a.send(client, b"into the void") == 13
    wire.pass_time(2)
    assert not wire.a.poll(client) & ERR
    wire.pass_time(4)
    assert wire.a.receive(client) == -errno.ETIMEDOUT


def test_backlog_is_bounded_and_recovers(wire: Wire) -> None:
    a, b = wire.a, wire.b
    listener = b.listener(80, 4)
    clients = [a.socket() for _ in range(20)]
    for c in clients:
        a.connect(c, ipv4("10.0.0.2", 80))
        wire.run()
    accepted = 0
    while b.accept(listener) >= 0:
        accepted += 1
    assert accepted == 5, "backlog + 1, as Linux"
    for _ in range(20):
        wire.pass_time(1, 0.1)
        while b.accept(listener) >= 0:
            accepted += 1
    assert accepted == 20, "the others tried again"


def test_syn_flood_does_not_stop_service(wire: Wire) -> None:
    a, b = wire.a, wire.b
    listener = b.listener(80, 100)
    probe = a.socket()
    a.connect(probe, ipv4("10.0.0.2", 80))
    wire.run()
    syn = next(f for _, f in wire.frames if f[12:14] == b"\x08\x00" and f[23] == 6 and f[47] == 2)
    for i in range(10_000):
        frame = bytearray(syn)
        frame[26:30] = bytes((10, 0, 0, 3 + i % 200))
        frame[34:36] = (1024 + i).to_bytes(2, "big")
        frame[24:26] = frame[50:52] = b"\0\0"
        frame[24:26] = checksum(bytes(frame[14:34]))
        pseudo = bytes(frame[26:34]) + b"\0\6" + (len(frame) - 34).to_bytes(2, "big")
        frame[50:52] = checksum(pseudo + bytes(frame[34:]))
        b.give(bytes(frame))
        while b.take() is not None:
            pass
    assert 100 <= b.lib.host_pcbs(ACTIVE) <= 1100
    client = a.socket()
    assert a.connect(client, ipv4("10.0.0.2", 80)) == -errno.EINPROGRESS
    wire.run()
    assert b.accept(listener) >= 0
    assert a.send(client, b"still here") == 10
    wire.pass_time(30, 0.5)
    assert b.lib.host_pcbs(ACTIVE) <= 2, "half-open connections end by themselves"


def checksum(data: bytes) -> bytes:
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return int(~total & 0xFFFF).to_bytes(2, "big")


def test_closing_a_listener_resets_what_waits(wire: Wire) -> None:
    listener = wire.b.listener()
    client = wire.a.socket()
    wire.a.connect(client, ipv4("10.0.0.2", 80))
    wire.run()
    assert wire.b.close(listener) == 0
    wire.run()
    assert wire.a.receive(client) == -errno.ECONNRESET
    assert wire.b.lib.host_pcbs(ACTIVE) == wire.b.lib.host_pcbs(LISTENING) == 0


def test_port_reuse_from_time_wait(wire: Wire) -> None:
    """A client that comes back from the same port while the server's side is in TIME_WAIT."""
    a, b = wire.a, wire.b
    listener = b.listener()
    for _ in range(3):
        client = a.socket()
        assert a.set(client, socket.SOL_SOCKET, socket.SO_REUSEADDR, 1) == 0
        assert a.bind(client, ipv4("0.0.0.0", 5000)) == 0
        assert a.connect(client, ipv4("10.0.0.2", 80)) == -errno.EINPROGRESS
        wire.run()
        server = b.accept(listener)
        assert server >= 0, "at once, not after TIME_WAIT"
        assert b.close(server) == 0
        wire.run()
        assert a.close(client) == 0
        wire.run()
        assert b.lib.host_pcbs(TIME_WAIT) == 1
        wire.pass_time(0.2)


def test_time_wait_is_bounded(wire: Wire) -> None:
    a, b = wire.a, wire.b
    listener = b.listener()
    for _ in range(700):
        client = a.socket()
        a.connect(client, ipv4("10.0.0.2", 80))
        wire.run()
        server = b.accept(listener)
        b.close(server)
        wire.run()
        a.close(client)
        wire.run()
        wire.frames.clear()
    wire.pass_time(0.2)
    assert b.lib.host_pcbs(TIME_WAIT) == 512
    assert b.lib.host_pcbs(ACTIVE) == 0
    wire.pass_time(35, 0.5)
    assert b.lib.host_pcbs(TIME_WAIT) == 0


def test_who_may_bind(wire: Wire) -> None:
    a = wire.a
    first = a.listener(8000)
    second = a.socket()
    assert a.bind(second, ipv4("0.0.0.0", 8000)) == -errno.EADDRINUSE
    assert a.set(second, socket.SOL_SOCKET, socket.SO_REUSEADDR, 1) == 0
    assert a.bind(second, ipv4("0.0.0.0", 8000)) == -errno.EADDRINUSE, "it listens"
    assert a.bind(second, ipv4("127.0.0.1", 8000)) == -errno.EADDRINUSE
    assert a.bind(second, ipv4("127.0.0.1", 8001)) == 0
    assert a.bind(second, ipv4("127.0.0.1", 8002)) == -errno.EINVAL
    a.close(first)
    third = a.socket()
    assert a.bind(third, ipv4("0.0.0.0", 8000)) == 0
    both = [a.socket(), a.socket()]
    for s in both:
        assert a.set(s, socket.SOL_SOCKET, socket.SO_REUSEPORT, 1) == 0
        assert a.bind(s, ipv4("0.0.0.0", 8010)) == 0
        assert a.listen(s) == 0
    ports = set()
    for _ in range(50):
        s = a.socket()
        assert a.bind(s, ipv4("0.0.0.0", 0)) == 0
        name = a.name(s)
        assert isinstance(name, bytes)
        ports.add(int.from_bytes(name[2:4], "big"))
    assert len(ports) == 50 and min(ports) >= 32768
    assert max(ports) - min(ports) > 1000, "random, not one after the other"


def test_loopback_without_a_card(library: Path) -> None:
    alone = Machine(library, 1, None, mtu=0)
    listener = alone.listener(80, address="127.0.0.1")
    client = alone.socket()
    assert alone.connect(client, ipv4("127.0.0.1", 80)) == -errno.EINPROGRESS
    server = alone.accept(listener)
    data = pattern(100_000)
    assert alone.send(client, data) == len(data)
    assert alone.receive(server) == data
    assert alone.connect(alone.socket(), ipv4("10.9.9.9", 80)) == -errno.ENETUNREACH
    six = alone.socket(AF_INET6)
    assert alone.bind(six, ipv6(LOOPBACK6, 8080)) == 0
    assert alone.listen(six) == 0
    client6 = alone.socket(AF_INET6)
    assert alone.connect(client6, ipv6(LOOPBACK6, 8080)) == -errno.EINPROGRESS
    assert alone.accept(six) >= 0
    assert alone.name(client6, peer=True) == ipv6(LOOPBACK6, 8080)
    own = alone.socket()
    assert alone.connect(own, ipv4("127.0.0.1", 81)) == -errno.EINPROGRESS
    assert alone.get(own, socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNREFUSED
    udp = alone.socket(kind=DGRAM | NONBLOCK)
    assert alone.connect(udp, ipv4("127.0.0.1", 53)) == 0
    assert alone.send(udp, b"x") == 1
    assert alone.receive(udp) == -errno.ECONNREFUSED


def test_dual_stack_listener(wire: Wire) -> None:
    a, b = wire.a, wire.b
    both = b.socket(AF_INET6)
    assert b.bind(both, ipv6(bytes(16), 8080)) == 0
    assert b.listen(both) == 0
    client = a.socket()
    a.connect(client, ipv4("10.0.0.2", 8080))
    wire.run()
    server = b.accept(both)
    peer = b.name(server, peer=True)
    assert isinstance(peer, bytes) and peer[8:24] == MAPPED + bytes((10, 0, 0, 1))
    only = b.socket(AF_INET6)
    assert b.set(only, socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1) == 0
    assert b.bind(only, ipv6(bytes(16), 8081)) == 0
    assert b.listen(only) == 0
    assert b.listen(b.socket()) == 0
    four = b.socket()
    assert b.bind(four, ipv4("0.0.0.0", 8081)) == 0, "IPv6 only leaves IPv4 free"
    mapped = a.socket(AF_INET6)
    assert a.connect(mapped, ipv6(MAPPED + bytes((10, 0, 0, 2)), 8080)) == -errno.EINPROGRESS
    wire.run()
    assert b.accept(both) >= 0


def test_link_local_ipv6_between_machines(wire: Wire) -> None:
    a, b = wire.a, wire.b
    address = next(line for line in b.read("/proc/net/if_inet6").splitlines() if line.startswith("fe80"))
    target = bytes.fromhex(address.split()[0])
    listener = b.socket(AF_INET6)
    assert b.bind(listener, ipv6(bytes(16), 8080)) == 0
    assert b.listen(listener) == 0
    client = a.socket(AF_INET6)
    assert a.connect(client, ipv6(target, 8080, 2)) == -errno.EINPROGRESS
    wire.run()
    server = b.accept(listener)
    data = pattern(50_000)
    assert transfer(wire, a, client, b, server, data) == data


def test_wakeups_are_for_events(wire: Wire) -> None:
    client, server, _ = wire.connection()
    a, b = wire.a, wire.b
    b.lib.host_watch(server, IN)
    a.lib.host_watch(client, OUT)
    a.send(client, b"x")
    wire.run()
    assert b.lib.host_woken(server) == 1
    assert a.lib.host_woken(client) == 0, "there was room all the time"
    while a.send(client, bytes(65536)) > 0:
        pass
    wire.run()
    assert b.receive(server)
    wire.run()
    assert 1 <= a.lib.host_woken(client) <= 4
    a.lib.host_unwatch(client)
    b.lib.host_unwatch(server)


def test_cork_and_more_hold_small_segments_back(wire: Wire) -> None:
    client, server, _ = wire.connection()
    wire.frames.clear()
    assert wire.a.set(client, socket.IPPROTO_TCP, socket.TCP_CORK, 1) == 0
    for _ in range(10):
        assert wire.a.send(client, b"0123456789") == 10
        wire.run()
    assert wire.b.receive(server) == -errno.EAGAIN
    assert wire.a.set(client, socket.IPPROTO_TCP, socket.TCP_CORK, 0) == 0
    wire.run()
    assert wire.b.receive(server) == b"0123456789" * 10
    wire.pass_time(0.2)
    wire.frames.clear()
    assert wire.a.send(client, b"head", 0x8000) == 4
    assert wire.a.send(client, b"body") == 4
    wire.run()
    assert [p for _, _, p in wire.segments(wire.a) if p] == [b"headbody"]


def test_the_end_of_an_answer_does_not_wait(wire: Wire) -> None:
    """Nagle and delayed acknowledgements do not add up: all of it is there without any time passing."""
    client, server, _ = wire.connection()
    for size in (1, 1461, 5000, 100_000):
        data = pattern(size)
        assert wire.b.send(server, data) == size
        wire.run()
        assert wire.a.receive(client) == data
        wire.pass_time(0.2)
    wire.frames.clear()
    for _ in range(20):
        assert wire.b.send(server, b"small") == 5
        wire.run()
    assert len([p for _, _, p in wire.segments(wire.b) if p]) < 10, "small pieces are put together"
    wire.pass_time(0.5)
    assert wire.a.receive(client) == b"small" * 20


def test_options(wire: Wire) -> None:
    client, _, listener = wire.connection()
    a, b = wire.a, wire.b
    level = socket.SOL_SOCKET
    assert a.get(client, level, socket.SO_TYPE) == socket.SOCK_STREAM
    assert a.get(client, level, socket.SO_DOMAIN) == socket.AF_INET
    assert a.get(client, level, socket.SO_PROTOCOL) == socket.IPPROTO_TCP
    assert a.get(client, level, socket.SO_ACCEPTCONN) == 0
    assert b.get(listener, level, socket.SO_ACCEPTCONN) == 1
    assert a.get(client, socket.IPPROTO_TCP, socket.TCP_NODELAY) == 0
    assert a.set(client, socket.IPPROTO_TCP, socket.TCP_NODELAY, 1) == 0
    assert a.get(client, socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
    assert a.set(client, socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 5) == -errno.ENOPROTOOPT
    assert a.set(client, socket.IPPROTO_IP, socket.IP_TTL, 0) == -errno.EINVAL
    assert a.set(client, socket.IPPROTO_IP, socket.IP_TTL, 9) == 0
    assert a.get(client, socket.IPPROTO_IP, socket.IP_TTL) == 9
    assert a.get(client, socket.IPPROTO_TCP, socket.TCP_MAXSEG) == 1460
    info = a.get(client, socket.IPPROTO_TCP, socket.TCP_INFO, 104)
    assert isinstance(info, bytes) and info[0] == 1
    assert b.get(listener, socket.IPPROTO_TCP, socket.TCP_INFO, 104)[0] == 10  # type: ignore[index]
    wire.frames.clear()
    a.send(client, b"x")
    wire.run()
    assert next(f for who, f in wire.frames if who is a)[22] == 9


def test_udp(wire: Wire) -> None:
    a, b = wire.a, wire.b
    server = b.socket(kind=DGRAM | NONBLOCK)
    assert b.bind(server, ipv4("0.0.0.0", 53)) == 0
    other = b.socket(kind=DGRAM | NONBLOCK)
    assert b.bind(other, ipv4("0.0.0.0", 53)) == -errno.EADDRINUSE
    client = a.socket(kind=DGRAM | NONBLOCK)
    assert a.send(client, b"lost") == -errno.EDESTADDRREQ
    for size in (0, 1, 1472, 1473, 20000, 65507):
        data = pattern(size, size)
        assert a.send(client, data, to=ipv4("10.0.0.2", 53)) == size
        wire.run()
        got, sender = b.receive_from(server)
        assert got == data
        assert sender[:2] == struct.pack("<H", socket.AF_INET) and sender[4:8] == bytes((10, 0, 0, 1))
        assert b.send(server, data[:100], to=sender) == min(size, 100)
        wire.run()
        assert a.receive(client) == data[:100]
    assert a.send(client, bytes(65508), to=ipv4("10.0.0.2", 53)) == -errno.EMSGSIZE
    assert a.send(client, b"0123456789", to=ipv4("10.0.0.2", 53)) == 10
    wire.run()
    assert b.receive(server, 4, MSG_PEEK | MSG_TRUNC) == b"0123"
    assert b.receive(server, 4) == b"0123", "the rest of a datagram is gone"
    assert b.receive(server) == -errno.EAGAIN
    assert a.send(client, b"x", to=ipv4("255.255.255.255", 53)) == -errno.EACCES
    assert a.set(client, socket.SOL_SOCKET, socket.SO_BROADCAST, 1) == 0
    assert a.send(client, b"all", to=ipv4("255.255.255.255", 53)) == 3
    wire.run()
    assert b.receive(server) == b"all"


def test_udp_connected(wire: Wire) -> None:
    a, b = wire.a, wire.b
    client = a.socket(kind=DGRAM | NONBLOCK)
    assert a.name(client, peer=True) == -errno.ENOTCONN
    assert a.connect(client, ipv4("10.0.0.2", 5353)) == 0
    name = a.name(client)
    assert isinstance(name, bytes) and name[4:8] == bytes((10, 0, 0, 1)), "the way to the own address"
    assert a.send(client, b"anyone?") == 7
    wire.run()
    assert a.poll(client) & ERR
    assert a.receive(client) == -errno.ECONNREFUSED
    assert a.receive(client) == -errno.EAGAIN
    server = b.socket(kind=DGRAM | NONBLOCK)
    assert b.bind(server, ipv4("10.0.0.2", 5353)) == 0
    stranger = b.socket(kind=DGRAM | NONBLOCK)
    assert b.send(stranger, b"not for you", to=name) == 11
    wire.run()
    assert a.receive(client) == -errno.EAGAIN
    assert a.connect(client, struct.pack("<H", 0) + bytes(14)) == 0
    assert a.name(client, peer=True) == -errno.ENOTCONN


def test_udp_queue_is_bounded(wire: Wire) -> None:
    a, b = wire.a, wire.b
    server = b.socket(kind=DGRAM | NONBLOCK)
    assert b.bind(server, ipv4("0.0.0.0", 53)) == 0
    assert b.set(server, socket.SOL_SOCKET, socket.SO_RCVBUF, 8192) == 0
    client = a.socket(kind=DGRAM | NONBLOCK)
    for _ in range(200):
        assert a.send(client, bytes(1000), to=ipv4("10.0.0.2", 53)) == 1000
        wire.run()
    n = 0
    while isinstance(b.receive(server), bytes):
        n += 1
    assert 8 <= n <= 16


def test_ping_socket(wire: Wire) -> None:
    a = wire.a
    ping = a.socket(kind=DGRAM | NONBLOCK, protocol=1)
    assert a.send(ping, b"\x08\0\0\0\0\0\0\1payload", to=ipv4("10.0.0.2", 0)) == 15
    wire.run()
    reply = a.receive(ping)
    assert isinstance(reply, bytes) and reply[0] == 0 and reply[8:] == b"payload"


def test_proc_and_netlink(wire: Wire) -> None:
    wire.connection()
    a, b = wire.a, wire.b
    assert "eth0:" in a.read("/proc/net/dev") and "lo:" in a.read("/proc/net/dev")
    rows = a.read("/proc/net/tcp").splitlines()
    assert rows[1].split()[1:4] == [rows[1].split()[1], "0200000A:0050", "01"]
    assert b.read("/proc/net/tcp").splitlines()[1].split()[3] == "0A"
    assert "eth0\t0000000A" in a.read("/proc/net/route")
    route = a.socket(network.AF_NETLINK, 3)
    assert a.bind(route, struct.pack("<HHII", 16, 0, 0, 0)) == 0
    for kind, answer in ((18, 16), (22, 20)):
        request = struct.pack("<IHHII", 20, kind, 0x301, 7, 0) + bytes(4)
        assert a.send(route, request, to=struct.pack("<HHII", 16, 0, 0, 0)) == 20
        kinds: list[int] = []
        while not kinds or kinds[-1] != 3:
            data = a.receive(route, 65536)
            assert isinstance(data, bytes)
            while data:
                length, found, flags, sequence, _ = struct.unpack_from("<IHHII", data)
                assert sequence == 7 and flags & 2
                kinds.append(found)
                data = data[(length + 3) & ~3 :]
        assert kinds.count(answer) >= 2
    change = struct.pack("<IHHII", 20, 20, 5, 8, 0) + bytes(4)
    assert a.send(route, change) == 20
    reply = a.receive(route)
    assert isinstance(reply, bytes) and struct.unpack_from("<H", reply, 4)[0] == 2
    assert struct.unpack_from("<i", reply, 16)[0] == -errno.EPERM


def test_interface_ioctls(wire: Wire) -> None:
    a = wire.a
    fd = a.socket()
    request = a.ffi.new("char[40]", b"eth0")
    assert a.lib.host_ioctl(fd, 0x8915, request) == 0
    assert bytes(a.ffi.buffer(request, 40))[20:24] == bytes((10, 0, 0, 1))
    assert a.lib.host_ioctl(fd, 0x8927, request) == 0
    assert bytes(a.ffi.buffer(request, 40))[18:24] == bytes((2, 0, 0, 0, 0, 1))
    assert a.lib.host_ioctl(fd, 0x8915, a.ffi.new("char[40]", b"eth7")) == -errno.ENODEV
    room = a.ffi.new("char[400]")
    listing = a.ffi.new("char[16]", struct.pack("<iiQ", 400, 0, int(a.ffi.cast("uintptr_t", room))))
    assert a.lib.host_ioctl(fd, 0x8912, listing) == 0
    assert struct.unpack_from("<i", bytes(a.ffi.buffer(listing, 4)))[0] == 80


def test_names_and_servers(library: Path) -> None:
    """What a fixed address leaves in /etc/hosts and, through /proc/net/pnp, in /etc/resolv.conf."""
    fixed = Machine(library, 1, "10.0.0.1/24,10.0.0.2,10.0.0.3,10.0.0.4")
    hosts = fixed.ffi.string(fixed.lib.host_written(0)).decode()
    assert hosts.splitlines() == ["127.0.0.1 localhost", "::1 localhost", "10.0.0.1 unikit"]
    assert fixed.read("/proc/net/pnp") == "nameserver 10.0.0.3\nnameserver 10.0.0.4\n"
    assert "eth0\t00000000\t0200000A" in fixed.read("/proc/net/route")


def test_without_an_answer_to_dhcp_calls_end(library: Path) -> None:
    alone = Machine(library, 1, "dhcp")
    frame = alone.take()
    frames = []
    while frame is not None:
        frames.append(frame)
        frame = alone.take()
    assert any(f[12:14] == b"\x08\x00" and f[36:38] == (67).to_bytes(2, "big") for f in frames), "DISCOVER"
    listener = alone.listener(80)
    before = alone.lib.clock_now()
    assert alone.connect(alone.socket(), ipv4("10.9.9.9", 80)) == -errno.ENETUNREACH
    assert alone.lib.clock_now() - before <= 10_000_000_000
    before = alone.lib.clock_now()
    assert alone.connect(alone.socket(), ipv4("10.9.9.9", 80)) == -errno.ENETUNREACH
    assert alone.lib.clock_now() == before, "only the first has to wait"
    assert alone.connect(alone.socket(kind=STREAM), ipv4("127.0.0.1", 80)) == 0
    assert alone.accept(listener) >= 0


def test_garbage_is_ridden_out(wire: Wire) -> None:
    """Frames of a real exchange, damaged at random: nothing crashes, and the connection goes on."""
    client, server, _ = wire.connection()
    transfer(wire, wire.a, client, wire.b, server, pattern(100_000))
    dice = random.Random(7)
    frames = [frame for _, frame in wire.frames]
    for _ in range(5000):
        frame = bytearray(dice.choice(frames))
        for _ in range(dice.randint(1, 6)):
            frame[dice.randrange(len(frame))] = dice.randrange(256)
        del frame[dice.randint(1, len(frame)) :]
        wire.b.give(bytes(frame), dice.choice((17, 60, 65536)))
        while wire.b.take() is not None:
            pass
    data = pattern(20_000)
    assert transfer(wire, wire.a, client, wire.b, server, data, 0.2) == data


def test_an_idle_machine_has_no_timers(wire: Wire) -> None:
    wire.pass_time(60, 0.5)
    wire.frames.clear()
    wire.pass_time(120, 1)
    assert wire.frames == []
