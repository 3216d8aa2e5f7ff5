"""A machine that is stopped for a while and goes on: clocks, timers, connections.

UNIKIT_STOPPED (3) is for how many seconds.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.guest import Guest, start, stopped_for

APP = Path(__file__).resolve().parent / "suspended/main.py"
STOPPED = float(os.environ.get("UNIKIT_STOPPED", "3"))
PATIENCE = 120.0
TIMERS = ("ticks", "sleeps", "waits")


class Monitor:
    """QEMU's machine protocol."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(str(path))
        self.lines = self.socket.makefile("rw")
        assert "QMP" in json.loads(self.lines.readline())
        self.do("qmp_capabilities")

    def do(self, command: str) -> None:
        self.lines.write(json.dumps({"execute": command}) + "\n")
        self.lines.flush()
        while "return" not in (answer := json.loads(self.lines.readline())):
            assert "event" in answer, answer


@contextlib.contextmanager
def asked(guest: Guest) -> Iterator[Any]:
    """A question on a connection that is kept: what the guest says, after its clock was set by `step` seconds."""
    with socket.create_connection(("127.0.0.1", guest.port(8080)), PATIENCE) as connection:
        lines = connection.makefile("rw")

        def ask(step: float = 0) -> dict[str, Any]:
            lines.write(f"{step}\n")
            lines.flush()
            said: dict[str, Any] = json.loads(lines.readline())
            return said

        yield ask


def go_on(ask: Any, before: dict[str, Any]) -> None:
    """Every kind of timer ticks after a question."""
    end = time.monotonic() + PATIENCE
    while not all(ask()[timer] > before[timer] for timer in TIMERS):
        assert time.monotonic() < end, (before, ask())
        time.sleep(0.1)


def agrees(ask: Any, ahead: float = 0) -> None:
    """The guest's wall clock comes to the host's, within the whole seconds of what it reads it from."""
    end = time.monotonic() + PATIENCE
    while abs(ask()["real"] - ahead - time.time()) > 2:
        assert time.monotonic() < end, (ask(), time.time())
        time.sleep(0.2)


def test_stopped_and_continued(tmp_path: Path) -> None:
    with start(APP, ports=[8080], extra=["-qmp", f"unix:{tmp_path}/qmp,server=on,wait=off"]) as guest:
        guest.wait_listening(8080)
        monitor = Monitor(tmp_path / "qmp")
        with asked(guest) as ask:
            agrees(ask)
            # the machine stops: its time stands still, and its wall clock has to catch up
            before = ask()
            monitor.do("stop")
            time.sleep(STOPPED)
            monitor.do("cont")
            after = ask()
            assert after["monotonic"] >= before["monotonic"]
            go_on(ask, after)
            agrees(ask)
            # the emulator stops: the time goes on without the machine
            before, began = ask(), time.monotonic()
            stopped_for(guest.process, STOPPED)
            after = ask()
            assert after["monotonic"] - before["monotonic"] <= time.monotonic() - began + 1
            go_on(ask, after)
            agrees(ask)
            # the application sets its clock: timers do not care, and the distance to the host is kept from now on
            for step in (86_400, -2 * 86_400):
                go_on(ask, ask(step))
            agrees(ask, ahead=-86_400)
            monitor.do("stop")
            time.sleep(STOPPED)
            monitor.do("cont")
            agrees(ask, ahead=-86_400)
            assert ask()["back"] == 0
