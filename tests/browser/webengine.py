"""Qt's web engine, Chromium as a library, where there is no Chromium itself: a window of the system's PyQt6 that nobody
sees. Its messages go over a WebSocket."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from websockets.sync.client import ClientConnection, connect

WINDOW = Path(__file__).with_name("window.py")
DEADLINE = 120  # seconds until it listens


class Socket:
    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    def send(self, message: str) -> None:
        self._connection.send(message)

    def receive(self, seconds: float) -> str:
        message = self._connection.recv(timeout=seconds)
        assert isinstance(message, str)
        return message


@contextmanager
def start() -> Iterator[Socket]:
    """A browser of its own, ended afterwards with everything it started."""
    port = _free_port()  # it takes no 0 for one of its own choice
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        settings = {
            "HOME": home,
            "XDG_RUNTIME_DIR": home,
            "QT_QPA_PLATFORM": "offscreen",
            "QT_QUICK_BACKEND": "software",  # no OpenGL needed
            "QTWEBENGINE_REMOTE_DEBUGGING": f"127.0.0.1:{port}",
            "QTWEBENGINE_DISABLE_SANDBOX": "1",
            "QTWEBENGINE_CHROMIUM_FLAGS": "--disable-gpu --disable-dev-shm-usage --hide-scrollbars",
        }
        log = Path(home, "log")
        with log.open("wb") as out:
            browser = subprocess.Popen(
                ["/usr/bin/python3", str(WINDOW)], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                start_new_session=True, env={**os.environ, **settings},
            )  # fmt: skip
        try:
            with connect(_address(port, browser, log), max_size=None, proxy=None) as connection:
                yield Socket(connection)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(browser.pid, signal.SIGKILL)
            browser.wait()


def _free_port() -> int:
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        port: int = asked.getsockname()[1]
        return port


def _address(port: int, browser: subprocess.Popen[bytes], log: Path) -> str:
    """The browser's WebSocket, as soon as it listens."""
    limit = time.monotonic() + DEADLINE
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while True:
        with suppress(OSError), direct.open(f"http://127.0.0.1:{port}/json/version", timeout=DEADLINE) as answer:
            found: str = json.load(answer)["webSocketDebuggerUrl"]
            return found
        assert browser.poll() is None, f"Qt's web engine has ended:\n{log.read_text(errors='replace')}"
        assert time.monotonic() < limit, f"Qt's web engine does not listen:\n{log.read_text(errors='replace')}"
        time.sleep(0.05)
