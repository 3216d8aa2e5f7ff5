"""The cache on the build machine: `$UNIKIT_CACHE`, else `$XDG_CACHE_HOME/unikit`, else `~/.cache/unikit`.

Entries are content-addressed: a key is the hash of everything the entry was made from, so nothing in here is ever
stale, and all of it may be deleted at any time.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def root() -> Path:
    """The folder of all entries."""
    if named := os.environ.get("UNIKIT_CACHE"):
        return Path(named)
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "unikit"


def folder(kind: str) -> Path:
    """The folder of one kind of entry (`pyc`, `elf`, `objects` ...), made where it is not there yet."""
    path = root() / kind
    path.mkdir(parents=True, exist_ok=True)
    return path


def entry(kind: str, key: str, suffix: str = "") -> Path:
    """Where the entry `key` is or would be; its parent folder exists."""
    path = folder(kind) / key[:2] / (key[2:] + suffix)
    path.parent.mkdir(exist_ok=True)
    return path


def store(path: Path, content: bytes, mode: int = 0o644) -> Path:
    """Write an entry whole or not at all: two builds at once do not see each other's halves."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.chmod(temporary, mode)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    return path
