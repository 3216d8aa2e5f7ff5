"""Chromium: messages that end with a zero byte on its file descriptors 3 and 4 (`--remote-debugging-pipe`)."""

from __future__ import annotations

import fcntl
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-extensions", "--remote-debugging-pipe",
)  # fmt: skip


class Pipes:
    def __init__(self, out: int, back: int) -> None:
        self._out, self._back = out, back
        self._buffer = b""

    def send(self, message: str) -> None:
        os.write(self._out, message.encode() + b"\0")

    def receive(self, seconds: float) -> str:
        limit = time.monotonic() + seconds
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._back], [], [], max(0.0, limit - time.monotonic()))
            assert ready, "Chromium does not answer"
            piece = os.read(self._back, 1 << 20)
            assert piece, "Chromium has ended"
            self._buffer += piece
        text, _, self._buffer = self._buffer.partition(b"\0")
        return text.decode()


def there() -> bool:
    """A snap of it does not count: it sees no file of a test in /tmp, and runs in no container."""
    path = shutil.which("chromium")
    return path is not None and not path.startswith("/snap/")


@contextmanager
def start() -> Iterator[Pipes]:
    """A browser of its own, ended afterwards with everything it started."""
    to_read, to_write, from_read, from_write = (_high(end) for end in (*os.pipe(), *os.pipe()))

    def place() -> None:
        os.dup2(to_read, 3)
        os.dup2(from_write, 4)

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = subprocess.Popen(
            ["chromium", *FLAGS, f"--user-data-dir={profile}", "about:blank"], pass_fds=(3, 4), preexec_fn=place,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
            env={**os.environ, "HOME": profile},
        )  # fmt: skip
        os.close(to_read)
        os.close(from_write)
        try:
            yield Pipes(to_write, from_read)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(browser.pid, signal.SIGKILL)
            browser.wait()
            os.close(to_write)
            os.close(from_read)


def _high(descriptor: int) -> int:
    """The same file under a number that is not wanted for something else."""
    high = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 10)
    os.close(descriptor)
    return high
