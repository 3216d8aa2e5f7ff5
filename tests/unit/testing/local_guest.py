"""A plugin for the tests of `pytest --unikit`: the guest is a process of this machine, on a pseudo terminal."""

from __future__ import annotations

import contextlib
import os
import pty
import subprocess
import sys
import tty
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from unikit.testing import guest, options, remote

ROOT = Path(__file__).resolve().parents[3]
WORKER = "import sys; from unikit.target import pytest_worker as w; w.PORT, w.SETUP = sys.argv[1:]; sys.exit(w.main())"


class LocalGuest(guest.Guest):
    """Speaks as a guest does, over a pseudo terminal in place of the port."""

    def __init__(self, setup: Path) -> None:
        self.log: Any = SimpleNamespace(phases={"exec": 1}, status=None)
        self.options: Any = SimpleNamespace(accelerator="none")
        self.on_console = None
        self._said = b""
        self.master, slave = pty.openpty()
        tty.setraw(slave)
        self.output = Path(os.environ["LOCAL_GUEST_CONSOLE"])
        with self.output.open("wb") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-c", WORKER, os.ttyname(slave), str(setup)], stdout=file, stderr=file,
                start_new_session=True,
                env={**os.environ, "PYTHONFAULTHANDLER": "1", "PYTHONPATH": str(ROOT)}, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        self.slave = slave

    def console(self) -> str:
        return self.output.read_text()

    def wait_for(self, condition: Any, what: str, timeout: float = 0) -> Any:
        return condition()

    def say(self, data: bytes, timeout: float = 0) -> None:
        while data:
            data = data[os.write(self.master, data) :]

    def hear(self, timeout: float | None = None) -> bytes:
        import select
        import time

        end = None if timeout is None else time.monotonic() + timeout
        while b"\n" not in self._said:
            if select.select([self.master], [], [], 0.05)[0]:
                self._said += os.read(self.master, 65536)
            elif self.process.poll() is not None:
                raise guest.GuestFailed("ended")
            elif end is not None and time.monotonic() > end:
                raise TimeoutError
        line, _, self._said = self._said.partition(b"\n")
        return line

    def send_signal(self, number: int) -> None:
        self.process.send_signal(number)

    def verdict(self) -> list[str]:
        return [f"The application ended with status {self.process.wait()}."]

    def wait(self, timeout: float = 0) -> Any:
        self.process.wait(timeout)

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.master)
        os.close(self.slave)


@contextlib.contextmanager
def boot(image: Any, **options: Any) -> Iterator[LocalGuest]:
    running = LocalGuest(image.setup)
    try:
        yield running
    finally:
        running.kill()


def pytest_configure(config: pytest.Config) -> None:
    def build(self: remote.Remote, session: pytest.Session) -> None:
        self.places = {str(item.path): str(item.path) for item in session.items}
        setup = Path(os.environ["LOCAL_GUEST_CONSOLE"]).with_name("setup.json")
        setup.unlink(missing_ok=True)
        if self.config.option.unikit_freeze:
            setup.write_text(options.frozen(self.config, sorted(self.places.values())))
        self.image = SimpleNamespace(setup=setup)  # type: ignore[assignment]

    remote.Remote._build = build  # type: ignore[method-assign]
    options.boot = lambda option, image: {}
    guest.boot = boot  # type: ignore[assignment]
