"""Where the project's own files are."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# Programs that other interpreters run, on the build machine and in the guest.
TARGET = Path(__file__).resolve().parent / "target"


def _folder(name: str) -> Path:
    """A data folder: below the package when installed, beside it in a checkout."""
    installed = Path(__file__).resolve().parent / "data" / name
    return installed if installed.is_dir() else ROOT / name


RUNTIMES = _folder("runtimes")
TEMPLATES = _folder("templates")
MACHINES = _folder("qemu")
