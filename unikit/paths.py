"""Where the project's own data folders are."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def _folder(name: str) -> Path:
    """A data folder: beside the package in a checkout, below it when installed."""
    beside = ROOT / name
    return beside if beside.is_dir() else Path(__file__).resolve().parent / "data" / name


RUNTIMES = _folder("runtimes")
TEMPLATES = _folder("templates")
MACHINES = _folder("qemu")
