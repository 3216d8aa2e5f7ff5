"""Servers on this machine's loopback that guests are clients of."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from pathlib import Path

HOST = "10.0.2.2"  # the host's loopback, as a guest's user-mode network shows it
PATIENCE = 120.0


class Server(ABC):
    """One on a free port of the loopback, its data in a temporary folder; as a context manager it runs and is gone at
    the end. `stop` and `start` make it go away and come back in between, on the same port with the same data."""

    user: str | None = None  # what it runs as; None: as we do

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self.process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def line(self) -> list[str]:
        """The command that runs it."""

    def prepare(self) -> None:  # noqa: B027 - most need nothing
        """What is done once before it starts."""

    def __enter__(self) -> Server:
        self.folder = Path(tempfile.mkdtemp(prefix=f"unikit-{type(self).__name__.lower()}-"))
        try:
            if self.user:
                shutil.chown(self.folder, self.user, self.user)
            self.prepare()
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop(signal.SIGINT)
        shutil.rmtree(self.folder)

    def start(self) -> None:
        """Returns when it takes connections."""
        log = self.folder / "log"
        with log.open("ab") as out:
            self.process = subprocess.Popen(self.line(), stdout=out, stderr=out, user=self.user, cwd="/")
        end = time.monotonic() + PATIENCE
        while self.process.poll() is None and time.monotonic() < end:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), PATIENCE):
                return
            time.sleep(0.1)
        raise AssertionError(f"{self.line()[0]} does not start:\\n{log.read_text()}")

    def stop(self, number: int) -> None:
        """Sends it a signal and waits for its end."""
        if self.process is not None:
            self.process.send_signal(number)
            try:
                self.process.wait(PATIENCE)
            finally:
                self.process.kill()
                self.process = None


def owner(name: str) -> str | None:
    """The user of a server that refuses to be root; None where we are not."""
    return pwd.getpwnam(name).pw_name if os.geteuid() == 0 else None
