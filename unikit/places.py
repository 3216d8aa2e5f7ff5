"""Short names for files of the build machine, the same on every machine: `main.py`, `asyncio/base_events.py`,
`flask/app.py`. And the module that a file of the guest belongs to."""

from __future__ import annotations

import re
from pathlib import Path

from unikit.model import Source

LINE = re.compile(r"^(?P<path>/.*?)(?::(?P<line>\d+))?$")
CACHED = re.compile(r"__pycache__/([^/]+)\.[\w-]+\.pyc$")
SUFFIX = re.compile(r"(?:\.[\w-]+)?\.(?:py|pyc|so)$")


class Places:
    """The folders of an application, its interpreter and their packages."""

    def __init__(self, source: Source) -> None:
        python = source.python
        folders = [source.root, *(f for f, _ in source.search), python.stdlib, python.dynload, *python.site]
        self._folders = sorted({f"{str(folder).rstrip('/')}/" for folder in folders}, key=len, reverse=True)
        self._known: dict[str, str] = {}
        guests = {guest for _, guest in source.search} | {"/app", python.guest_stdlib, python.guest_site}
        guests |= {f"{python.guest_stdlib}/lib-dynload", *python.guest_sites}
        self._guests = sorted(guests, key=len, reverse=True)

    def short(self, path: Path) -> str:
        return self.short_text(str(path))

    def short_text(self, text: str) -> str:
        if text not in self._known:
            self._known[text] = self._shorten(text)
        return self._known[text]

    def _shorten(self, text: str) -> str:
        for folder in self._folders:
            if text.startswith(folder):
                return text[len(folder) :]
        for mark in ("/site-packages/", "/dist-packages/"):
            if mark in text:
                return text.rpartition(mark)[2]
        return text.rpartition("/")[2]

    def evidence(self, text: str) -> str:
        """Evidence with short names: `/home/me/app/main.py:3` is `main.py:3`; what is no path stays."""
        match = LINE.match(text)
        if match is None:
            return text
        short = self.short_text(match["path"])
        return f"{short}:{match['line']}" if match["line"] else short

    def module(self, guest: str) -> str | None:
        """The name of the module that a file of the guest would be, None if it can be none."""
        folder = next((g for g in self._guests if guest.startswith(g + "/")), None)
        if folder is None or not guest.endswith((".py", ".pyc", ".so")):
            return None
        relative = SUFFIX.sub("", CACHED.sub(r"\1.pyc", guest[len(folder) + 1 :]))
        return relative.removesuffix("/__init__").replace("/", ".")
