"""Which of Debian's packages brought a file of this machine, as dpkg knows it. Without dpkg nothing is known."""

from __future__ import annotations

import json
import platform
import re
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from unikit import cache
from unikit.model import digest

STATUS = Path("/var/lib/dpkg/status")
COPYRIGHT = Path("/usr/share/doc")
DEADLINE = 60


@dataclass(frozen=True)
class Package:
    """A binary package. `licence` is what its machine-readable copyright file (DEP 5) says, if it has one."""

    name: str
    version: str
    architecture: str
    source: str
    vendor: str = "debian"  # the distribution, as its os-release has it
    licence: str = ""


def owners(files: Iterable[Path]) -> dict[Path, Package]:
    """The packages of those files that have one; remembered until dpkg's state changes."""
    wanted = sorted(set(files))
    tool = shutil.which("dpkg-query")
    if tool is None or not wanted or not STATUS.is_file():
        return {}
    note = cache.entry("packages", digest("2", wanted, STATUS.stat().st_mtime_ns), ".json")
    try:
        known = json.loads(note.read_text())
    except (OSError, ValueError):
        known = {str(path): asdict(package) for path, package in _ask(tool, wanted).items()}
        cache.store(note, json.dumps(known).encode())
    return {Path(path): Package(**value) for path, value in known.items()}


def _ask(tool: str, wanted: list[Path]) -> dict[Path, Package]:
    names: dict[str, Path] = {}
    for path in wanted:  # dpkg knows a file by the name it was installed under, in /lib or /usr/lib
        for name in (str(path).removeprefix("/usr"), str(path.resolve()).removeprefix("/usr")):
            names |= {name: path, f"/usr{name}": path}
    found: dict[Path, str] = {}
    for line in _run([tool, "--search", *names]).splitlines():
        packages, _, known = line.rpartition(": ")
        if known in names and not packages.startswith("diversion "):
            found.setdefault(names[known], packages.split(", ")[0])
    if not found:
        return {}
    form = "${binary:Package}\t${Package}\t${Version}\t${Architecture}\t${source:Package}\n"
    described = {}
    vendor = _vendor()
    for line in _run([tool, "--show", f"--showformat={form}", *sorted(set(found.values()))]).splitlines():
        full, name, version, architecture, source = line.split("\t")
        described[full] = described[name] = Package(name, version, architecture, source, vendor, licence(name))
    return {path: described[name] for path, name in found.items() if name in described}


def _vendor() -> str:
    try:
        return platform.freedesktop_os_release().get("ID", "debian")
    except OSError:
        return "debian"


def _run(line: list[str]) -> str:
    """What dpkg-query says; it ends with 1 if it does not know one of the names."""
    try:
        done = subprocess.run(line, capture_output=True, text=True, timeout=DEADLINE, env={"LC_ALL": "C.UTF-8"})
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout


def licence(package: str) -> str:
    """The licence of most of a package's files (the paragraph `Files: *`) in the words of DEP 5; empty if not known."""
    try:
        text = (COPYRIGHT / package / "copyright").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    if not text.startswith("Format:"):
        return ""
    for paragraph in re.split(r"\n\s*\n", text):
        fields = dict(re.findall(r"^([A-Za-z-]+):[ \t]*(.*)$", paragraph, re.MULTILINE))
        if fields.get("Files", "").split()[:1] == ["*"]:
            return str(fields.get("License", "")).strip()
    return ""
