"""Pseudo-terminals: a pair is a terminal and its other end, /dev/pts names it for as long as it lives."""

import errno
import fcntl
import os
import pty
import select
import struct
import termios
import threading
import time


def fails(number, call, *arguments):
    try:
        call(*arguments)
    except OSError as error:
        assert error.errno == number, error
    else:
        raise AssertionError(f"{call} went through")


def ready(descriptor, wait=5000):
    poll = select.poll()
    poll.register(descriptor, select.POLLIN | select.POLLOUT)
    return sum(events for _, events in poll.poll(wait))


master, slave = os.openpty()
name = os.ttyname(slave)
assert name.startswith("/dev/pts/") and os.isatty(slave) and os.isatty(master)
assert os.stat(name).st_rdev == os.fstat(slave).st_rdev and os.major(os.fstat(slave).st_rdev) == 136
assert name.rpartition("/")[2] in os.listdir("/dev/pts")

# A line goes through once it is complete, with its echo; output gets its carriage returns.
os.write(master, b"helo\x7flo")
assert not ready(slave, 0) & select.POLLIN
os.write(master, b"\n")
assert os.read(slave, 100) == b"hello\n"
assert os.read(master, 100) == b"helo\b \blo\r\n"
os.write(slave, b"one\ntwo\t\n")
assert os.read(master, 3) == b"one" and os.read(master, 100) == b"\r\ntwo\t\r\n"
os.write(master, b"part\x04")  # the end-of-file character ends a line without a character of its own
assert os.read(slave, 100) == b"part"
os.write(master, b"\x04")
assert os.read(slave, 100) == b""
os.read(master, 100)

# Sizes and modes are one for both sides.
fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("4H", 33, 77, 0, 0))
assert struct.unpack("4H", fcntl.ioctl(slave, termios.TIOCGWINSZ, bytes(8)))[:2] == (33, 77)
assert os.get_terminal_size(slave) == (77, 33)
mode = termios.tcgetattr(slave)
mode[0], mode[1], mode[3] = 0, 0, 0
termios.tcsetattr(slave, termios.TCSANOW, mode)
assert termios.tcgetattr(master)[3] == mode[3]
os.write(master, b"\x04raw")
assert os.read(slave, 100) == b"\x04raw"

# More than fits waits for the reader, in both directions.
data = os.urandom(200_000)
for there, here in ((slave, master), (master, slave)):
    got = bytearray()

    def write(there=there):
        left = memoryview(data)
        while left:
            left = left[os.write(there, left) :]

    writer = threading.Thread(target=write)
    writer.start()
    while len(got) < len(data):
        got += os.read(here, 65536)
    writer.join()
    assert bytes(got) == data
os.set_blocking(slave, False)
fails(errno.EAGAIN, os.read, slave, 1)
total = 0
try:
    while True:
        total += os.write(slave, bytes(1000))
except BlockingIOError:
    assert total and not ready(slave, 0) & select.POLLOUT
while total:
    total -= len(os.read(master, 65536))
assert ready(slave, 0) & select.POLLOUT

# A reader is woken by what comes later.
os.set_blocking(slave, True)
said = []
reader = threading.Thread(target=lambda: said.append(os.read(slave, 10)))
reader.start()
time.sleep(0.05)
os.write(master, b"x")
reader.join()
assert said == [b"x"]

# The last slave's end hangs the master up; another one mends it. The master's end is the pair's.
second = os.open(name, os.O_RDWR | os.O_NOCTTY)
os.close(slave)
assert not ready(master, 0) & select.POLLHUP
os.close(second)
assert ready(master) & select.POLLHUP
fails(errno.EIO, os.read, master, 1)
slave = os.open(name, os.O_RDWR | os.O_NOCTTY)
assert not ready(master, 0) & select.POLLHUP
os.close(master)
assert os.read(slave, 10) == b"" and ready(slave) & select.POLLHUP
fails(errno.EIO, os.write, slave, b"x")
assert not os.path.exists(name)
os.close(slave)

# A slave that nobody unlocked cannot be opened; pairs are independent, and their numbers are used again.
raw = os.open("/dev/ptmx", os.O_RDWR | os.O_NOCTTY)
number = struct.unpack("I", fcntl.ioctl(raw, 0x80045430, bytes(4)))[0]  # TIOCGPTN
fails(errno.EIO, os.open, f"/dev/pts/{number}", os.O_RDWR | os.O_NOCTTY)
pairs = [pty.openpty() for _ in range(20)]
for i, (one, _) in enumerate(pairs):
    os.write(one, b"%d\n" % i)
assert [os.read(two, 10) for _, two in pairs] == [b"%d\n" % i for i in range(20)]
assert len({os.ttyname(two) for _, two in pairs}) == 20
for pair in pairs:
    os.close(pair[0]), os.close(pair[1])
os.close(raw)
before = {os.ttyname(pair[1]) for pair in [pty.openpty()]}
assert len(before) == 1
