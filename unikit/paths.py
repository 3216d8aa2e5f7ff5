"""Where things are: the project's own data folders, and the user's cache."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def _folder(name: str) -> Path:
    """A data folder: below the package when installed, beside it in a checkout."""
    installed = Path(__file__).resolve().parent / "data" / name
    return installed if installed.is_dir() else ROOT / name


RUNTIMES = _folder("runtimes")
TEMPLATES = _folder("templates")
MACHINES = _folder("qemu")


def cache() -> Path:
    """`$UNIKIT_CACHE`, else `$XDG_CACHE_HOME/unikit`, else `~/.cache/unikit`; made if it is not there."""
    named = os.environ.get("UNIKIT_CACHE")
    base = os.environ.get("XDG_CACHE_HOME")
    path = Path(named) if named else (Path(base) if base else Path.home() / ".cache") / "unikit"
    path.mkdir(parents=True, exist_ok=True)
    return path
