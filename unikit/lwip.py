"""The source of lwIP, the TCP/IP stack: a folder the user names, else Debian's source package, fetched once.

`apt-get source` works without root and without source entries in the system's configuration when it is given state
folders and a source list of its own. The list is derived from the system's, so mirrors and proxies stay as they are.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

from unikit import cache
from unikit.errors import ExitCode, UserError

VERSION = "2.1.3"
LICENCE = "BSD-3-Clause"
ARCHIVE_SHA256 = "0a8276d09fc4e97bbba2f953d74af2388fc2195ea156be9d7589e297a68fde24"
# Releases whose lwIP is the version above, asked for when the system's own release has another.
RELEASES = {"debian": ("bookworm",), "ubuntu": ("noble", "jammy")}
HINT = "Give a folder with lwIP 2.1.3's sources: --lwip PATH, or UNIKIT_LWIP=PATH."


def find(named: Path | None = None) -> Path:
    """The folder with lwIP's `src`: `named`, else UNIKIT_LWIP, else the cached copy, fetched when missing.

    Raises UserError (TOOLCHAIN) if there is none to be had.
    """
    if named is None and os.environ.get("UNIKIT_LWIP"):
        named = Path(os.environ["UNIKIT_LWIP"])
    if named is not None:
        if not (named / "src/core/tcp.c").is_file():
            raise UserError(
                f"{named} does not hold lwIP's sources (src/core/tcp.c).", code=ExitCode.TOOLCHAIN, hint=HINT
            )
        return named.resolve()
    target = cache.folder("sources") / f"lwip-{VERSION}-{ARCHIVE_SHA256[:12]}"
    if not target.is_dir():
        with tempfile.TemporaryDirectory(dir=target.parent, prefix="lwip-") as work:
            _unpack(_download(Path(work)), target)
    return target


def _download(work: Path) -> Path:
    """Debian's original archive, checked."""
    failure = "apt-get is not there"
    if shutil.which("apt-get"):
        release = _os_release()
        family = "ubuntu" if "ubuntu" in (release.get("ID", ""), release.get("ID_LIKE", "")) else "debian"
        for suite in dict.fromkeys((release.get("VERSION_CODENAME", ""), *RELEASES[family])):
            if not suite:
                continue
            failure = _apt_source(work, suite)
            for archive in work.glob("lwip_*.orig.tar.*"):
                if hashlib.sha256(archive.read_bytes()).hexdigest() == ARCHIVE_SHA256:
                    return archive
                failure = f"{archive.name} is not the archive that was expected"
                archive.unlink()
    raise UserError(f"lwIP's sources could not be fetched: {failure}.", code=ExitCode.TOOLCHAIN, hint=HINT)


def _apt_source(work: Path, suite: str) -> str:
    """Download lwIP's source package of a release into `work`; returns why not, if apt failed."""
    for folder in ("state/lists/partial", "cache/archives/partial"):
        (work / folder).mkdir(parents=True, exist_ok=True)
    (work / "status").touch()
    parts = "main" if suite in RELEASES["debian"] else "main universe"
    lines = [f"deb-src {options}{uri} {suite} {parts}" for options, uri in sorted(set(_mirrors()))]
    if not lines:
        return "the system's apt configuration names no mirror"
    (work / "sources.list").write_text("\n".join(lines) + "\n")
    options = {
        "Dir::State": work / "state",
        "Dir::State::status": work / "status",
        "Dir::Cache": work / "cache",
        "Dir::Etc::SourceList": work / "sources.list",
        "Dir::Etc::SourceParts": "/dev/null",
        "APT::Sandbox::User": "root",
        "Acquire::Languages": "none",
    }
    command = ["apt-get", "-qq", *(f"-o{key}={value}" for key, value in options.items())]
    for verb in (["update"], ["source", "--download-only", "lwip"]):
        try:
            done = subprocess.run(
                [*command, *verb], cwd=work, capture_output=True, text=True, timeout=300, check=False
            )
        except subprocess.TimeoutExpired:
            return f"apt-get {verb[0]} took longer than 300 s"
    last = (done.stderr.strip() or "apt-get found no lwip").splitlines()[-1]
    return last.rstrip(".")


def _mirrors() -> Iterator[tuple[str, str]]:
    """The (options, URI) pairs of the system's distribution in its apt configuration, both of its formats."""
    codename = _os_release().get("VERSION_CODENAME", "")
    etc = Path("/etc/apt")
    for file in [etc / "sources.list", *sorted(etc.glob("sources.list.d/*.list"))]:
        for line in file.read_text().splitlines() if file.is_file() else []:
            match = re.match(r"deb(?:-src)?\s+(\[[^\]]*\]\s+)?(\S+)\s+(\S+)", line)
            if match and match[3] == codename:
                yield match[1] or "", match[2]
    for file in sorted(etc.glob("sources.list.d/*.sources")):
        for stanza in re.split(r"\n\s*\n", file.read_text()):
            fields = dict(re.findall(r"^([A-Za-z-]+):[ \t]*(.*)$", stanza, re.MULTILINE))
            if codename in fields.get("Suites", "").split():
                key = fields.get("Signed-By", "").strip()
                for uri in fields.get("URIs", "").split():
                    yield (f"[signed-by={key}] " if key.startswith("/") else ""), uri


def _os_release() -> dict[str, str]:
    try:
        text = Path("/etc/os-release").read_text()
    except OSError:
        return {}
    return {key: value.strip("\"'") for key, value in re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE)}


def _unpack(archive: Path, target: Path) -> None:
    """Put the archive's single top folder at `target`, whole or not at all."""
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="lwip-") as work:
        with tarfile.open(archive) as tar:
            members = [
                m
                for m in tar
                if (m.isfile() or m.isdir()) and not m.name.startswith("/") and ".." not in Path(m.name).parts
            ]
            tar.extractall(work, members)
        (source,) = [path.parent.parent.parent for path in Path(work).glob("**/src/core/tcp.c")]
        try:
            source.rename(target)
        except OSError:
            if not target.is_dir():  # another process was quicker otherwise
                raise
