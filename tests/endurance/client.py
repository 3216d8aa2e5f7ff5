"""Clients that write, read, change and remove notes without a pause, and know what every answer must be."""

from __future__ import annotations

import asyncio
import json
import random
import time
from dataclasses import dataclass, field
from typing import Any

KEPT = 20  # notes that an author has at most
PATIENCE = 120.0  # seconds for an answer
WORDS = ("short", "eine längere Zeile", "日本語", '"quotes" \\ and \n lines', "x" * 300)


@dataclass
class Outcome:
    """What became of a load: answers that were right, errors by their text, the longest wait in seconds."""

    answers: int = 0
    errors: list[str] = field(default_factory=list)
    longest: float = 0.0
    seconds: float = 0.0


class Wrong(Exception):
    """An answer that is not the one that must come."""


class Author:
    """One client on one connection, with notes of its own in one database."""

    def __init__(self, port: int, database: str, name: str, outcome: Outcome) -> None:
        self.port, self.database, self.name, self.outcome = port, database, name, outcome
        self.notes: dict[int, str] = {}
        self.random = random.Random(name)
        self.stream: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, method: str, path: str, status: int, **body: str) -> Any:
        """The answer's JSON. Raises Wrong, OSError and TimeoutError."""
        began = time.monotonic()
        text = json.dumps(body).encode() if body else b""
        head = f"{method} /{self.database}/notes{path} HTTP/1.1\r\nHost: guest\r\nContent-Length: {len(text)}\r\n"
        head += "Content-Type: application/json\r\n\r\n" if body else "\r\n"
        if self.stream is None:
            self.stream = await asyncio.open_connection("127.0.0.1", self.port)
        reader, writer = self.stream
        writer.write(head.encode() + text)
        got, fields, answer = await asyncio.wait_for(self.answer(reader), PATIENCE)
        if fields.get("connection", "").lower() == "close":
            self.close()
        if got != status:
            raise Wrong(f"{method} {path}: {got} instead of {status}: {answer[:300]!r}")
        self.outcome.answers += 1
        self.outcome.longest = max(self.outcome.longest, time.monotonic() - began)
        return json.loads(answer) if status < 300 else None

    @staticmethod
    async def answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        return int(lines[0].split()[1]), fields, await reader.readexactly(int(fields["content-length"]))

    def close(self) -> None:
        if self.stream:
            self.stream[1].close()
        self.stream = None

    def text(self) -> str:
        return f"{self.random.choice(WORDS)} {self.random.random()}"

    async def turn(self) -> None:
        """Adds a note, reads it and another, changes one, removes the oldest of many, and looks at them all."""
        text = self.text()
        number = (await self.ask("POST", "", 201, author=self.name, text=text))["id"]
        self.notes[number] = text
        for one in (number, self.random.choice(list(self.notes))):
            await self.read(one)
        one = self.random.choice(list(self.notes))
        text = self.text()
        expect({"id": one}, await self.ask("PUT", f"/{one}", 200, text=text))
        self.notes[one] = text
        await self.read(one)
        if len(self.notes) > KEPT:
            oldest = min(self.notes)
            expect({"id": oldest}, await self.ask("DELETE", f"/{oldest}", 200))
            del self.notes[oldest]
            await self.ask("GET", f"/{oldest}", 404)
            expect({"ids": sorted(self.notes)}, await self.ask("GET", f"?author={self.name}", 200))

    async def read(self, number: int) -> None:
        expected = {"id": number, "author": self.name, "text": self.notes[number]}
        expect(expected, await self.ask("GET", f"/{number}", 200))

    async def work(self, end: float) -> None:
        """Turn after turn until the time is over, then a last look at everything; gives up after a few errors."""
        failed = 0
        while time.monotonic() < end and failed < 3:
            try:
                await self.turn()
            except (OSError, EOFError, ValueError, KeyError, asyncio.TimeoutError, Wrong) as error:
                failed += 1
                self.outcome.errors.append(f"{self.name}: {error!r}")
                self.close()
        if not failed:
            for number in self.notes:
                await self.read(number)
        self.close()


def expect(wanted: Any, got: Any) -> None:
    if wanted != got:
        raise Wrong(f"{got!r} instead of {wanted!r}")


def load(port: int, databases: tuple[str, ...], authors: int, seconds: float, label: str = "a") -> Outcome:
    """`authors` clients for each database at once, for some seconds; a label makes their notes those of one load."""
    outcome = Outcome()
    began = time.monotonic()

    async def run() -> None:
        clients = [Author(port, d, f"{label}-{d}-{n}", outcome) for d in databases for n in range(authors)]
        await asyncio.gather(*(client.work(began + seconds) for client in clients))

    asyncio.run(run())
    outcome.seconds = time.monotonic() - began
    return outcome
