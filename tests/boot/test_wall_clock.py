"""The guest's date is the host's to the millisecond, though the machine has only a clock that counts seconds."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import images
from tests.guest import Guest, start

APP = Path(__file__).resolve().parent / "frozen/clock.py"
SECOND = 10**9
DEADLINE = 60.0


@contextlib.contextmanager
def running(freeze: bool = False) -> Iterator[Guest]:
    with start(images.build(APP, freeze=freeze), channel=True, network=False) as guest:
        yield guest


def said(guest: Guest, command: bytes = b"now") -> tuple[int, int]:
    """The guest's real and monotonic time."""
    guest.say(command + b"\n")
    real, monotonic = guest.hear().split()
    return int(real), int(monotonic)


def error(guest: Guest) -> float:
    """Seconds that the guest is certainly ahead of the host (negative: behind), by the quickest of some answers."""
    best = (float("inf"), 0.0)
    for _ in range(10):
        before = time.time_ns()
        real, _ = said(guest)
        after = time.time_ns()
        wrong = max(real - after, 0) + min(real - before, 0)
        best = min(best, ((after - before) / SECOND, wrong / SECOND))
    return best[1]


@pytest.mark.parametrize("freeze", [False, True], ids=["cold", "frozen"])
def test_the_date_is_the_hosts(freeze: bool) -> None:
    with running(freeze) as guest:
        end = time.monotonic() + DEADLINE
        while abs(wrong := error(guest)) > 0.02:
            assert time.monotonic() < end, f"{wrong:+.3f} s"


def test_a_program_that_sets_the_clock_keeps_it() -> None:
    """Whatever the host says afterwards."""
    with running() as guest:
        said(guest, b"set %d" % (SECOND * 2 * SECOND))
        for asked in (0, said(guest)[1]):
            guest.command(f"clock {time.time_ns()} {asked}")
        guest.memory()  # it has heard the commands
        assert said(guest)[0] >= SECOND * 2 * SECOND
