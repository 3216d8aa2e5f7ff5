"""Control messages of a datagram, UDP-Lite, connections that are not waited for, small buffers, names of interfaces."""

import errno
import os
import select
import socket
import struct

IP_RECVTOS, IP_RECVTTL, UDPLITE_SEND_CSCOV = 13, 12, 10


def fails(number, call, *arguments):
    try:
        call(*arguments)
    except OSError as error:
        assert error.errno == number, (error, arguments)
    else:
        raise AssertionError(f"{arguments} went through")


def integer(value):
    return struct.pack("i", value)


# -- control messages of what is sent
receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
receiver.bind(("127.0.0.1", 0))
receiver.setsockopt(socket.IPPROTO_IP, IP_RECVTTL, 1)
receiver.setsockopt(socket.IPPROTO_IP, IP_RECVTOS, 1)
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sender.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 77)


def arrives(*controls):
    assert sender.sendmsg([b"x"], controls, 0, receiver.getsockname()) == 1
    _, got, _, _ = receiver.recvmsg(10, 200)
    values = {kind: value for _, kind, value in got}
    return struct.unpack("i", values[socket.IP_TTL])[0], values[socket.IP_TOS][0]


IP = socket.IPPROTO_IP
assert arrives() == (77, 0)
assert arrives((IP, socket.IP_TTL, integer(3)), (IP, socket.IP_TOS, b"\x20")) == (3, 0x20)
assert arrives((IP, socket.IP_TOS, integer(0x10))) == (77, 0x10)
assert arrives() == (77, 0), "it was for one datagram"
assert arrives((socket.IPPROTO_IPV6, 52, integer(3)))[0] == 77, "another level's says nothing"
PKTINFO = 8
assert arrives((IP, PKTINFO, struct.pack("i4s4s", 0, socket.inet_aton("127.0.0.1"), bytes(4))))
for control, number in (
    ((IP, socket.IP_TTL, integer(0)), errno.EINVAL),
    ((IP, socket.IP_TTL, integer(256)), errno.EINVAL),
    ((IP, socket.IP_TTL, b"\1"), errno.EINVAL),
    ((IP, 199, integer(1)), errno.EINVAL),
    ((socket.SOL_SOCKET, 99, integer(1)), errno.EINVAL),
    ((IP, PKTINFO, struct.pack("i4s4s", 99, bytes(4), bytes(4))), errno.ENODEV),
    ((IP, PKTINFO, struct.pack("i4s4s", 0, socket.inet_aton("10.1.2.3"), bytes(4))), errno.ENETUNREACH),
):
    fails(number, sender.sendmsg, [b"x"], [control], 0, receiver.getsockname())

receiver6 = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
receiver6.bind(("::1", 0))
receiver6.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1)
receiver6.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, 1)
sender6 = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
for limit, seen, traffic in ((2, 2, 5), (-1, 64, 0)):
    wishes = ((socket.IPV6_HOPLIMIT, limit), (socket.IPV6_TCLASS, traffic))
    controls = [(socket.IPPROTO_IPV6, kind, integer(value)) for kind, value in wishes]
    sender6.sendmsg([b"y"], controls, 0, receiver6.getsockname())
    got = {kind: struct.unpack("i", value)[0] for _, kind, value in receiver6.recvmsg(10, 200)[1]}
    assert got == {socket.IPV6_HOPLIMIT: seen, socket.IPV6_TCLASS: traffic}, got
fails(
    errno.EINVAL, sender6.sendmsg, [b"y"], [(socket.IPPROTO_IPV6, socket.IPV6_HOPLIMIT, integer(256))], 0,
    receiver6.getsockname(),
)  # fmt: skip

# -- UDP-Lite: its own protocol, with a coverage of the checksum
for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
    a = socket.socket(family, socket.SOCK_DGRAM, socket.IPPROTO_UDPLITE)
    b = socket.socket(family, socket.SOCK_DGRAM, socket.IPPROTO_UDPLITE)
    a.bind((host, 0))
    assert a.getsockopt(socket.SOL_SOCKET, socket.SO_PROTOCOL) == socket.IPPROTO_UDPLITE
    for coverage in (0, 8, 12):
        b.setsockopt(socket.IPPROTO_UDPLITE, UDPLITE_SEND_CSCOV, coverage)
        assert b.getsockopt(socket.IPPROTO_UDPLITE, UDPLITE_SEND_CSCOV) == coverage
        data = os.urandom(900 + coverage)
        b.sendto(data, a.getsockname())
        assert a.recv(2000) == data
stranger = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
lite = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_UDPLITE)
lite.bind(("127.0.0.1", 0))
lite.settimeout(0.1)
stranger.sendto(b"of the other protocol", lite.getsockname())
try:
    raise AssertionError(lite.recv(100))
except TimeoutError:
    pass

# -- a connection that is not waited for is told of later, even when it is there at once
listener = socket.create_server(("127.0.0.1", 0))
client = socket.socket()
client.setblocking(False)
assert client.connect_ex(listener.getsockname()) == errno.EINPROGRESS
assert select.select([], [client], [], 10)[1]
assert client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
assert client.connect_ex(listener.getsockname()) == 0, "asked again it says that it went well"
assert client.connect_ex(listener.getsockname()) == errno.EISCONN
refused = socket.socket()
refused.setblocking(False)
free = socket.create_server(("127.0.0.1", 0))
nowhere = free.getsockname()
free.close()
assert refused.connect_ex(nowhere) == errno.EINPROGRESS
assert select.select([], [refused], [], 10)[1]
assert refused.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNREFUSED

# -- small buffers: room that comes free again is told of
listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
client = socket.socket()
client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
listener.accept()[0].close()
client.connect(listener.getsockname())
server = listener.accept()[0]
client.setblocking(False)
poll = select.epoll()
poll.register(server, select.EPOLLIN)
poll.register(client, select.EPOLLOUT)
data = memoryview(os.urandom(200_001))
sent, got = 0, b""
while len(got) < len(data):
    events = poll.poll(20)
    assert events, f"{sent} bytes sent, {len(got)} received, and nothing moves"
    for descriptor, _ in events:
        if descriptor == client.fileno() and sent < len(data):
            sent += client.send(data[sent:])
        elif descriptor == client.fileno():
            poll.unregister(client)
        else:
            got += server.recv(65536)
assert got == data

# -- names of interfaces, which the C library asks a socket of another family for
names = socket.if_nameindex()
assert any(name == "lo" for _, name in names)
for index, name in names:
    assert socket.if_nametoindex(name) == index and socket.if_indextoname(index) == name
