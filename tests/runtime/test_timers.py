"""clock/timers.c against a plain list: thousands of random starts, moves and cancels."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from .conftest import Library

EXTRA = """
#include "thread.h"
static uint64_t now, alarm_at = NEVER;
static int fired[4096], fired_count;
static struct numbered { struct timer timer; int number; uint64_t again; } timers[512];

uint64_t clock_now(void) { return now; }
void clock_alarm(uint64_t when) { if (when < alarm_at) alarm_at = when; }
static void fire(struct timer *t)
{
    struct numbered *n = container_of(t, struct numbered, timer);
    fired[fired_count++] = n->number;
    if (n->again)
        timer_start(t, now + n->again);
}
void t_start(int i, uint64_t when, uint64_t again)
{
    timers[i].timer.fire = fire, timers[i].number = i, timers[i].again = again;
    timer_start(&timers[i].timer, when);
}
void t_cancel(int i) { timer_cancel(&timers[i].timer); }
bool t_active(int i) { return timers[i].timer.active; }
uint64_t t_alarm(void) { return alarm_at; }
int t_run(uint64_t until) { now = until, fired_count = 0, alarm_at = NEVER; timers_run(); return fired_count; }
int t_fired(int i) { return fired[i]; }
"""
CDEF = """
void t_start(int i, uint64_t when, uint64_t again);
void t_cancel(int i);
bool t_active(int i);
uint64_t t_alarm(void);
int t_run(uint64_t until);
int t_fired(int i);
"""
NEVER = 2**64 - 1


@pytest.fixture(scope="session")
def heap(build: Callable[..., Library]) -> Library:
    return build(["clock/timers"], CDEF, EXTRA)


@pytest.mark.parametrize("seed", range(20))
def test_as_a_sorted_list(heap: Library, seed: int) -> None:
    lib, _ = heap
    chance = random.Random(seed)
    for i in range(512):
        lib.t_cancel(i)
    now = lib.t_alarm() if lib.t_alarm() != NEVER else 0
    now = max(now, 10**9 * (seed + 1))
    lib.t_run(now)
    waiting: dict[int, int] = {}
    for _ in range(4000):
        i = chance.randrange(512)
        match chance.randrange(8):
            case 0 | 1 | 2 | 3:
                waiting[i] = now + chance.randrange(1, 2000)
                lib.t_start(i, waiting[i], 0)
                assert lib.t_alarm() <= min(waiting.values())
            case 4 | 5:
                lib.t_cancel(i)
                waiting.pop(i, None)
            case _:
                now += chance.randrange(0, 150)
                count = lib.t_run(now)
                due = [n for n, when in waiting.items() if when <= now]
                fired = [lib.t_fired(k) for k in range(count)]
                assert sorted(fired) == sorted(due)
                assert [waiting[n] for n in fired] == sorted(waiting[n] for n in fired)
                for n in fired:
                    del waiting[n]
                assert lib.t_alarm() == min(waiting.values(), default=NEVER)
        assert lib.t_active(i) == (i in waiting)


def test_a_timer_that_starts_itself_does_not_hold_the_cpu(heap: Library) -> None:
    lib, _ = heap
    for i in range(512):
        lib.t_cancel(i)
    lib.t_start(3, 10**12, 1)
    assert lib.t_run(10**12 + 5) == 1
    assert lib.t_alarm() == 10**12 + 6
    lib.t_cancel(3)
    lib.t_cancel(3)
    assert lib.t_run(10**13) == 0
