"""AF_UNIX sockets, pipes, eventfds and polling, against what Linux does itself: the same calls, the same answers."""

from __future__ import annotations

import array
import errno
import itertools
import os
import random
import select
import socket
import struct
from collections.abc import Callable, Iterator
from typing import Any

import pytest

COMPONENTS = [
    f"vfs/{name}"
    for name in (
        "descriptors", "epoll", "eventfd", "file", "io", "pair", "pipe", "poll", "polling", "select", "socket",
        "socket_options", "unix", "unix_garbage", "unix_name", "unix_packet",
    )
]  # fmt: skip

CDEF = """
extern int host_last_signal;
size_t host_pages_live(void);
void host_advance(uint64_t ns);
size_t files_live(void);
int fd_close(int);
long do_read(int, void *, size_t);
long do_write(int, const void *, size_t);
long set_nonblocking(int);
unsigned poll_now(int);
long sys_pipe2(int *, int);
long sys_eventfd2(unsigned, int);
long sys_socket(int, int, int);
long sys_socketpair(int, int, int, int *);
long sys_bind(int, const void *, int);
long sys_listen(int, int);
long sys_connect(int, const void *, int);
long sys_accept4(int, void *, int *, int);
long sys_shutdown(int, int);
long sys_sendto(int, const void *, size_t, int, const void *, int);
long sys_recvfrom(int, void *, size_t, int, void *, int *);
long sys_sendmsg(int, const void *, int);
long sys_recvmsg(int, void *, int);
long sys_getsockopt(int, int, int, void *, int *);
long sys_epoll_create1(int);
long sys_epoll_ctl(int, int, int, void *);
long sys_epoll_wait(int, void *, int, int);
long sys_select(int, uint64_t *, uint64_t *, uint64_t *, void *);
long set_pipe_size(int, unsigned long);
"""

EXTRA = """
#include <stdlib.h>
#include "file.h"
#include "node.h"
int process_id = 100;
void node_put(struct node *n) { (void)n; }
static size_t live;
void *kzalloc(size_t n) { live++; return calloc(1, n); }
void *kmalloc(size_t n) { live++; return malloc(n); }
void *krealloc(void *p, size_t n) { live += !p; return realloc(p, n); }
void kfree(void *p) { live -= p != NULL; free(p); }
size_t files_live(void) { return live; }
long do_read(int fd, void *to, size_t n)
{
    struct file *f = fd_get(fd);
    struct io io;
    long result = -EBADF;
    if (!f)
        return result;
    io_init(&io, to, n, true);
    result = f->ops->read(f, &io, NULL);
    file_put(f);
    return result;
}
long do_write(int fd, const void *from, size_t n)
{
    struct file *f = fd_get(fd);
    struct io io;
    long result = -EBADF;
    if (!f)
        return result;
    io_init(&io, (void *)from, n, true);
    result = f->ops->write(f, &io, NULL);
    file_put(f);
    return result;
}
long set_nonblocking(int fd)
{
    struct file *f = fd_get(fd);
    f->flags |= 04000;
    file_put(f);
    return 0;
}
unsigned poll_now(int fd)
{
    struct file *f = fd_get(fd);
    unsigned events = file_poll(f, NULL);
    file_put(f);
    return events;
}
long set_pipe_size(int fd, unsigned long size)
{
    struct file *f = fd_get(fd);
    long result = pipe_control(f, 1031, size);
    file_put(f);
    return result;
}
"""


@pytest.fixture(scope="module")
def kernel(build: Callable[..., tuple[Any, Any]]) -> Kernel:
    made = Kernel(*build(COMPONENTS, CDEF, EXTRA))
    for _ in range(200):  # the descriptor table is as large as it will be
        made.pipe()
    return made


@pytest.fixture(autouse=True)
def nothing_left(kernel: Kernel) -> Iterator[None]:
    """Every test closes what it opened, and then nothing is left: no memory, no pages."""
    kernel.close_all()
    before = kernel.lib.files_live()
    yield
    kernel.close_all()
    assert kernel.lib.files_live() == before
    assert kernel.lib.host_pages_live() == 0


class Kernel:
    """Our calls with the results of Python's own: values, or OSError."""

    def __init__(self, lib: Any, ffi: Any) -> None:
        self.lib, self.ffi = lib, ffi
        self.open: set[int] = set()

    def check(self, result: int) -> int:
        if result < 0:
            raise OSError(-result, os.strerror(-result))
        return result

    def new(self, fd: int) -> int:
        self.open.add(self.check(fd))
        return fd

    def close(self, fd: int) -> None:
        self.open.discard(fd)
        self.check(self.lib.fd_close(fd))

    def close_all(self) -> None:
        for fd in sorted(self.open):
            self.lib.fd_close(fd)
        self.open.clear()

    def two(self, call: Callable[[Any], int]) -> tuple[int, int]:
        fds = self.ffi.new("int[2]")
        self.check(call(fds))
        return self.new(fds[0]), self.new(fds[1])

    def pipe(self, flags: int = os.O_NONBLOCK) -> tuple[int, int]:
        return self.two(lambda fds: self.lib.sys_pipe2(fds, flags))

    def socketpair(self, kind: int) -> tuple[int, int]:
        return self.two(lambda fds: self.lib.sys_socketpair(socket.AF_UNIX, kind | socket.SOCK_NONBLOCK, 0, fds))

    def socket(self, kind: int, flags: int = socket.SOCK_NONBLOCK) -> int:
        return self.new(self.lib.sys_socket(socket.AF_UNIX, kind | flags, 0))

    def read(self, fd: int, n: int) -> bytes:
        room = self.ffi.new("char[]", max(n, 1))
        return bytes(self.ffi.buffer(room, self.check(self.lib.do_read(fd, room, n))))

    def write(self, fd: int, data: bytes) -> int:
        return self.check(self.lib.do_write(fd, data, len(data)))

    def recv(self, fd: int, n: int, flags: int = 0) -> bytes:
        room = self.ffi.new("char[]", max(n, 1))
        got = self.check(self.lib.sys_recvfrom(fd, room, n, flags, self.ffi.NULL, self.ffi.NULL))
        return bytes(self.ffi.buffer(room, min(got, n)))

    def send(self, fd: int, data: bytes, flags: int = 0) -> int:
        return self.check(self.lib.sys_sendto(fd, data, len(data), flags | socket.MSG_NOSIGNAL, self.ffi.NULL, 0))

    def shutdown(self, fd: int, how: int) -> int:
        return self.check(self.lib.sys_shutdown(fd, how))

    def poll(self, fd: int) -> int:
        return int(self.lib.poll_now(fd))

    def option(self, fd: int, option: int) -> int:
        value, length = self.ffi.new("int *"), self.ffi.new("int *", 4)
        self.check(self.lib.sys_getsockopt(fd, socket.SOL_SOCKET, option, value, length))
        return int(value[0])

    def name(self, text: str) -> bytes:
        return struct.pack("H", socket.AF_UNIX) + text.encode()

    def bind(self, fd: int, text: str) -> int:
        name = self.name(text)
        return self.check(self.lib.sys_bind(fd, name, len(name)))

    def connect(self, fd: int, text: str) -> int:
        name = self.name(text)
        return self.check(self.lib.sys_connect(fd, name, len(name)))

    def listen(self, fd: int, backlog: int) -> int:
        return self.check(self.lib.sys_listen(fd, backlog))

    def accept(self, fd: int) -> int:
        return self.new(self.lib.sys_accept4(fd, self.ffi.NULL, self.ffi.NULL, socket.SOCK_NONBLOCK))

    def message(self, data: Any, size: int, control: Any, length: int) -> Any:
        """A struct msghdr with one vector."""
        vector = self.ffi.new("uint64_t[2]", [int(self.ffi.cast("uintptr_t", data)), size])
        header = self.ffi.new("uint64_t[7]")
        header[2], header[3] = int(self.ffi.cast("uintptr_t", vector)), 1
        header[4], header[5] = int(self.ffi.cast("uintptr_t", control)), length
        self._kept = (vector, data, control)
        return header

    def send_fds(self, fd: int, data: bytes, fds: list[int]) -> int:
        rights = array.array("i", fds).tobytes()
        control = self.ffi.new("char[]", struct.pack("Qii", 16 + len(rights), socket.SOL_SOCKET, 1) + rights)
        header = self.message(self.ffi.new("char[]", data), len(data), control, 16 + len(rights))
        return self.check(self.lib.sys_sendmsg(fd, header, 0))

    def recv_fds(self, fd: int, n: int, room: int) -> tuple[bytes, list[int], int]:
        data, control = self.ffi.new("char[]", n), self.ffi.new("char[]", max(room, 1))
        header = self.message(data, n, control, room)
        got = self.check(self.lib.sys_recvmsg(fd, header, 0))
        fds: array.array[int] = array.array("i")
        if header[5] >= 16:
            length = struct.unpack("Q", bytes(self.ffi.buffer(control, 8)))[0]
            fds.frombytes(bytes(self.ffi.buffer(control + 16, length - 16)))
        self.open.update(fds)
        self.control_length = header[5]
        return bytes(self.ffi.buffer(data, got)), list(fds), header[6] & 0xFFFFFFFF


class Linux:
    """The same on the machine that the tests run on."""

    def close(self, fd: int) -> None:
        os.close(fd)

    def pipe(self) -> tuple[int, int]:
        return os.pipe2(os.O_NONBLOCK)

    def socketpair(self, kind: int) -> tuple[int, int]:
        pair = socket.socketpair(socket.AF_UNIX, kind | socket.SOCK_NONBLOCK)
        return pair[0].detach(), pair[1].detach()

    def read(self, fd: int, n: int) -> bytes:
        return os.read(fd, n)

    def write(self, fd: int, data: bytes) -> int:
        return os.write(fd, data)

    def recv(self, fd: int, n: int, flags: int = 0) -> bytes:
        with self._socket(fd) as s:
            return s.recv(n, flags)

    def send(self, fd: int, data: bytes, flags: int = 0) -> int:
        with self._socket(fd) as s:
            return s.send(data, flags | socket.MSG_NOSIGNAL)

    def shutdown(self, fd: int, how: int) -> int:
        with self._socket(fd) as s:
            s.shutdown(how)
        return 0

    def option(self, fd: int, option: int) -> int:
        with self._socket(fd) as s:
            return s.getsockopt(socket.SOL_SOCKET, option)

    def poll(self, fd: int) -> int:
        p = select.poll()
        p.register(fd, 0x3FFF)
        found = p.poll(0)
        return found[0][1] if found else 0

    def _socket(self, fd: int) -> socket.socket:
        s = socket.socket(fileno=os.dup(fd))
        s.setblocking(False)
        return s


def outcome(call: Callable[..., Any], *arguments: Any) -> Any:
    """What a call gives, or the name of its error."""
    try:
        return call(*arguments)
    except OSError as error:
        return errno.errorcode[error.errno or 0]


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET])
@pytest.mark.parametrize("seed", range(15))
def test_a_pair_does_what_linux_does(kernel: Kernel, kind: int, seed: int) -> None:
    chance = random.Random(seed)
    sides: list[tuple[Any, list[int]]] = [(k, list(k.socketpair(kind))) for k in (kernel, Linux())]
    done: list[str] = []
    for _ in range(60):
        # Linux forgets empty packets that were looked at.
        end, how = chance.randrange(2), chance.randrange(3)
        n = chance.choice([1, 3, 10, 500] if kind == socket.SOCK_SEQPACKET else [0, 1, 3, 10, 500])
        flags = chance.choice([0, 0, socket.MSG_PEEK])
        action = chance.choices(["send", "recv", "poll", "shutdown", "close", "error"], [30, 30, 20, 2, 1, 2])[0]
        if action == "close" and -1 in sides[0][1]:
            continue
        done.append(f"{action} {end} {n} {flags} {how}")
        results: list[Any] = []
        for side, fds in sides:
            fd = fds[end]
            if fd < 0:
                results.append(None)
            elif action == "send":
                results.append(outcome(side.send, fd, bytes(range(n % 256)) * (1 + n // 256)))
            elif action == "recv":
                results.append(outcome(side.recv, fd, max(n, 1), flags))
            elif action == "poll":
                results.append(side.poll(fd))
            elif action == "shutdown":
                results.append(outcome(side.shutdown, fd, how))
            elif action == "error":
                results.append(side.option(fd, socket.SO_ERROR))
            else:
                side.close(fd)
                fds[end] = -1
                results.append(None)
        assert results[0] == results[1], "\n".join(done)
    for side, fds in sides:
        for fd in fds:
            if fd >= 0:
                side.close(fd)


@pytest.mark.parametrize("seed", range(15))
def test_a_pipe_does_what_linux_does(kernel: Kernel, seed: int) -> None:
    """Linux fills whole pages only, so sizes are those where both agree: all of a page, or little."""
    chance = random.Random(seed)
    sides: list[tuple[Any, tuple[int, int]]] = [(k, k.pipe()) for k in (kernel, Linux())]
    for _ in range(100):
        action, n = chance.choice(["read", "write", "poll"]), chance.choice([4096, 4096, 8192, 65536])
        results = []
        for side, (r, w) in sides:
            if action == "read":
                results.append(outcome(side.read, r, n))
            elif action == "write":
                results.append(outcome(side.write, w, bytes([n % 251]) * n))
            else:
                results.append((side.poll(r), side.poll(w)))
        assert results[0] == results[1]
    last = chance.randrange(2)
    for side, fds in sides:
        side.close(fds[last])
    results = [side.poll(fds[1 - last]) & 0x18 for side, fds in sides]
    assert results[0] == results[1]
    sides[1][0].close(sides[1][1][1 - last])


def test_a_pipe_is_a_ring_of_bytes(kernel: Kernel) -> None:
    """Any sizes: what comes out is what went in, a full ring's ends share a page, and resizing keeps it all."""
    chance = random.Random(1)
    r, w = kernel.pipe()
    sent, taken = bytearray(), 0
    for step in range(2000):
        data = chance.randbytes(chance.choice([1, 100, 4096, 5000, 70000]))
        n = outcome(kernel.write, w, data)
        if isinstance(n, int):
            sent += data[:n]
        if step % 97 == 0:
            size = chance.choice([4096, 65536, 131072])
            assert outcome(kernel.check, kernel.lib.set_pipe_size(w, size)) in (size, "EBUSY")
        got = outcome(kernel.read, r, chance.choice([1, 4095, 4096, 10000]))
        if isinstance(got, bytes):
            assert sent[taken : taken + len(got)] == got
            taken += len(got)
    kernel.close(w)
    while got := kernel.read(r, 1 << 20):
        assert sent[taken : taken + len(got)] == got
        taken += len(got)
    assert taken == len(sent)


def test_writes_of_up_to_pipe_buf_are_all_or_nothing(kernel: Kernel) -> None:
    r, w = kernel.pipe()
    assert kernel.write(w, bytes(65536 - 10)) == 65526
    assert outcome(kernel.write, w, bytes(11)) == "EAGAIN"
    assert kernel.write(w, bytes(5000)) == 10
    kernel.close(r)
    assert outcome(kernel.write, w, b"x") == "EPIPE" and kernel.lib.host_last_signal == 13


def test_names(kernel: Kernel) -> None:
    server, client, other = (kernel.socket(socket.SOCK_STREAM) for _ in range(3))
    assert outcome(kernel.connect, client, "\0name") == "ECONNREFUSED"
    kernel.bind(server, "\0name")
    assert outcome(kernel.bind, other, "\0name") == "EADDRINUSE"
    assert outcome(kernel.connect, client, "\0name") == "ECONNREFUSED", "bound, but nobody listens"
    kernel.listen(server, 0)
    assert outcome(kernel.accept, server) == "EAGAIN"
    kernel.connect(client, "\0name")
    assert outcome(kernel.connect, other, "\0name") == "EAGAIN", "the backlog is full"
    assert kernel.send(client, b"early") == 5
    peer = kernel.accept(server)
    kernel.connect(other, "\0name")
    assert kernel.recv(peer, 10) == b"early"
    kernel.close(server)
    assert kernel.poll(other) & select.POLLERR
    assert outcome(kernel.recv, other, 1) == "ECONNRESET" and kernel.recv(other, 1) == b""


def test_files_travel(kernel: Kernel) -> None:
    a, b = kernel.socketpair(socket.SOCK_STREAM)
    r, w = kernel.pipe()
    kernel.send(a, b"before ")
    kernel.send_fds(a, b"with", [r, w])
    kernel.send(a, b"after")
    kernel.close(r)
    data, fds, flags = kernel.recv_fds(b, 100, 64)
    assert data == b"before with" and len(fds) == 2 and flags == 0
    kernel.write(fds[1], b"through")
    assert kernel.read(fds[0], 10) == b"through" and kernel.recv(b, 10) == b"after"
    kernel.send_fds(a, b"x", [w, w])
    data, fds, flags = kernel.recv_fds(b, 10, 20)
    assert len(fds) == 1 and flags & socket.MSG_CTRUNC
    kernel.send_fds(a, b"x", [w])
    assert kernel.recv(b, 10) == b"x", "without room for them the files are closed"
    assert outcome(kernel.send_fds, a, b"x", [99]) == "EBADF"


@pytest.mark.parametrize(("room", "length"), [(64, 24), (24, 24), (22, 22), (20, 20), (18, 0), (16, 0)])
def test_control_messages_count_with_what_aligns_them(kernel: Kernel, room: int, length: int) -> None:
    """As Linux counts them: CMSG_NXTHDR of older glibcs sees no last message without its padding."""
    a, b = kernel.socketpair(socket.SOCK_STREAM)
    kernel.send_fds(a, b"x", [a])
    _, fds, flags = kernel.recv_fds(b, 1, room)
    assert kernel.control_length == length and len(fds) == bool(length)
    assert flags == (0 if length else socket.MSG_CTRUNC)


@pytest.mark.parametrize("seed", range(20))
def test_sockets_in_flight_to_nobody_are_closed(kernel: Kernel, seed: int) -> None:
    """Sockets sent around at random, then all closed: nothing_left() sees whether they are all gone."""
    chance = random.Random(seed)
    fds = [fd for _ in range(6) for fd in kernel.socketpair(socket.SOCK_DGRAM)]
    for _ in range(30):
        outcome(kernel.send_fds, chance.choice(fds), b"x", chance.sample(fds, 2))
    chance.shuffle(fds)
    for fd in fds:
        kernel.close(fd)
    for fd in kernel.socketpair(socket.SOCK_DGRAM):
        kernel.close(fd)


class Epoll:
    """Our epoll; events as (fd, events)."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel, self.fd = kernel, kernel.new(kernel.lib.sys_epoll_create1(0))

    def control(self, operation: int, fd: int, events: int = 0) -> int:
        event = self.kernel.ffi.new("char[]", struct.pack("<IQ", events, fd))
        return self.kernel.check(self.kernel.lib.sys_epoll_ctl(self.fd, operation, fd, event))

    def wait(self, most: int = 64, timeout: int = 0) -> list[tuple[int, int]]:
        room = self.kernel.ffi.new("char[]", 12 * most)
        n = self.kernel.check(self.kernel.lib.sys_epoll_wait(self.fd, room, most, timeout))
        pairs = struct.iter_unpack("<IQ", bytes(self.kernel.ffi.buffer(room, 12 * n)))
        return [(fd, events) for events, fd in pairs]


def test_epoll_wakes_for_what_happened(kernel: Kernel) -> None:
    ep = Epoll(kernel)
    pairs = [kernel.pipe() for _ in range(30)]
    for r, _ in pairs:
        ep.control(1, r, select.EPOLLIN)
    assert ep.wait() == []
    for i in (3, 17, 29):
        kernel.write(pairs[i][1], b"x")
    assert [fd for fd, _ in ep.wait()] == [pairs[i][0] for i in (3, 17, 29)]
    assert [fd for fd, _ in ep.wait(2)] == [pairs[i][0] for i in (3, 17)]
    assert [fd for fd, _ in ep.wait(2)] == [pairs[i][0] for i in (29, 3)], "those that had no room come first"
    kernel.read(pairs[3][0], 1)
    assert sorted(fd for fd, _ in ep.wait()) == [pairs[i][0] for i in (17, 29)]
    kernel.close(pairs[17][0])
    assert [fd for fd, _ in ep.wait()] == [pairs[29][0]], "a closed file is forgotten"


def test_epoll_edges_and_once(kernel: Kernel) -> None:
    ep = Epoll(kernel)
    r, w = kernel.pipe()
    ep.control(1, r, select.EPOLLIN | select.EPOLLET)
    kernel.write(w, b"1")
    assert len(ep.wait()) == 1 and ep.wait() == []
    kernel.write(w, b"2")
    assert len(ep.wait()) == 1 and ep.wait() == []
    ep.control(3, r, select.EPOLLIN | select.EPOLLONESHOT)
    assert len(ep.wait()) == 1
    kernel.write(w, b"3")
    assert ep.wait() == []
    kernel.close(w)
    assert ep.wait() == [], "not even a hang-up is told"
    ep.control(3, r, select.EPOLLIN)
    assert ep.wait() == [(r, select.EPOLLIN | select.EPOLLHUP)]
    assert outcome(ep.control, 1, r, 1) == "EEXIST"
    ep.control(2, r)
    assert outcome(ep.control, 2, r) == "ENOENT" and outcome(ep.control, 3, r, 1) == "ENOENT"


def test_epolls_watch_epolls_but_not_in_circles(kernel: Kernel) -> None:
    chain = [Epoll(kernel) for _ in range(5)]
    for outer, inner in itertools.pairwise(chain):
        outer.control(1, inner.fd, select.EPOLLIN)
    assert outcome(chain[4].control, 1, chain[0].fd, select.EPOLLIN) == "ELOOP"
    assert outcome(Epoll(kernel).control, 1, chain[0].fd, 1) == "ELOOP", "six deep is too deep"
    assert outcome(chain[0].control, 1, chain[0].fd, 1) == "EINVAL"
    r, w = kernel.pipe()
    chain[4].control(1, r, select.EPOLLIN)
    assert chain[0].wait() == []
    kernel.write(w, b"x")
    assert chain[0].wait() == [(chain[1].fd, select.EPOLLIN)]
    kernel.read(r, 1)
    assert chain[0].wait() == []


def test_epoll_time_out_and_signal(kernel: Kernel) -> None:
    ep = Epoll(kernel)
    assert ep.wait(timeout=50) == []
    assert outcome(ep.wait, 64, -1) == "EINTR", "the host's stand-in for a wait that nothing ends"


def test_select(kernel: Kernel) -> None:
    r, w = kernel.pipe()
    readable, writable = kernel.ffi.new("uint64_t[2]", [1 << r, 0]), kernel.ffi.new("uint64_t[2]", [1 << w, 0])
    assert kernel.lib.sys_select(70, readable, writable, kernel.ffi.NULL, kernel.ffi.NULL) == 1
    assert readable[0] == 0 and writable[0] == 1 << w
    bad = kernel.ffi.new("uint64_t[1]", [1 << 50])
    assert kernel.lib.sys_select(60, bad, kernel.ffi.NULL, kernel.ffi.NULL, kernel.ffi.NULL) == -errno.EBADF


def test_eventfd(kernel: Kernel) -> None:
    counter = kernel.new(kernel.lib.sys_eventfd2(3, os.O_NONBLOCK))
    kernel.write(counter, struct.pack("Q", 4))
    assert kernel.read(counter, 8) == struct.pack("Q", 7)
    assert outcome(kernel.read, counter, 8) == "EAGAIN"
    assert outcome(kernel.write, counter, struct.pack("Q", 2**64 - 1)) == "EINVAL"
    kernel.write(counter, struct.pack("Q", 2**64 - 2))
    assert outcome(kernel.write, counter, struct.pack("Q", 1)) == "EAGAIN"
    assert kernel.poll(counter) == select.EPOLLIN
    semaphore = kernel.new(kernel.lib.sys_eventfd2(2, os.O_NONBLOCK | 1))
    assert [kernel.read(semaphore, 8)[0] for _ in range(2)] == [1, 1]
    assert outcome(kernel.read, semaphore, 8) == "EAGAIN"
