"""Clients that load a guest: counted requests over kept or short connections, with every answer checked."""

from __future__ import annotations

import asyncio
import dataclasses
import time

REQUEST = b"GET / HTTP/1.1\r\nHost: guest\r\n\r\n"


@dataclasses.dataclass
class Outcome:
    """What became of a load: answers that were right, errors by their text, seconds, the longest wait for an answer."""

    answers: int = 0
    errors: list[str] = dataclasses.field(default_factory=list)
    seconds: float = 0.0
    longest: float = 0.0


class Client(asyncio.Protocol):
    """Asks again as soon as it is answered, while there are requests left to make."""

    def __init__(self, budget: list[int], outcome: Outcome, expected: bytes, per_connection: int) -> None:
        self.budget, self.outcome, self.expected = budget, outcome, expected
        self.left = per_connection
        self.answer = b""
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.answered = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.ask()

    def ask(self) -> None:
        if not self.budget[0] or not self.left:
            self.finish()
            return
        self.budget[0] -= 1
        self.left -= 1
        self.answer, self.asked = b"", time.monotonic()
        self.transport.write(REQUEST)

    def data_received(self, data: bytes) -> None:
        self.answer += data
        if len(self.answer) < len(self.expected):
            return
        if self.answer != self.expected:
            self.outcome.errors.append(f"answer {self.answer[:200]!r}")
        self.outcome.answers += 1
        self.answered.set()
        self.outcome.longest = max(self.outcome.longest, time.monotonic() - self.asked)
        self.ask()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.outcome.errors.append(f"connection lost: {error!r}")
            self.answered.set()
            self.done.set_result(None)

    def finish(self) -> None:
        self.answered.set()
        if not self.done.done():
            self.done.set_result(None)
        self.transport.close()


def requests(
    host: str, port: int, total: int, connections: int, expected: bytes, per_connection: int = 1 << 60
) -> Outcome:
    """`total` requests over `connections` at a time, each connection used for at most `per_connection` of them.

    Connections that are kept are opened one after the other: QEMU's user-mode network listens with a backlog of one,
    and what overflows it hangs in the host, not in the guest.
    """
    outcome = Outcome()
    budget = [total]
    opening = asyncio.Semaphore(1 if per_connection > 1 else 4)

    async def worker() -> None:
        while budget[0]:
            try:
                async with opening:
                    _, client = await asyncio.get_running_loop().create_connection(
                        lambda: Client(budget, outcome, expected, per_connection), host, port
                    )
                    await client.answered.wait()
                await client.done
            except OSError as error:
                outcome.errors.append(repr(error))
                budget[0] -= 1
            if len(outcome.errors) > 20:
                return

    async def run() -> None:
        await asyncio.gather(*(worker() for _ in range(connections)))

    began = time.monotonic()
    asyncio.run(run())
    outcome.seconds = time.monotonic() - began
    return outcome
