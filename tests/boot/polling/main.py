"""Waiting for many things at once: epoll, poll, select over pipes, socket pairs, eventfd."""

import errno
import os
import select
import signal
import socket
import threading
import time


def epoll_modes() -> None:
    a, b = socket.socketpair()
    e = select.epoll()
    e.register(a, select.EPOLLIN)
    assert e.poll(0) == []
    b.send(b"12")
    assert e.poll(1) == [(a.fileno(), select.EPOLLIN)] and e.poll(0), "level triggered: told again"
    e.modify(a, select.EPOLLIN | select.EPOLLET)
    assert e.poll(0) and e.poll(0) == [], "edge triggered: told once"
    b.send(b"3")
    assert e.poll(0)
    e.modify(a, select.EPOLLIN | select.EPOLLONESHOT)
    assert e.poll(0) and e.poll(0) == []
    e.modify(a, select.EPOLLIN | select.EPOLLOUT)
    assert e.poll(0) == [(a.fileno(), select.EPOLLIN | select.EPOLLOUT)]
    b.shutdown(socket.SHUT_WR)
    e.modify(a, select.EPOLLIN | select.EPOLLRDHUP)
    assert e.poll(0) == [(a.fileno(), select.EPOLLIN | select.EPOLLRDHUP)]
    b.close()
    assert e.poll(0)[0][1] & select.EPOLLHUP
    try:
        e.register(a, select.EPOLLIN)
        raise AssertionError("registered twice")
    except FileExistsError:
        pass
    number = a.fileno()
    a.close()
    assert e.poll(0) == [], "a closed file is forgotten"
    try:
        e.unregister(number)
    except OSError as x:
        assert x.errno in (errno.EBADF, errno.ENOENT)
    e.close()


def many() -> None:
    e = select.epoll()
    pipes = [os.pipe() for _ in range(400)]
    for r, _ in pipes:
        e.register(r, select.EPOLLIN)
    for i in (3, 77, 399):
        os.write(pipes[i][1], b"x")
    assert sorted(fd for fd, _ in e.poll(1)) == sorted(pipes[i][0] for i in (3, 77, 399))
    for r, w in pipes:
        os.close(r)
        os.close(w)


def pipes() -> None:
    r, w = os.pipe2(os.O_NONBLOCK)
    p = select.poll()
    p.register(r, select.POLLIN)
    p.register(w, select.POLLOUT)
    assert p.poll(0) == [(w, select.POLLOUT)]
    try:
        os.read(r, 1)
        raise AssertionError
    except BlockingIOError:
        pass
    total = 0
    try:
        while True:
            total += os.write(w, b"x" * 4096)
    except BlockingIOError:
        pass
    assert total == 65536 and p.poll(0) == [(r, select.POLLIN)]
    assert len(os.read(r, 1 << 20)) == 65536
    os.close(w)
    assert p.poll(0)[0][1] & select.POLLHUP and os.read(r, 1) == b""
    os.close(r)
    p.unregister(r)
    assert p.poll(0) == [(w, select.POLLNVAL)]


def waking() -> None:
    a, b = socket.socketpair()
    threading.Timer(0.05, lambda: b.send(b"x")).start()
    began = time.monotonic()
    assert select.select([a], [], [], 5)[0] == [a] and 0.03 < time.monotonic() - began < 2
    began = time.monotonic()
    assert select.select([b], [], [], 0.05) == ([], [], []) and 0.049 < time.monotonic() - began < 1
    fd = os.eventfd(0, os.EFD_NONBLOCK)
    os.eventfd_write(fd, 5)
    os.eventfd_write(fd, 6)
    assert os.eventfd_read(fd) == 11


def interrupted() -> None:
    seen = []
    signal.signal(signal.SIGALRM, lambda *_: seen.append(1))
    r, w = socket.socketpair()
    r.setblocking(False)
    w.setblocking(False)
    signal.set_wakeup_fd(w.fileno())
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    e = select.epoll()
    e.register(r, select.EPOLLIN)
    assert e.poll(5) and seen == [1] and r.recv(10) == bytes([signal.SIGALRM])
    signal.set_wakeup_fd(-1)


def unix_sockets() -> None:
    server = socket.socket(socket.AF_UNIX)
    server.bind("/tmp/socket")
    server.listen(2)
    client = socket.socket(socket.AF_UNIX)
    client.connect("/tmp/socket")
    peer, _ = server.accept()
    r, w = os.pipe()
    socket.send_fds(client, [b"take it"], [r])
    data, fds, _, _ = socket.recv_fds(peer, 100, 4)
    os.write(w, b"through")
    assert data == b"take it" and os.read(fds[0], 10) == b"through"
    client.close()
    assert peer.recv(1) == b""
    try:
        peer.send(b"x")
        peer.send(b"x")
        raise AssertionError
    except BrokenPipeError:
        pass
    one, two = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    one.send(b"a")
    one.send(b"bc")
    assert two.recv(10) == b"a" and two.recv(10) == b"bc"
    os.unlink("/tmp/socket")
    try:
        socket.socket(socket.AF_UNIX).connect("/tmp/socket")
        raise AssertionError
    except FileNotFoundError:
        pass


epoll_modes()
many()
pipes()
waking()
if not isinstance(threading.current_thread(), threading.Timer):
    interrupted()
unix_sockets()
