"""What a build looked at, and whether any of it has changed since.

The state of a file is its size, its time of modification and its inode (as ccache has it), of a folder the same,
which changes when a name comes or goes. Files that are not there are noted as such.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from unikit import cache, paths
from unikit.errors import ExitCode, UserError

DATE = "SOURCE_DATE_EPOCH"
LATEST = 1 << 33  # beyond it, times in nanoseconds do not fit in 64 bits


def surroundings() -> list[str]:
    """What beside its arguments decides a build: the environment variables that the stages read."""
    names = ("VIRTUAL_ENV", "PYTHONPATH", "PATH", "UNIKIT_LWIP", DATE)
    return [sys.executable, *(f"{name}={os.environ.get(name, '')}" for name in names)]


def source_date() -> int | None:
    """The time of the image's files as SOURCE_DATE_EPOCH says it (https://reproducible-builds.org/specs/source-date-epoch):
    seconds since 1970, None if it says nothing. Raises UserError (CONFIGURATION)."""
    text = os.environ.get(DATE)
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 11 and int(text) < LATEST):
        raise UserError(
            f"{DATE} is {text!r}, which is no number of seconds since 1970.",
            code=ExitCode.CONFIGURATION,
            hint=f"For the time of the last commit: {DATE}=$(git log -1 --format=%ct)",
        )
    return int(text)


def own() -> set[Path]:
    """The tool's own files: its modules, the runtime's sources, the templates."""
    found: set[Path] = set()
    for folder in (Path(__file__).resolve().parent, paths.RUNTIMES, paths.TEMPLATES):
        for base, folders, names in os.walk(folder):
            folders[:] = [name for name in folders if name != "__pycache__"]
            found.update(Path(base, name) for name in (*names, "."))
    return found


def _state(path: str) -> list[int]:
    try:
        found = os.stat(path)
    except OSError:
        return []
    # A folder's size says nothing; reading it does not change its time, compiled modules beside sources would.
    return [found.st_mtime_ns, found.st_size, found.st_ino]


def remember(record: Path, looked_at: Iterable[Path], answer: str) -> None:
    """Note the state of everything that was looked at, and the answer it led to."""
    names = sorted({str(path) for path in (*looked_at, *own())})
    value = {"answer": answer, "state": {name: _state(name) for name in names}}
    cache.store(record, json.dumps(value).encode())


def unchanged(record: Path) -> str | None:
    """The answer noted in `record` if nothing has changed since, else None."""
    try:
        value = json.loads(record.read_text())
        if all(_state(name) == state for name, state in value["state"].items()):
            return str(value["answer"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pass
    return None
