"""Virtqueues against a device that plays by the rules and one that does not; frames out of receive buffers; the command
line's devices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

DEVICE = """
#include "memory.h"
#include "virtio.h"
struct ring_descriptor { uint64_t address; uint32_t length; uint16_t flags, next; };
struct ring_available { uint16_t flags, index, ring[]; };
struct ring_used { uint16_t flags, index; struct { uint32_t id, length; } ring[]; };

unsigned notified;
static uint16_t seen;
static unsigned size_max(struct virtio_device *d, unsigned index) { return (void)d, index < 2 ? 8 : 0; }
static int enable(struct virtio_device *d, struct virtio_queue *q) { seen = 0; return (void)d, (void)q, 0; }
static void notify(struct virtio_device *d, struct virtio_queue *q) { (void)d, (void)q; notified++; }
static const struct virtio_transport transport = {
    .queue_size_max = size_max, .queue_enable = enable, .notify = notify};

struct virtio_queue *make(unsigned size, bool event_index)
{
    struct virtio_device *d = kzalloc(sizeof(*d));
    d->transport = &transport;
    d->features = event_index ? 1UL << VIRTIO_F_RING_EVENT_IDX : 0;
    return virtio_queue_create(d, 0, size, NULL);
}
struct virtio_queue *again(struct virtio_queue *q, unsigned size)
{
    return virtio_queue_create(q->device, 0, size, NULL);
}
/* The device takes the next chain: its head, or -1. */
int device_take(struct virtio_queue *q)
{
    struct ring_available *a = (void *)q->available;
    return seen == a->index ? -1 : a->ring[seen++ % q->size];
}
/* Reads what it may read of the chain into text, writes `with` over what it may write; bytes written. */
unsigned device_work(struct virtio_queue *q, int head, char *text, char with)
{
    unsigned written = 0;
    for (const struct ring_descriptor *d = (void *)q->descriptors, *e = d + head;; e = d + e->next) {
        if (e->flags & 2)
            memset(phys_to_virt(e->address), with, e->length), written += e->length;
        else
            memcpy(text, phys_to_virt(e->address), e->length), text += e->length;
        if (!(e->flags & 1))
            break;
    }
    *text = 0;
    return written;
}
void device_done(struct virtio_queue *q, uint32_t id, uint32_t length)
{
    struct ring_used *u = (void *)q->used;
    u->ring[u->index % q->size].id = id;
    u->ring[u->index % q->size].length = length;
    u->index++;
}
bool device_may_interrupt(struct virtio_queue *q, uint16_t before)
{
    struct ring_used *u = (void *)q->used;
    struct ring_available *a = (void *)q->available;
    if (!q->event_index)
        return !(a->flags & 1);
    uint16_t event = a->ring[q->size];
    return (uint16_t)(u->index - event - 1) < (uint16_t)(u->index - before);
}
uint16_t device_used_index(struct virtio_queue *q) { return ((struct ring_used *)(void *)q->used)->index; }
void device_wants(struct virtio_queue *q, uint16_t at)
{
    struct ring_used *u = (void *)q->used;
    *(uint16_t *)(void *)&u->ring[q->size] = at;
}
void device_quiet(struct virtio_queue *q, bool quiet) { ((struct ring_used *)(void *)q->used)->flags = quiet; }
int add(struct virtio_queue *q, char **out, unsigned outs, char **in, unsigned *lengths, unsigned ins, void *token)
{
    struct virtio_buffer b[16];
    unsigned n = 0;
    for (unsigned i = 0; i < outs; i++)
        b[n++] = (struct virtio_buffer){out[i], (uint32_t)strlen(out[i])};
    for (unsigned i = 0; i < ins; i++)
        b[n++] = (struct virtio_buffer){in[i], lengths[i]};
    return virtio_queue_add(q, b, outs, ins, token);
}
"""
CDEF = """
struct virtio_queue; typedef uint16_t u16;
extern unsigned notified;
struct virtio_queue *make(unsigned, bool);
struct virtio_queue *again(struct virtio_queue *, unsigned);
int device_take(struct virtio_queue *);
unsigned device_work(struct virtio_queue *, int, char *, char);
void device_done(struct virtio_queue *, uint32_t, uint32_t);
bool device_may_interrupt(struct virtio_queue *, uint16_t);
uint16_t device_used_index(struct virtio_queue *);
void device_wants(struct virtio_queue *, uint16_t);
void device_quiet(struct virtio_queue *, bool);
int add(struct virtio_queue *, char **, unsigned, char **, unsigned *, unsigned, void *);
void virtio_queue_kick(struct virtio_queue *);
void *virtio_queue_take(struct virtio_queue *, uint32_t *);
void *virtio_queue_drain(struct virtio_queue *);
unsigned virtio_queue_room(const struct virtio_queue *);
unsigned virtio_queue_size(const struct virtio_queue *);
void virtio_queue_interrupts_off(struct virtio_queue *);
bool virtio_queue_interrupts_on(struct virtio_queue *);
bool virtio_queue_interrupts_after(struct virtio_queue *, unsigned);
"""


class Queue:
    """A queue, with Python values for tokens."""

    def __init__(self, build: Callable[..., Any], size: int = 8, event_index: bool = True) -> None:
        self.c, self.ffi = build(["virtio/queue"], CDEF, DEVICE)
        self.q = self.c.make(size, event_index)
        self.kept: dict[int, Any] = {}

    def add(self, token: int, out: list[bytes], lengths: list[int] | None = None) -> int:
        outs = [self.ffi.new("char[]", o) for o in out]
        ins = [self.ffi.new("char[]", n or 1) for n in lengths or []]
        result: int = self.c.add(
            self.q, self.ffi.new("char *[]", outs), len(outs), self.ffi.new("char *[]", ins),
            self.ffi.new("unsigned[]", lengths or []), len(ins), self.ffi.cast("void *", token),
        )  # fmt: skip
        if result == 0:
            self.kept[token] = (outs, ins)
        return result

    def take(self) -> tuple[int, int] | None:
        written = self.ffi.new("uint32_t *")
        token = self.c.virtio_queue_take(self.q, written)
        return (int(self.ffi.cast("uintptr_t", token)), written[0]) if token else None

    def serve(self) -> bytes | None:
        """The device answers the next chain; what it read."""
        head = self.c.device_take(self.q)
        if head < 0:
            return None
        text = self.ffi.new("char[]", 256)
        self.c.device_done(self.q, head, self.c.device_work(self.q, head, text, b"#"))
        read: bytes = self.ffi.string(text)
        return read

    @property
    def room(self) -> int:
        room: int = self.c.virtio_queue_room(self.q)
        return room


@pytest.mark.parametrize("event_index", [False, True])
def test_chains_come_back_with_what_was_written(build: Any, event_index: bool) -> None:
    q = Queue(build, event_index=event_index)
    for turn in range(70000 if event_index else 50):  # beyond the indices' wrap
        token = turn % 1000 + 1
        assert q.add(token, [b"ab", b"", b"c"], [5, 0, 2]) == 0
        assert q.room == 4
        assert q.serve() == b"abc"
        assert q.take() == (token, 7)
        assert q.take() is None
        assert q.room == 8
    assert q.ffi.buffer(q.kept[token][1][0])[:] == b"#####"


def test_out_of_order_and_full(build: Any) -> None:
    q = Queue(build)
    for token in range(1, 9):
        assert q.add(token, [b"x"]) == 0
    assert q.room == 0 and q.add(9, [b"x"]) == -28
    heads = [q.c.device_take(q.q) for _ in range(8)]
    assert sorted(heads) == list(range(8)) and q.c.device_take(q.q) == -1
    for head in reversed(heads):
        q.c.device_done(q.q, head, 0)
    assert [q.take() for _ in range(9)] == [(t, 0) for t in range(8, 0, -1)] + [None]
    assert q.add(1, [b"1", b"2", b"3", b"4"], [1, 1, 1, 1]) == 0
    assert q.add(2, [b""], [0]) == -28
    assert q.serve() == b"1234" and q.take() == (1, 4)
    assert q.add(2, [b""], [0]) == -22 and q.room == 8


def test_a_device_that_lies_costs_its_own_queue_only(build: Any) -> None:
    for bad in (8, 0xFFFFFFFF, 5):  # out of range, and not in flight
        q = Queue(build)
        assert q.add(1, [], [4]) == 0
        q.c.device_done(q.q, bad, 4)
        assert q.take() is None and q.add(2, [b"x"]) == -28 and q.room == 0
        q.c.virtio_queue_kick(q.q)
        assert int(q.ffi.cast("uintptr_t", q.c.virtio_queue_drain(q.q))) == 1
    q = Queue(build)
    assert q.add(1, [], [4]) == 0
    head = q.c.device_take(q.q)
    q.c.device_done(q.q, head, 0x80000000)
    q.c.device_done(q.q, head, 4)  # twice
    assert q.take() == (1, 4)
    assert q.take() is None and q.room == 0


def test_the_device_is_told_when_it_wants_to_be(build: Any) -> None:
    q = Queue(build)
    start = q.c.notified
    q.c.virtio_queue_kick(q.q)
    assert q.c.notified == start  # nothing new
    q.add(1, [b"x"])
    q.add(2, [b"x"])
    q.c.virtio_queue_kick(q.q)
    assert q.c.notified == start + 1
    q.add(3, [b"x"])  # the event index is still 0: it has not looked
    q.c.virtio_queue_kick(q.q)
    assert q.c.notified == start + 1
    q.c.device_wants(q.q, 3)
    q.add(4, [b"x"])
    q.c.virtio_queue_kick(q.q)
    assert q.c.notified == start + 2
    plain = Queue(build, event_index=False)
    plain.c.device_quiet(plain.q, True)
    plain.add(1, [b"x"])
    plain.c.virtio_queue_kick(plain.q)
    assert q.c.notified == start + 2
    plain.c.device_quiet(plain.q, False)
    plain.add(2, [b"x"])
    plain.c.virtio_queue_kick(plain.q)
    assert q.c.notified == start + 3


@pytest.mark.parametrize("event_index", [False, True])
def test_interrupts(build: Any, event_index: bool) -> None:
    q = Queue(build, event_index=event_index)
    assert not q.c.virtio_queue_interrupts_on(q.q)
    q.add(1, [b"x"])
    before = q.c.device_used_index(q.q)
    q.serve()
    assert q.c.device_may_interrupt(q.q, before)
    assert q.c.virtio_queue_interrupts_on(q.q)  # something is there already
    q.take()
    q.c.virtio_queue_interrupts_off(q.q)
    before = q.c.device_used_index(q.q)
    q.add(1, [b"x"])
    q.serve()
    assert not q.c.device_may_interrupt(q.q, before)
    q.take()
    if event_index:
        assert not q.c.virtio_queue_interrupts_after(q.q, 2)
        told = []
        for token in (1, 2):
            before = q.c.device_used_index(q.q)
            q.add(token, [b"x"])
            q.serve()
            told.append(q.c.device_may_interrupt(q.q, before))
        assert told == [False, True]


def test_a_queue_is_made_anew(build: Any) -> None:
    q = Queue(build)
    for token in (1, 2, 3):
        q.add(token, [b"x", b"y"])
    left = set()
    while token := int(q.ffi.cast("uintptr_t", q.c.virtio_queue_drain(q.q))):
        left.add(token)
    assert left == {1, 2, 3} and q.room == 8
    assert q.c.again(q.q, 8) == q.q
    q.add(4, [b"again"])
    assert q.serve() == b"again" and q.take() == (4, 0)
    q.q = q.c.again(q.q, 5)  # smaller: a power of two, in new memory
    assert q.c.virtio_queue_size(q.q) == 4
    q.add(5, [b"small"])
    assert q.serve() == b"small" and q.take() == (5, 0)


RECEIVE = """
#include <stdlib.h>
#include <string.h>
#include "../../runtimes/virtio/net_receive.h"
static struct net_receiver receiver;
static struct net_buffer buffers[64];
static unsigned used;
void start(unsigned header, bool mergeable)
{
    for (unsigned i = 0; i < used; i++)
        free(buffers[i].memory);
    used = 0;
    receiver = (struct net_receiver){.header = header, .mergeable = mergeable};
}
/* One buffer of 64 bytes with these in front; the device says it wrote `written`. */
int receive(const unsigned char *bytes, unsigned n, unsigned written)
{
    struct net_buffer *b = &buffers[used++];
    *b = (struct net_buffer){.memory = calloc(1, 64), .room = 64};
    memcpy(b->memory, bytes, n);
    return net_receive(&receiver, b, written);
}
unsigned frame(unsigned char *to)
{
    unsigned n = 0;
    for (struct net_buffer *b = receiver.first; b; b = b->next) {
        memcpy(to + n, b->memory + b->start, b->length);
        n += b->length;
    }
    return n;
}
bool checked(void) { return receiver.checked; }
unsigned reset(void)
{
    unsigned n = 0;
    for (struct net_buffer *b = net_receive_reset(&receiver); b; b = b->next)
        n++;
    return n;
}
"""
MORE, FRAME, DROP = range(3)


def header(flags: int = 0, buffers: int = 1, size: int = 12) -> bytes:
    return (bytes([flags, *bytes(9)]) + buffers.to_bytes(2, "little"))[:size]


@pytest.fixture
def receiver(build: Any, tmp_path: Any) -> Any:
    from .conftest import ROOT

    return build(
        ["virtio/net_receive"],
        "void start(unsigned, bool); int receive(const unsigned char *, unsigned, unsigned);"
        "unsigned frame(unsigned char *); bool checked(void); unsigned reset(void);",
        RECEIVE.replace("../../runtimes", str(ROOT / "runtimes")),
    )


def test_single_frames(receiver: Any) -> None:
    c, ffi = receiver
    out = ffi.new("unsigned char[]", 70000)
    for size, mergeable in ((12, True), (12, False), (10, False)):
        c.start(size, mergeable)
        data = bytes(range(1, 31))
        for flags, expected in ((0, False), (1, True), (2, True)):
            assert c.receive(header(flags, size=size) + data, size + 30, size + 30) == FRAME
            assert c.checked() == expected
            assert ffi.buffer(out, c.frame(out))[:] == data
        assert c.receive(header(size=size) + data, size + 30, size + 13) == DROP  # shorter than Ethernet's header
        assert c.receive(header(size=size), size, size) == DROP
        assert c.receive(header(size=size), size, 3) == DROP
        assert c.receive(header(size=size), size, 1 << 31) == FRAME  # cut to the buffer
        assert c.frame(out) == 64 - size


def test_merged_frames(receiver: Any) -> None:
    c, ffi = receiver
    out = ffi.new("unsigned char[]", 70000)
    c.start(12, True)
    first, second, third = bytes([1] * 52), bytes([2] * 64), bytes([3] * 7)
    assert c.receive(header(2, 3) + first, 64, 64) == MORE
    assert c.receive(second, 64, 64) == MORE
    assert c.receive(third, 7, 7) == FRAME
    assert c.checked() and ffi.buffer(out, c.frame(out))[:] == first + second + third
    assert c.receive(header(0, 0) + first, 64, 64) == DROP
    assert c.receive(header(0, 65535) + first, 64, 64) == DROP
    assert c.receive(header(0, 2) + first, 64, 64) == MORE
    assert c.receive(b"", 0, 0) == DROP  # an empty part
    assert c.receive(header(0, 2) + first, 64, 64) == MORE
    assert c.reset() == 1
    assert c.receive(header() + first, 64, 64) == FRAME and not c.checked()


def test_command_line(build: Any) -> None:
    c, ffi = build(
        ["virtio/mmio", "virtio/device", "virtio/queue"],
        "bool virtio_mmio_parse(const char *, uint64_t *, uint64_t *, unsigned *);",
        """
#include "bus.h"
#include "thread.h"
bool acpi_device(const char *h, size_t *c, struct acpi_resources *r) { return (void)h, (void)c, (void)r, false; }
int interrupt_line(unsigned n, bool l, bool o, interrupt_handler h, void *d)
{ return (void)n, (void)l, (void)o, (void)h, (void)d, 32; }
""",
    )

    def parse(text: bytes) -> tuple[int, int, int] | None:
        where, size, line = ffi.new("uint64_t *"), ffi.new("uint64_t *"), ffi.new("unsigned *")
        good = c.virtio_mmio_parse(text, where, size, line)
        return (where[0], size[0], line[0]) if good else None

    assert parse(b"512@0xfeb00e00:12") == (0xFEB00E00, 512, 12)
    assert parse(b"4K@0xd0000000:5") == (0xD0000000, 4096, 5)
    assert parse(b"0x200@0xD0000000:5:3") == (0xD0000000, 512, 5)
    for bad in (b"", b"512", b"512@", b"512@1", b"@1:2", b"512@0x10:5x", b"512@0:5"):
        assert parse(bad) is None, bad
