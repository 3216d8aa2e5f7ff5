"""Folders of the host in the guest: what `-v` means, and whether the folder is there before QEMU starts."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable
from pathlib import Path

from unikit.errors import ExitCode, UserError
from unikit.vm.machine import Volume

# Directories that the runtime or the interpreter lives in: a folder there would hide them.
TAKEN = ("/", "/app", "/dev", "/proc", "/sys", "/usr", "/lib", "/lib64", "/.unikit")


def parse(text: str) -> Volume:
    """`HOSTDIR:GUESTDIR[:ro]`; the folder of the host may be relative and may hold colons.

    Raises UserError: USAGE (not of this form), CONFIGURATION (no such folder, a directory that cannot be hidden).
    """
    rest = text.removesuffix(":ro").removesuffix(":rw")
    host, colon, guest = rest.rpartition(":")
    if not colon or not host or not guest.startswith("/"):
        raise UserError(
            f"'{text}' is no volume.",
            code=ExitCode.USAGE,
            hint="-v HOSTDIR:GUESTDIR, e.g. -v ./data:/data; :ro at the end: read-only",
        )
    guest = posixpath.normpath(guest)
    if guest.startswith("//"):
        guest = guest[1:]
    if guest in TAKEN:
        raise UserError(
            f"A folder cannot appear as {guest}: the guest needs what is there.",
            code=ExitCode.CONFIGURATION,
            hint="Choose a directory of its own, e.g. /data.",
        )
    return Volume(folder(host), guest, text.endswith(":ro"))


def folder(text: str) -> Path:
    """The folder of the host, absolute. Raises UserError (CONFIGURATION)."""
    path = Path(text).expanduser()
    if not path.exists():
        raise UserError(
            f"The folder {path} is not there.", code=ExitCode.CONFIGURATION, hint=f"Make it: mkdir -p {path}"
        )
    if not path.is_dir():
        raise UserError(
            f"{path} is no folder.", code=ExitCode.CONFIGURATION, hint="-v takes the folder that the file is in."
        )
    if not os.access(path, os.R_OK | os.X_OK):
        raise UserError(f"You may not read the folder {path}.", code=ExitCode.CONFIGURATION)
    return path.resolve()


def check(volumes: Iterable[Volume]) -> tuple[Volume, ...]:
    """Raises UserError (CONFIGURATION) where two would appear in the same directory."""
    found: dict[str, Volume] = {}
    for volume in volumes:
        if volume.guest in found:
            raise UserError(
                f"Two folders would appear as {volume.guest}: {found[volume.guest].host} and {volume.host}.",
                code=ExitCode.CONFIGURATION,
            )
        found[volume.guest] = volume
    return tuple(found.values())
