"""Which Debian package holds a shared library, as far as this machine's package tools know."""

from __future__ import annotations

import re
import shutil
import subprocess

LIMIT = 20  # seconds for one question


def package_of(library: str) -> str | None:
    """The package with the shared library of that file name: an installed one (dpkg), one that apt-file has listed, or
    the one that Debian Policy (8.1) says must have it, if apt knows a package of that name. None where there is none,
    or no such tools."""
    for line in _ask("dpkg-query", "-S", f"*/{library}"):
        if line.endswith(f"/{library}"):
            return line.partition(":")[0].partition(",")[0]
    for line in _ask("apt-file", "search", "--regexp", f"/{re.escape(library)}$"):
        return line.partition(":")[0]
    for name in policy_names(library):
        if name in _ask("apt-cache", "pkgnames", name):
            return name
    return None


def policy_names(library: str) -> list[str]:
    """libpq.so.5 is in libpq5, libGL.so.1 in libgl1, libgcc-9.so.2 in libgcc-9-2; since 2024 some end in t64."""
    match = re.fullmatch(r"(lib[\w.+-]+?)\.so\.(\d[\w.]*)|(lib[\w.+-]+?)-(\d[\w.]*)\.so", library)
    if match is None:
        return []
    base, version = (match[1] or match[3]).lower().replace("_", "-"), match[2] or match[4]
    name = f"{base}-{version}" if base[-1].isdigit() or match[3] else f"{base}{version}"
    return [name, f"{name}t64"]


def _ask(*command: str) -> list[str]:
    """The lines that a command prints; none if it is not there or fails."""
    if shutil.which(command[0]) is None:
        return []
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return done.stdout.splitlines() if done.returncode == 0 else []
