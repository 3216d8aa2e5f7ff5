"""Answers questions about its clocks on a TCP connection, while timers of several kinds tick."""

import asyncio
import json
import threading
import time

MONOTONIC = (time.CLOCK_MONOTONIC, time.CLOCK_MONOTONIC_RAW, time.CLOCK_BOOTTIME)
seen = {"back": 0, "ticks": 0, "sleeps": 0, "waits": 0}


def watch() -> None:
    """The clocks that never go back."""
    last = [0] * len(MONOTONIC)
    while True:
        for _ in range(50):
            now = [time.clock_gettime_ns(clock) for clock in MONOTONIC]
            seen["back"] += any(a < b for a, b in zip(now, last, strict=True))
            last = now
        time.sleep(0.02)
        seen["sleeps"] += 1


def wait() -> None:
    event = threading.Event()
    while not event.wait(0.05):
        seen["waits"] += 1


async def tick() -> None:
    while True:
        await asyncio.sleep(0.05)
        seen["ticks"] += 1


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while line := await reader.readline():
        if step := float(line):
            time.clock_settime(time.CLOCK_REALTIME, time.time() + step)
        said = seen | {"real": time.time(), "monotonic": time.monotonic()}
        writer.write(json.dumps(said).encode() + b"\n")
        await writer.drain()
    writer.close()


async def main() -> None:
    server = await asyncio.start_server(answer, "0.0.0.0", 8080)
    await asyncio.gather(server.serve_forever(), tick())


for thread in (watch, wait):
    threading.Thread(target=thread, daemon=True).start()
asyncio.run(main())
