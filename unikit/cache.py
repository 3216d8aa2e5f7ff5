"""The cache on the build machine: `$UNIKIT_CACHE`, else `$XDG_CACHE_HOME/unikit`, else `~/.cache/unikit`.

Entries are content-addressed: a key is the hash of everything the entry was made from, so nothing in here is ever
stale, and all of it may be deleted at any time. Entries that hold whole images are deleted by `trim`, the ones first
that were not used for the longest time.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from pathlib import Path

BULKY = ("images", "roots", "frozen", "packed", "shared")
LIMIT = 8.0  # GiB that these may take together, unless $UNIKIT_CACHE_LIMIT says another number
IN_USE = 3600  # seconds: what was used since may be another build's
OFTEN = 600  # seconds between two looks at the sizes


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


def trim() -> None:
    """Delete the longest unused of the bulky entries, as many as are above the limit."""
    stamp = folder("builds") / ".trimmed"
    now = time.time()
    with contextlib.suppress(OSError):
        if now - stamp.stat().st_mtime < OFTEN:
            return
    stamp.touch()
    entries = []
    for kind in BULKY:
        for path in folder(kind).rglob("*"):
            with contextlib.suppress(OSError):  # another build has just deleted it
                if path.is_file():
                    state = path.stat()
                    entries.append((max(state.st_atime, state.st_mtime), state.st_blocks * 512, path))
    excess = sum(size for _, size, _ in entries) - _limit()
    for used, size, path in sorted(entries):
        if excess <= 0 or now - used < IN_USE:
            return
        with contextlib.suppress(OSError):
            path.unlink()
        excess -= size


def _limit() -> float:
    """Bytes."""
    try:
        gib = float(os.environ["UNIKIT_CACHE_LIMIT"])
    except (KeyError, ValueError):
        gib = LIMIT
    return gib * (1 << 30)
