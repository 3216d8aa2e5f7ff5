"""A PostgreSQL server of our own: Debian's, on a free port of the loopback, in a temporary folder, gone at the end."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

PATIENCE = 120.0
HOST = "10.0.2.2"  # the host's loopback, as a guest's user-mode network shows it


def programs() -> Path:
    """The folder of the newest server's programs."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[-3]))
    assert found, "PostgreSQL's server is missing: apt install postgresql"
    return found[-1].parent


@contextlib.contextmanager
def server() -> Iterator[str]:
    """Starts it, and gives the URL by which a guest reaches its database.

    The server refuses to be root: there it runs as the package's own user."""
    user = pwd.getpwnam("postgres").pw_name if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="unikit-postgres-"))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    try:
        if user:
            shutil.chown(folder, user, user)
        line = [programs() / "initdb", "-D", folder / "data", "-U", "unikit", "-A", "trust", "-E", "UTF8",
                "--locale=C.UTF-8", "--no-sync"]  # fmt: skip
        subprocess.run(line, check=True, stdout=subprocess.DEVNULL, user=user, cwd="/", timeout=PATIENCE)
        settings = {"listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": "", "fsync": "off"}
        line = [programs() / "postgres", "-D", folder / "data"]
        line += [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(line, stdout=log, stderr=log, user=user, cwd="/")
        try:
            answers(port, process, folder / "log")
            yield f"postgresql://unikit@{HOST}:{port}/postgres"
        finally:
            process.terminate()  # "smart": not before the last client has left
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.send_signal(2)  # "fast"
                process.wait(PATIENCE)
    finally:
        shutil.rmtree(folder)


def answers(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Waits until it takes connections."""
    end = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), PATIENCE):
            return
        time.sleep(0.1)
    raise AssertionError(f"PostgreSQL does not start:\n{log.read_text()}")
