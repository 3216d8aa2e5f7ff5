"""Sleeps last what they should, within 2 ms; clocks agree with each other and go forward."""

import asyncio
import statistics
import threading
import time

LIMIT = 0.002
LENGTHS = (0.001, 0.005, 0.01, 0.02, 0.05, 0.1)


def overshoot(sleep) -> list[float]:
    """Seconds too long, for each of three sleeps of each length; a sleep that is too short fails at once."""
    result = []
    for length in LENGTHS:
        for _ in range(3):
            began = time.monotonic()
            sleep(length)
            lasted = time.monotonic() - began
            assert lasted >= length - 1e-6, (sleep, length, lasted)
            result.append(lasted - length)
    return result


async def asynchronous() -> list[float]:
    result = []
    for length in LENGTHS:
        for _ in range(3):
            began = time.monotonic()
            await asyncio.sleep(length)
            lasted = time.monotonic() - began
            assert lasted >= length - 0.001, (length, lasted)  # asyncio rounds down to its clock's resolution
            result.append(lasted - length)
    return result


def main() -> None:
    event = threading.Event()
    found = {
        "time.sleep": overshoot(time.sleep),
        "Event.wait": overshoot(lambda s: event.wait(s)),
        "asyncio.sleep": asyncio.run(asynchronous()),
    }
    for name, values in found.items():
        print(f"{name}: median {statistics.median(values) * 1e3:.2f} ms, most {max(values) * 1e3:.2f} ms too long")
        assert statistics.median(values) < LIMIT, (name, values)

    last = time.monotonic_ns()
    for _ in range(20000):
        now = time.monotonic_ns()
        assert now >= last
        last = now
    real, mono = time.time(), time.monotonic()
    time.sleep(0.2)
    assert abs((time.time() - real) - (time.monotonic() - mono)) < 0.002
    assert time.time() > 1.7e9, "the wall clock is in the past"
    busy = time.process_time()
    sum(range(300_000))
    assert time.process_time() > busy
    assert time.clock_getres(time.CLOCK_MONOTONIC) <= 1e-6
    assert time.perf_counter() > 0 and time.thread_time() > 0


main()
