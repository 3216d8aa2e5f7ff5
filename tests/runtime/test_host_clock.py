"""clock/host.c follows a simulated host: a counter whose rate was measured wrongly, answers that take their time."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from .conftest import Library

EXTRA = """
#include "clock.h"
struct clock_page clock_page;
static uint64_t ticks;
static bool known;
int questions;
uint64_t asked_at, wake_at;
static struct timer *waiting;

bool clock_real_known(void) { return known; }
uint64_t clock_now(void) { return clock_page_ns(&clock_page, ticks); }
int64_t clock_real(void) { return (int64_t)clock_now() + clock_page.real_offset; }
void clock_start_real(int64_t ns) { clock_page.real_offset = ns - (int64_t)clock_now(); }
void clock_set_scale(uint64_t scale)
{
    clock_page.base_ns = clock_now();
    clock_page.base_tsc = ticks;
    clock_page.scale = scale;
}
void report_begin(const char *event) { (void)event; questions++; }
void report_number(const char *key, int64_t value) { (void)key; asked_at = (uint64_t)value; }
bool report_end(void) { return true; }
void report_clock(void) { clock_ask(); }
void timer_start(struct timer *t, uint64_t when) { waiting = t, wake_at = when; }
void at(uint64_t t) { ticks = t; }
void begin(uint64_t scale) { clock_page = (struct clock_page){.scale = scale}; ticks = 0; wake_at = 0; }
uint64_t scale(void) { return clock_page.scale; }
void wake(void) { waiting->fire(waiting); }
void own(void) { known = true; }
"""
CDEF = """
extern int questions;
extern uint64_t asked_at, wake_at;
uint64_t clock_now(void);
int64_t clock_real(void);
void clock_ask(void);
bool clock_told(uint64_t real, uint64_t asked);
void at(uint64_t ticks);
void begin(uint64_t scale);
uint64_t scale(void);
void wake(void);
void own(void);
"""
SECOND = 10**9
HZ = 2 * SECOND  # the counter's true rate
EPOCH = 1_800_000_000 * SECOND


class World:
    """The host's time, and the guest's beside it."""

    def __init__(self, lib: Any, wrong: float) -> None:
        self.lib, self.ns, self.date = lib, 0, EPOCH
        self.chance = random.Random(1)
        lib.begin(int((1 << 32) * SECOND / HZ * (1 + wrong)))

    def passes(self, ns: int) -> None:
        self.ns += ns
        self.lib.at(self.ns * HZ // SECOND)

    def error(self) -> int:
        return int(self.lib.clock_real()) - (self.date + self.ns)

    def talk(self, way: int) -> None:
        """Questions until the guest has enough; ns of each way, and up to ten times that now and then."""
        self.lib.clock_ask()
        for _ in range(20):
            asked = self.lib.asked_at
            there, back = (way * (self.chance.choice((1, 1, 2, 10))) for _ in range(2))
            self.passes(there)
            real = self.date + self.ns
            self.passes(back)
            if not self.lib.clock_told(real, asked):
                return
            self.lib.clock_ask()
        raise AssertionError("it never has enough")

    def until_it_asks(self) -> None:
        while self.lib.clock_now() < self.lib.wake_at:
            self.passes(max((self.lib.wake_at - self.lib.clock_now()) // 2, 1000))


@pytest.fixture
def lib(build: Callable[..., Library], request: pytest.FixtureRequest) -> Any:
    # a library of its own for each test: what it knows is static
    return build(["clock/host"], CDEF, EXTRA + f"/* {request.node.name} */")[0]


@pytest.mark.parametrize("wrong", [3e-4, -3e-4, 0.0], ids=["fast", "slow", "right"])
def test_the_rate_is_corrected_and_time_never_jumps(lib: Any, wrong: float) -> None:
    world = World(lib, wrong)
    world.passes(20_000_000)
    world.talk(100_000)
    assert abs(world.error()) <= 1_000_000
    errors, intervals = [], []
    for _ in range(12):
        before = world.ns
        world.until_it_asks()
        intervals.append(world.ns - before)
        errors.append(world.error())
        first = lib.clock_real()
        lib.wake()
        world.talk(100_000)
        assert 0 <= lib.clock_real() - first < 50_000_000, "no jump"
    assert abs(errors[0]) <= 8 * SECOND * abs(wrong) + 1_000_000
    assert max(map(abs, errors[4:])) < 2_000_000, errors
    assert all(b > a * 0.99 for a, b in pairwise(intervals)) and intervals[-1] > 1000 * SECOND
    assert lib.scale() == pytest.approx((1 << 32) * SECOND / HZ, rel=5e-5)


def test_slow_answers_cannot_spoil_the_rate(lib: Any) -> None:
    """An answer that was long on its way tells little: what it leaves open is not corrected."""
    world = World(lib, 0.0)
    world.passes(20_000_000)
    world.talk(30_000_000)
    for _ in range(5):
        world.until_it_asks()
        lib.wake()
        world.talk(30_000_000)
        assert abs(world.error()) < 60_000_000
    assert lib.questions > 6 * 6


def test_a_host_whose_clock_was_set_is_followed(lib: Any) -> None:
    world = World(lib, 0.0)
    world.talk(100_000)
    for change in (3600 * SECOND, -5 * SECOND):
        world.date += change
        world.until_it_asks()
        lib.wake()
        world.talk(100_000)
        assert abs(world.error()) <= 1_000_000
        assert lib.scale() == pytest.approx((1 << 32) * SECOND / HZ, rel=1e-5)


def test_nonsense_and_a_clock_of_the_programs_own(lib: Any) -> None:
    world = World(lib, 0.0)
    world.talk(100_000)
    assert not lib.clock_told(EPOCH * 2, lib.clock_now() + SECOND), "an answer to no question"
    assert abs(world.error()) <= 1_000_000
    lib.own()
    asked = lib.questions
    lib.clock_ask()
    assert lib.questions == asked
    assert not lib.clock_told(EPOCH * 2, 0) and abs(world.error()) <= 1_000_000
