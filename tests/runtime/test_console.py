"""The terminal's line discipline against a pseudo-terminal of this machine, and the report channel's lines."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import random
import struct
import termios
import time
from collections.abc import Callable
from typing import Any

import pytest

from .conftest import ROOT

TTY_CDEF = """
extern size_t echoed_length;
extern char echoed[];
extern int last_signal;
void start(const void *flags, const void *characters);
void set_flags(const void *flags);
void type(const char *, size_t);
void print(const char *, size_t);
long read_now(void *, size_t);
long read_waiting(void *, size_t);
int readable(void);
void plain(void);
void end(void);
"""

TTY_EXTRA = f"""
#include "{ROOT}/runtimes/console/tty.h"
#include "node.h"
void node_put(struct node *n) {{ (void)n; }}
static struct tty tty;
size_t echoed_length;
char echoed[65536];
int last_signal;
static void output(struct tty *t, const char *text, size_t n)
{{
    (void)t;
    memcpy(echoed + echoed_length, text, n);
    echoed_length += n;
}}
static void send(struct tty *t, int number) {{ (void)t; last_signal = number; }}
void set_flags(const void *flags)
{{
    struct termios2 t = tty.termios;
    memcpy(&t, flags, 16);
    tty_ioctl(&tty, TCSETS2, (uintptr_t)&t);
}}
void start(const void *flags, const void *characters)
{{
    tty_init(&tty);
    tty.output = output;
    tty.signal = send;
    echoed_length = 0;
    last_signal = 0;
    memcpy(tty.termios.c_cc, characters, sizeof(tty.termios.c_cc));
    memcpy(&tty.termios, flags, 16);
}}
void type(const char *text, size_t n) {{ tty_receive(&tty, text, n); }}
void print(const char *text, size_t n) {{ tty_write(&tty, text, n); }}
static long take(void *to, size_t n, bool nonblocking)
{{
    struct io io;
    io_init(&io, to, n, true);
    return tty_read(&tty, &io, nonblocking);
}}
long read_now(void *to, size_t n) {{ return take(to, n, true); }}
long read_waiting(void *to, size_t n) {{ return take(to, n, false); }}
int readable(void)
{{
    int n;
    tty_ioctl(&tty, FIONREAD, (uintptr_t)&n);
    return n;
}}
void plain(void) {{ tty.plain = true; }}
void end(void) {{ tty_end(&tty); }}
"""

CHARACTERS = bytes([3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 0, 23, 22, 0, 0, 0])
INPUT, OUTPUT = termios.ICRNL | termios.IXON | 0o40000, termios.OPOST | termios.ONLCR  # and IUTF8
LOCAL = (
    termios.ISIG | termios.ICANON | termios.ECHO | termios.ECHOE | termios.ECHOK | termios.ECHOCTL | termios.ECHOKE
    | termios.IEXTEN
)  # fmt: skip
KEYS = [
    b"a",
    b" ",
    b"word",
    b"\x7f",
    b"\x7f",
    b"\x17",
    b"\x15",
    b"\r",
    b"\n",
    b"\x04",
    b"\x16",
    b"\x12",
    "\u00e4".encode(),
]
KEYS += [b"\x01", b"\x1b[A", b"foo_bar", b"--"]


@pytest.fixture(scope="module")
def tty(build: Callable[..., tuple[Any, Any]]) -> tuple[Any, Any]:
    return build(["console/tty", "vfs/io", "vfs/file"], TTY_CDEF, TTY_EXTRA)


def flags(local: int = LOCAL, input: int = INPUT) -> bytes:
    """The start of struct termios: c_iflag, c_oflag, c_cflag, c_lflag."""
    return struct.pack("4I", input, OUTPUT, termios.B38400 | termios.CS8 | termios.CREAD, local)


class Pair:
    """Our terminal and one of Linux, to which the same is done."""

    def __init__(self, lib: Any, ffi: Any, local: int, input: int) -> None:
        self.lib, self.ffi, self.input = lib, ffi, input
        self.master, self.slave = pty.openpty()
        for fd in (self.master, self.slave):
            os.set_blocking(fd, False)
        self.echo = b""
        lib.start(flags(local, input), CHARACTERS)
        self._linux(local)

    def _linux(self, local: int) -> None:
        have = bytearray(fcntl.ioctl(self.slave, termios.TCGETS, bytes(60)))
        have[:16] = flags(local, self.input)
        have[17 : 17 + 19] = CHARACTERS
        fcntl.ioctl(self.slave, termios.TCSETS, bytes(have))

    def set(self, local: int) -> None:
        self._linux(local)
        self.lib.set_flags(flags(local, self.input))

    def type(self, keys: bytes) -> None:
        os.write(self.master, keys)
        self.lib.type(keys, len(keys))

    def print(self, text: bytes) -> None:
        os.write(self.slave, text)
        self.lib.print(text, len(text))

    def both_read(self, n: int) -> tuple[list[bytes], list[bytes]]:
        """All that there is, in reads of n bytes. Only after it Linux has surely looked at every key: it does so in
        the background, but a read that finds nothing waits for that."""
        room = self.ffi.new("char[]", n)
        ours, theirs = [], []
        while (got := self.lib.read_now(room, n)) >= 0:
            ours.append(bytes(self.ffi.buffer(room, got)))
        with contextlib.suppress(BlockingIOError):
            while True:
                theirs.append(os.read(self.slave, n))
        return ours, theirs

    def settled(self) -> bool:
        """Do both show the same, and have the same to read? Linux gets there in its own time."""
        end = time.monotonic() + 2
        ours = bytes(self.ffi.buffer(self.lib.echoed, self.lib.echoed_length))
        while True:
            with contextlib.suppress(BlockingIOError):
                self.echo += os.read(self.master, 65536)
            waiting = struct.unpack("i", fcntl.ioctl(self.slave, termios.FIONREAD, bytes(4)))[0]
            if self.echo == ours and waiting == self.lib.readable():
                return True
            if time.monotonic() > end:
                return False
            time.sleep(0.0005)

    def close(self) -> None:
        os.close(self.master)
        os.close(self.slave)


@pytest.mark.parametrize("seed", range(60))
def test_a_terminal_does_what_linux_does(tty: tuple[Any, Any], seed: int) -> None:
    chance = random.Random(seed)
    local, done = LOCAL, []
    for flag in (termios.ECHOE, termios.ECHOKE, termios.ECHOCTL, termios.ECHO, termios.ICANON):
        local ^= flag if chance.random() < 0.1 else 0
    pair = Pair(*tty, local, INPUT)
    for _ in range(30):
        action = chance.choices(["type", "read", "print", "mode"], [20, 2, 1, 1])[0]
        if action == "type":
            done.append(chance.choice(KEYS))
            pair.type(done[-1])
        elif action in ("read", "mode"):
            done.append(b"<read>")
            ours, theirs = pair.both_read(chance.choice([1, 5, 100]))
            assert ours == theirs, done
            if action == "mode":
                local ^= termios.ICANON
                pair.set(local)
        else:
            done.append(b"<print>")
            pair.print(b"out\n")
        assert pair.settled(), (local, done, pair.echo, bytes(pair.ffi.buffer(pair.lib.echoed, pair.lib.echoed_length)))
    pair.close()


def test_signals_and_literal_characters(tty: tuple[Any, Any]) -> None:
    lib, ffi = tty
    lib.start(flags(), CHARACTERS)
    room = ffi.new("char[]", 100)
    for key, number in ((b"\x03", 2), (b"\x1c", 3)):
        lib.type(b"lost", 4)
        lib.type(key, 1)
        assert lib.last_signal == number and lib.read_now(room, 100) == -11
    lib.last_signal = 0
    lib.type(b"\x16\x03\x1a\r", 4)
    assert lib.last_signal == 0
    assert lib.read_now(room, 100) == 2 and bytes(ffi.buffer(room, 2)) == b"\x03\n", "SUSP is swallowed"


def test_a_console_that_is_no_terminal_passes_bytes_on(tty: tuple[Any, Any]) -> None:
    lib, ffi = tty
    lib.start(flags(), CHARACTERS)
    lib.plain()
    room = ffi.new("char[]", 8192)
    lib.print(b"a\nb\tc", 5)
    assert bytes(ffi.buffer(lib.echoed, lib.echoed_length)) == b"a\nb\tc"
    every = bytes(range(256)) * 17
    lib.type(every, len(every))
    assert lib.read_waiting(room, 8192) == 4096 and bytes(ffi.buffer(room, 4096)) == every[:4096]
    assert lib.read_now(room, 10) == -11
    lib.end()
    assert lib.read_waiting(room, 10) == 0


REPORT_CDEF = """
extern char *sent;
extern size_t sent_length, room_left, console_ended;
extern uint64_t host_time, asked_at;
extern unsigned rows, columns;
extern int host_last_signal;
void attach(void);
void detach(void);
void report_begin(const char *);
void report_number(const char *, int64_t);
void report_hex(const char *, uint64_t);
void report_string(const char *, const char *, size_t);
bool report_end(void);
void report_flush(void);
void report_stderr(void);
void stderr_keep(const char *, size_t);
void report_receive(const char *, size_t);
"""

REPORT_EXTRA = f"""
#include <stdlib.h>
#include "report.h"
#include "{ROOT}/runtimes/console/report_port.h"
char *sent;
size_t sent_length, room_left = SIZE_MAX, console_ended;
unsigned rows, columns;
void console_flush(void) {{}}
void console_resize(unsigned r, unsigned c) {{ rows = r, columns = c; }}
void console_input_end(uint64_t after) {{ console_ended = after; }}
uint64_t host_time, asked_at;
void clock_ask(void)
{{
    report_begin("clock");
    report_end();
}}
bool clock_told(uint64_t real, uint64_t asked)
{{
    host_time = real, asked_at = asked;
    return asked == 0;
}}
static size_t send(const char *bytes, size_t n)
{{
    n = min(min(n, room_left), (size_t)4096);
    room_left -= n;
    sent = realloc(sent, sent_length + n);
    memcpy(sent + sent_length, bytes, n);
    sent_length += n;
    return n;
}}
static bool poll(void)
{{
    room_left = max(room_left, (size_t)100); /* the host reads */
    return false;
}}
static const struct report_port port = {{.send = send, .poll = poll}};
void attach(void) {{ report_attach(&port); }}
void detach(void) {{ report_attach(NULL); }}
"""


@pytest.fixture
def report(build: Callable[..., tuple[Any, Any]]) -> Any:
    lib, ffi = build(["console/report"], REPORT_CDEF, REPORT_EXTRA)
    lib.attach()
    lib.room_left = 1 << 40
    lib.report_flush()
    lib.sent_length = 0
    return lib, ffi


def lines(report: Any) -> list[Any]:
    lib, ffi = report
    text = bytes(ffi.buffer(lib.sent, lib.sent_length)).decode()
    lib.sent_length = 0
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize("seed", range(20))
def test_any_bytes_make_valid_json(report: Any, seed: int) -> None:
    lib, _ = report
    chance = random.Random(seed)
    value = chance.randbytes(50) + '\u00e4\u20ac\U0001f600\u0000"\\\n\x7f'.encode() + chance.randbytes(50)
    lib.report_begin(b"exit")
    lib.report_string(b"stderr", value, len(value))
    lib.report_number(b"status", -(2**63))
    lib.report_hex(b"ip", 2**64 - 1)
    lib.report_end()
    (event,) = lines(report)
    assert event["event"] == "exit" and event["status"] == -(2**63) and event["ip"] == "0xffffffffffffffff"
    valid = event["stderr"].replace("\ufffd", "")
    assert '\u00e4\u20ac\U0001f600\u0000"\\\n\x7f' in valid
    # Python replaces a broken sequence once, we each of its bytes.
    assert valid == value.decode(errors="replace").replace("\ufffd", "")


def test_events_wait_for_the_port(report: Any) -> None:
    lib, _ = report
    lib.detach()
    for i in range(2000):
        lib.report_begin(b"boot")
        lib.report_number(b"n", i)
        lib.report_end()
    assert lib.sent_length == 0
    lib.attach()
    lib.report_flush()
    *kept, asked = (event.get("n") for event in lines(report))
    assert asked is None, "the clock's question comes last, so that nothing is before it on its way"
    assert kept == list(range(len(kept))) and 400 < len(kept) < 2000, "as many as fit, whole"


def test_an_event_may_be_longer_than_the_queue(report: Any) -> None:
    lib, _ = report
    lib.room_left = 1000
    text = bytes(8192)
    lib.stderr_keep(b"forgotten", 9)
    lib.stderr_keep(text, len(text))
    lib.report_begin(b"exit")
    lib.report_stderr()
    lib.report_end()
    lib.report_flush()
    assert lines(report) == [{"event": "exit", "stderr": "\0" * 8192}]


def test_standard_error_is_kept_from_whole_characters(report: Any) -> None:
    lib, _ = report
    text = "\u20ac".encode() * 5000
    lib.stderr_keep(text, len(text))
    lib.report_begin(b"exit")
    lib.report_stderr()
    lib.report_end()
    lib.report_flush()
    (event,) = lines(report)
    assert event["stderr"] == "\u20ac" * (8192 // 3)


def test_commands(report: Any) -> None:
    lib, _ = report
    for piece in (
        b"sig",
        b"nal 15\r\nwinsize 50 ",
        b"132\neof 12345678901\nnonsense\nsignal 99\nsignal\n",
        b"\n",
        b"x" * 500 + b"\n",
    ):
        lib.report_receive(piece, len(piece))
    assert lib.host_last_signal == 15 and (lib.rows, lib.columns) == (50, 132)
    assert lib.console_ended == 12345678901
    lib.report_receive(b"memory\n", 7)
    assert [event["event"] for event in lines(report)] == ["memory"]
    for asked, events in ((7, []), (0, ["clock"])):
        said = b"clock 1800000000123456789 %d\n" % asked
        lib.report_receive(said, len(said))
        assert (lib.host_time, lib.asked_at) == (1800000000123456789, asked)
        assert [event["event"] for event in lines(report)] == events


def test_what_is_asked_for_while_an_event_is_open_follows_it(report: Any) -> None:
    lib, _ = report
    lib.report_begin(b"long")
    said = b"memory\nclock 1 0\nmemory\n"
    lib.report_receive(said, len(said))
    lib.report_end()
    assert [event["event"] for event in lines(report)] == ["long", "memory", "clock"]
