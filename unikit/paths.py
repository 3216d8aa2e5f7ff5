"""Where things are: the checkout's own folders and the user's cache."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def _folder(name: str) -> Path:
    """A data folder: beside the package in a checkout, below it when installed."""
    beside = ROOT / name
    return beside if beside.is_dir() else Path(__file__).resolve().parent / "data" / name


RUNTIMES = _folder("runtimes")
TEMPLATES = _folder("templates")
MACHINES = _folder("qemu")


def cache() -> Path:
    """The folder `unikit` below XDG_CACHE_HOME (default ~/.cache), made if it is not there."""
    base = os.environ.get("XDG_CACHE_HOME")
    path = (Path(base) if base and os.path.isabs(base) else Path.home() / ".cache") / "unikit"
    path.mkdir(parents=True, exist_ok=True)
    return path
