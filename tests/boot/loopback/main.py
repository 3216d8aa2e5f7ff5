"""TCP and UDP inside one guest, over the loopback: what services and their clients rely on."""

import asyncio
import errno
import hashlib
import os
import select
import socket
import struct
import threading


def accepted(family=socket.AF_INET, address="127.0.0.1"):
    with socket.create_server((address, 0), family=family) as server:
        client = socket.socket(family)
        client.connect(server.getsockname()[:2])
        peer, name = server.accept()
    assert name[:2] == client.getsockname()[:2] and client.getpeername() == peer.getsockname()
    return client, peer


def stream() -> None:
    client, peer = accepted()
    data = os.urandom(3_000_000)
    sender = threading.Thread(target=client.sendall, args=(data,))
    sender.start()
    received = bytearray()
    while len(received) < len(data):
        received += peer.recv(100_000)
    sender.join()
    assert hashlib.sha256(received).digest() == hashlib.sha256(data).digest()
    client.shutdown(socket.SHUT_WR)
    assert peer.recv(1) == b""
    peer.sendall(b"half closed")
    peer.close()
    assert client.recv(100, socket.MSG_WAITALL) == b"half closed" and client.recv(1) == b""
    client.close()


def options() -> None:
    s = socket.socket()
    for level, option in ((socket.SOL_SOCKET, socket.SO_REUSEADDR), (socket.SOL_SOCKET, socket.SO_KEEPALIVE),
                          (socket.IPPROTO_TCP, socket.TCP_NODELAY)):  # fmt: skip
        assert s.getsockopt(level, option) == 0
        s.setsockopt(level, option, 1)
        assert s.getsockopt(level, option) != 0
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 17)
    assert s.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 17
    assert s.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE) == socket.SOCK_STREAM
    assert s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
    for bad in ((socket.IPPROTO_TCP, 9999), (9999, 1)):
        try:
            s.setsockopt(*bad, 1)
            raise AssertionError(bad)
        except OSError as e:
            assert e.errno in (errno.ENOPROTOOPT, errno.EOPNOTSUPP), e
    try:
        s.getpeername()
        raise AssertionError
    except OSError as e:
        assert e.errno == errno.ENOTCONN
    s.close()


def refused_and_reset() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        other = socket.socket()
        try:
            other.bind(("127.0.0.1", port))
            raise AssertionError
        except OSError as e:
            assert e.errno == errno.EADDRINUSE
        other.close()
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5)
        raise AssertionError
    except ConnectionRefusedError:
        pass
    client, peer = accepted()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    try:
        peer.recv(1)
        raise AssertionError
    except ConnectionResetError:
        pass
    peer.close()


def non_blocking() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.socket()
        client.setblocking(False)
        assert client.connect_ex(server.getsockname()) in (0, errno.EINPROGRESS)
        p = select.poll()
        p.register(client, select.POLLOUT)
        assert p.poll(5000) == [(client.fileno(), select.POLLOUT)]
        assert client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
        peer, _ = server.accept()
    try:
        client.recv(1)
        raise AssertionError
    except BlockingIOError:
        pass
    sent = 0
    try:
        while True:
            sent += client.send(b"x" * 65536)
    except BlockingIOError:
        pass
    got = 0
    while got < sent:
        got += len(peer.recv(1 << 20))
    assert got == sent > 10_000
    peer.sendall(b"peek")
    assert p.poll(0) and client.recv(4, socket.MSG_PEEK) == b"peek"
    assert client.recv(2) + client.recv(2) == b"peek"
    client.settimeout(0.05)
    try:
        client.recv(1)
        raise AssertionError
    except TimeoutError:
        pass
    client.close()
    peer.close()


def datagrams() -> None:
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    two = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one.bind(("127.0.0.1", 0))
    two.bind(("127.0.0.1", 0))
    two.sendto(b"a" * 1000, one.getsockname())
    two.sendto(b"", one.getsockname())
    assert one.recvfrom(2000) == (b"a" * 1000, two.getsockname()) and one.recv(10) == b""
    one.connect(two.getsockname())
    one.send(b"long datagram")
    assert two.recv(4) == b"long", "the rest of a datagram is lost"
    one.close()
    two.close()


async def asynchronous() -> None:
    async def serve(reader, writer):
        while line := await reader.readline():
            writer.write(line.upper())
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    async def client(n: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for i in range(20):
            writer.write(b"line %d %d\n" % (n, i))
            assert await reader.readline() == b"LINE %d %d\n" % (n, i)
        writer.close()
        await writer.wait_closed()

    await asyncio.gather(*(client(n) for n in range(50)))
    server.close()
    await server.wait_closed()


def version_6() -> None:
    client, peer = accepted(socket.AF_INET6, "::1")
    client.sendall(b"six")
    assert peer.recv(10) == b"six"
    client.close()
    peer.close()
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as server:
        four = socket.create_connection(("127.0.0.1", server.getsockname()[1]))
        peer, name = server.accept()
        assert name[0] == "::ffff:127.0.0.1"
        four.close()
        peer.close()


def names() -> None:
    assert ("127.0.0.1", 80) in [a[4] for a in socket.getaddrinfo("localhost", 80, socket.AF_INET, socket.SOCK_STREAM)]
    assert socket.gethostname()
    assert "lo" in [name for _, name in socket.if_nameindex()]


stream()
options()
refused_and_reset()
non_blocking()
datagrams()
asyncio.run(asynchronous())
version_6()
names()
