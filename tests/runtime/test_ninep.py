"""Messages of 9P2000.L: what is asked, byte by byte, and what is made of answers, sound or not."""

from __future__ import annotations

import errno
import struct
from collections.abc import Callable
from typing import Any

import pytest

from .conftest import ROOT

COMPONENTS = ["ninep/message", "ninep/client"]
CDEF = """
typedef int64_t ssize_t;
void script(const uint8_t *answer, size_t length);
extern uint8_t asked[]; extern size_t asked_length; extern int waits;
int start(uint32_t *io_most);
int walk(const char *name, size_t length);
int getattr(uint64_t *result);
int64_t read_bytes(char *to, size_t n);
int64_t write_bytes(const char *from, size_t n, bool sleep);
int64_t target(char *to, size_t n);
int64_t list(char *to, size_t n);
int entries(const uint8_t *data, size_t n, char *names);
int fsync_it(void);
int set_times(int64_t atime, int64_t mtime);
"""
EXTRA = """
#include "../ninep/ninep.h"
#include "memory.h"
const uint8_t zero_page[PAGE_SIZE];
uint8_t asked[70000]; size_t asked_length; int waits;
static const uint8_t *next; static size_t next_length;
void script(const uint8_t *answer, size_t length) { next = answer, next_length = length; }
static int carry(struct ninep_call *c, enum ninep_wait wait)
{
    waits = wait;
    c->tag = c->out.data[4] == NINEP_VERSION ? NINEP_NO_TAG : 5;
    asked_length = 0;
    memcpy(c->out.data + 5, &c->tag, 2);
    memcpy(asked, c->out.data, c->out.at), asked_length = c->out.at;
    for (unsigned i = 0; i < c->sends; i++)
        memcpy(asked + asked_length, c->pieces[i].data, c->pieces[i].length), asked_length += c->pieces[i].length;
    size_t n = min(c->in.size, next_length), rest = next_length - n, at = n;
    memcpy(c->in.data, next, n);
    for (unsigned i = 0; i < c->receives; i++) {
        size_t part = min(rest, (size_t)c->pieces[i].length);
        memcpy(c->pieces[i].data, next + at, part), at += part, rest -= part;
    }
    c->data = at - n, c->in.size = n;
    return 0;
}
static const struct ninep_transport transport = {.exchange = carry};
static struct ninep_session s = {.transport = &transport, .io_most = 8192};
int start(uint32_t *most)
{
    struct ninep_qid q; int e = ninep_start(&s, &q);
    return *most = (uint32_t)s.io_most, e;
}
int walk(const char *name, size_t n) { struct ninep_qid q; return ninep_walk(&s, 3, 4, name, n, &q); }
int getattr(uint64_t *r)
{
    struct ninep_attributes a; int e = ninep_getattr(&s, 9, &a);
    if (!e) r[0] = a.mode, r[1] = a.size, r[2] = (uint64_t)a.mtime, r[3] = a.links, r[4] = a.qid.path;
    return e;
}
int64_t read_bytes(char *to, size_t n)
{
    struct virtio_buffer b[2] = {{to, (uint32_t)(n / 2)}, {to + n / 2, (uint32_t)(n - n / 2)}};
    return ninep_read(&s, 7, 1UL << 33, b, 2, n, NINEP_SLEEP);
}
int64_t write_bytes(const char *from, size_t n, bool sleep)
{
    struct virtio_buffer b = {(void *)from, (uint32_t)n};
    return ninep_write(&s, 7, 6, &b, 1, n, sleep ? NINEP_SLEEP : NINEP_SPIN);
}
int64_t target(char *to, size_t n) { return ninep_readlink(&s, 2, to, n); }
int64_t list(char *to, size_t n) { return ninep_readdir(&s, 2, 0, to, n); }
int entries(const uint8_t *data, size_t n, char *names)
{
    struct ninep_message m = {.data = (uint8_t *)data, .size = n}; struct ninep_entry e; int count = 0;
    while (ninep_get_entry(&m, &e))
        memcpy(names, e.name, e.length), names += e.length, *names++ = '/', count++;
    return *names = 0, m.bad ? -1 : count;
}
int fsync_it(void) { return ninep_fsync(&s, 8, NINEP_SLEEP); }
int set_times(int64_t a, int64_t m)
{
    struct ninep_attributes t = {.atime = a, .mtime = m};
    return ninep_setattr(&s, 1, NINEP_SET_ATIME | NINEP_SET_ATIME_TO | NINEP_SET_MTIME, &t);
}
"""


@pytest.fixture(scope="module")
def client(build: Callable[..., tuple[Any, Any]]) -> tuple[Any, Any]:
    return build(COMPONENTS, CDEF, EXTRA, (f"-I{ROOT / 'runtimes/vfs'}",))


def message(kind: int, body: bytes, tag: int = 5, size: int | None = None) -> bytes:
    return struct.pack("<IBH", 7 + len(body) if size is None else size, kind, tag) + body


class Script:
    """Sets the answer to the next call; keeps the bytes alive."""

    def __init__(self, client: tuple[Any, Any]) -> None:
        self.library, self.ffi = client

    def answer(self, data: bytes) -> None:
        self.held = self.ffi.from_buffer(data)
        self.library.script(self.held, len(data))

    def asked(self) -> bytes:
        return bytes(self.ffi.buffer(self.library.asked, self.library.asked_length))


@pytest.fixture
def host(client: tuple[Any, Any]) -> Script:
    return Script(client)


QID = struct.pack("<BIQ", 0, 1, 77)


def attributes(mode: int = 0o100644, size: int = 5, nanoseconds: int = 9) -> bytes:
    body = struct.pack("<Q", 0x7FF) + QID + struct.pack("<III", mode, 1, 2)
    body += struct.pack("<QQQQQ", 3, 0, size, 512, 8) + struct.pack("<QQ", 10, nanoseconds) * 4 + bytes(16)
    return message(25, body)


def test_requests_are_those_of_the_protocol(host: Script) -> None:
    host.answer(message(111, struct.pack("<H", 1) + QID))
    assert host.library.walk(b"name", 4) == 0
    assert host.asked() == bytes.fromhex("17000000 6e 0500 03000000 04000000 0100 0400") + b"name"
    host.answer(message(119, struct.pack("<I", 3)))
    assert host.library.write_bytes(b"abc", 3, False) == 3
    assert host.asked() == bytes.fromhex("1a000000 76 0500 07000000 0600000000000000 03000000") + b"abc"
    assert host.library.waits == 0, "a page that goes back must not give up the CPU"
    host.answer(message(51, b""))
    assert host.library.fsync_it() == 0
    assert host.asked() == bytes.fromhex("0f000000 32 0500 08000000 00000000") and host.library.waits == 1
    host.answer(message(27, b""))
    assert host.library.set_times(-1, 0) == 0
    assert host.asked()[7:15] == struct.pack("<II", 1, 16 | 32 | 128)
    assert host.asked()[35:51] == struct.pack("<qq", -1, 999_999_999), "a moment before 1970"


def test_the_version_must_be_ours(host: Script) -> None:
    most = host.ffi.new("uint32_t *")
    for version, size in ((b"unknown", 139264), (b"9P2000.u", 139264), (b"9P2000.L", 1000), (b"9P2000.Lx", 139264)):
        host.answer(message(101, struct.pack("<IH", size, len(version)) + version, tag=0xFFFF))
        assert host.library.start(most) == -errno.EPROTO


@pytest.mark.parametrize("number", [errno.ENOENT, errno.ENOSPC, errno.EACCES, errno.EDQUOT, errno.ENOTEMPTY])
def test_errors_of_the_host_are_the_programs(host: Script, number: int) -> None:
    host.answer(message(7, struct.pack("<I", number)))
    assert host.library.walk(b"x", 1) == -number
    host.answer(message(7, struct.pack("<I", number)))
    assert host.library.read_bytes(host.ffi.new("char[]", 100), 100) == -number


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\x07",
        message(111, b""),
        message(111, struct.pack("<H", 1) + QID[:-1]),
        message(111, struct.pack("<H", 2) + QID + QID),
        message(111, struct.pack("<H", 0)),
        message(111, struct.pack("<H", 1) + QID, tag=6),
        message(113, struct.pack("<H", 1) + QID),
        message(111, struct.pack("<H", 1) + QID, size=4000),
        message(111, struct.pack("<H", 1) + QID, size=3),
        message(7, b""),
        message(7, struct.pack("<I", 0)),
        message(7, struct.pack("<I", 1 << 31)),
    ],
)
def test_nonsense_is_an_error_of_the_device(host: Script, answer: bytes) -> None:
    host.answer(answer)
    assert host.library.walk(b"x", 1) == -errno.EIO


def test_attributes(host: Script) -> None:
    result = host.ffi.new("uint64_t[5]")
    host.answer(attributes())
    assert host.library.getattr(result) == 0
    assert list(result) == [0o100644, 5, 10_000_000_009, 3, 77]
    for bad in (attributes(mode=0o644), attributes(mode=0o170644), attributes(size=1 << 63),
                attributes(nanoseconds=10**9), attributes()[:-30]):  # fmt: skip
        host.answer(bad)
        assert host.library.getattr(result) == -errno.EIO


def test_data_comes_into_the_pieces_and_no_further(host: Script) -> None:
    buffer = host.ffi.new("char[]", 100)
    body = bytes(range(100))
    host.answer(message(117, struct.pack("<I", 100) + body))
    assert host.library.read_bytes(buffer, 100) == 100 and bytes(host.ffi.buffer(buffer, 100)) == body
    host.answer(message(117, struct.pack("<I", 3) + b"abc"))
    assert host.library.read_bytes(buffer, 100) == 3
    host.answer(message(117, struct.pack("<I", 0)))
    assert host.library.read_bytes(buffer, 100) == 0
    for count, data in ((101, bytes(101)), (50, b"abc"), (2, b"abc"), (1 << 31, b"")):
        host.answer(message(117, struct.pack("<I", count) + data))
        assert host.library.read_bytes(buffer, 100) == -errno.EIO, count
    host.answer(message(119, struct.pack("<I", 4)))
    assert host.library.write_bytes(b"abc", 3, True) == -errno.EIO, "more than was sent"


def test_targets_of_links(host: Script) -> None:
    buffer = host.ffi.new("char[]", 100)
    host.answer(message(23, struct.pack("<H", 6) + b"target"))
    assert host.library.target(buffer, 100) == 6
    host.answer(message(23, struct.pack("<H", 6) + b"target"))
    assert host.library.target(buffer, 3) == 3
    host.answer(message(23, struct.pack("<H", 600) + b"target"))
    assert host.library.target(buffer, 100) == -errno.EIO


def entry(name: bytes, length: int | None = None) -> bytes:
    return QID + struct.pack("<QBH", 9, 8, len(name) if length is None else length) + name


def test_listings(host: Script) -> None:
    names = host.ffi.new("char[]", 2000)
    whole = entry(b"a") + entry(b"x" * 255) + entry(b"..")
    assert host.library.entries(host.ffi.from_buffer(whole), len(whole), names) == 3
    assert host.ffi.string(names) == b"a/" + b"x" * 255 + b"/../"
    for bad in (entry(b"a")[:-1], entry(b""), entry(b"a/b"), entry(b"a\0"), entry(b"x" * 256), entry(b"a", 500), b"\1"):
        data = entry(b"ok") + bad
        assert host.library.entries(host.ffi.from_buffer(data), len(data), names) == -1, bad
