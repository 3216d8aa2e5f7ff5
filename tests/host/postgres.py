"""Debian's PostgreSQL server; as root it runs as the package's own user, for it refuses to be root."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.host import HOST, PATIENCE, Server, owner


def programs() -> Path:
    """The folder of the newest server's programs."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[-3]))
    assert found, "PostgreSQL's server is missing: apt install postgresql"
    return found[-1].parent


class Postgres(Server):
    def prepare(self) -> None:
        line = [programs() / "initdb", "-D", self.folder / "data", "-U", "unikit", "-A", "trust", "-E", "UTF8",
                "--locale=C.UTF-8", "--no-sync"]  # fmt: skip
        subprocess.run(line, check=True, stdout=subprocess.DEVNULL, user=self.user, cwd="/", timeout=PATIENCE)

    def line(self) -> list[str]:
        settings = {"listen_addresses": "127.0.0.1", "port": self.port, "unix_socket_directories": "", "fsync": "off",
                    "max_prepared_transactions": 10}  # fmt: skip
        words = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
        return [str(programs() / "postgres"), "-D", str(self.folder / "data"), *words]

    def __init__(self) -> None:
        super().__init__()
        self.user = owner("postgres")

    @property
    def url(self) -> str:
        """By which a guest reaches its database."""
        return f"postgresql://unikit@{HOST}:{self.port}/postgres"


@contextlib.contextmanager
def server() -> Iterator[str]:
    """Starts it, and gives the URL of its database."""
    running = Postgres()
    with running:
        yield running.url
