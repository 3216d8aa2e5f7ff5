"""The application's own channel: what the test's end says is a command a line, the answers are lines too."""

import errno
import fcntl
import functools
import os
import select
import struct
import sys
import termios
import time

PORT = "/dev/virtio-ports/unikit.app"

try:
    port = os.open(PORT, os.O_RDWR)
except OSError as error:
    sys.exit(3 if error.errno == errno.ENXIO else 1)

reader = os.fdopen(port, "rb")


def say(data: bytes) -> None:
    while data:
        data = data[os.write(port, data) :]


def refused(number: int, call) -> None:
    try:
        call()
    except OSError as error:
        assert error.errno == number, error
    else:
        raise AssertionError("allowed")


refused(errno.EBUSY, lambda: os.open(PORT, os.O_RDWR))
refused(errno.ESPIPE, lambda: os.lseek(port, 0, os.SEEK_SET))
assert os.readv(port, []) == 0 and os.write(port, b"") == 0
say(b"ready\n")

poll = select.poll()
poll.register(port, select.POLLIN | select.POLLOUT)
assert poll.poll(1000) == [(port, select.POLLOUT)], "nothing to read yet, and room"
say(b"polled\n")
poll.modify(port, select.POLLIN)
assert poll.poll(60000) == [(port, select.POLLIN)]
waiting = struct.unpack("i", fcntl.ioctl(port, termios.FIONREAD, b"\0" * 4))[0]
assert waiting == len(b"echo first\n"), waiting
e = select.epoll()
e.register(port, select.EPOLLIN)
assert e.poll(0)
e.close()

while line := reader.readline():
    command, _, rest = line.rstrip(b"\n").partition(b" ")
    if command == b"echo":
        say(rest + b"\n")
    elif command == b"take":  # as many bytes follow: more than all buffers on the way
        time.sleep(0.3)  # the host has to wait
        data = reader.read(int(rest))
        assert data == bytes(i * 7 % 251 for i in range(int(rest)))
        say(b"took %d\n" % len(data))
    elif command == b"give":
        say(bytes(i % 10 + 48 for i in range(int(rest))) + b"\n")
    elif command == b"again":  # open anew: nothing of before is left over
        reader.close()
        port = os.open(PORT, os.O_RDWR | os.O_NONBLOCK)
        refused(errno.EAGAIN, functools.partial(os.read, port, 1))
        os.set_blocking(port, True)
        reader = os.fdopen(port, "rb")
        say(b"anew\n")
    elif command == b"fill":  # until the host does not take more
        os.set_blocking(port, False)
        total = 0
        end = time.monotonic() + 60
        try:
            while time.monotonic() < end:
                total += os.write(port, b"x" * 1000)
        except BlockingIOError:
            pass
        writable = select.select([], [port], [], 0)[1]
        print("filled", total, writable, flush=True)
        assert select.select([], [port], [], 60)[1] == [port], "room again once the host reads"
        os.set_blocking(port, True)
        say(b"\nfilled %d\n" % total)
    elif command == b"last":  # and off at once: it arrives all the same
        say(b"z" * 100000 + b"\n")
        os._exit(7)

# The host has left.
assert os.read(port, 1) == b"" and poll.poll(0)[0][1] & select.POLLHUP
refused(errno.EPIPE, lambda: os.write(port, b"x"))
sys.exit(9)
