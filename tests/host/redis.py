"""Debian's Redis server."""

from __future__ import annotations

import shutil

from tests.host import Server


class Redis(Server):
    def line(self) -> list[str]:
        program = shutil.which("redis-server")
        assert program, "Redis's server is missing: apt install redis-server"
        settings = {"port": str(self.port), "bind": "127.0.0.1", "dir": str(self.folder), "save": "",
                    "enable-debug-command": "yes"}  # fmt: skip
        return [program, *(word for key, value in settings.items() for word in (f"--{key}", value))]
