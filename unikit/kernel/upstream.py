"""Debian's source packages as libraries of the runtime: a folder that the user names, else the package, fetched once,
checked and kept as it is.

`apt-get source` works without root and without source entries in the system's configuration when it is given state
folders and a source list of its own. The list is derived from the system's, so mirrors and proxies stay as they are.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from unikit import cache
from unikit.errors import ExitCode, UserError

# Releases whose packages have the versions that are asked for, tried when the system's own release has others.
RELEASES = {"debian": ("bookworm",), "ubuntu": ("noble", "jammy")}


@dataclass(frozen=True)
class SourcePackage:
    """A source package. `archives` are the original archives that will do, the first best: the SHA-256 of each and the
    version in it, as distributions have different ones. `probe` is a file that it holds, `variable` the environment
    variable that names a folder with it instead."""

    title: str
    name: str
    archives: Mapping[str, str]
    licence: str  # SPDX
    probe: str
    variable: str
    cpe: str  # vendor and product in the names of vulnerability lists (CPE 2.3)

    @property
    def detail(self) -> dict[str, str]:
        """What a bill of materials says of it."""
        return {"version": self.version, "licence": self.licence, "cpe": self.cpe}

    @property
    def version(self) -> str:
        """Of what is in the cache, else of what is best."""
        return next((version for sha256, version in self.archives.items() if self._place(sha256).is_dir()), self._best)

    @property
    def _best(self) -> str:
        return next(iter(self.archives.values()))

    def _place(self, sha256: str) -> Path:
        return cache.folder("sources") / f"{self.name}-{self.archives[sha256]}-{sha256[:12]}"

    @property
    def hint(self) -> str:
        return f"Give a folder with the sources of {self.title} {self._best}: {self.variable}=PATH."

    def find(self, named: Path | None = None) -> Path:
        """The folder with the sources: `named`, else the environment's, else the cached copy, fetched when missing.

        Raises UserError (TOOLCHAIN) if there is none to be had.
        """
        if named is None and os.environ.get(self.variable):
            named = Path(os.environ[self.variable])
        if named is not None:
            if not (named / self.probe).is_file():
                raise UserError(
                    f"{named} does not hold the sources of {self.title} ({self.probe}).",
                    code=ExitCode.TOOLCHAIN,
                    hint=self.hint,
                )
            return named.resolve()
        for sha256 in self.archives:
            if self._place(sha256).is_dir():
                return self._place(sha256)
        with tempfile.TemporaryDirectory(dir=cache.folder("sources"), prefix=f"{self.name}-") as work:
            archive, sha256 = _download(self, Path(work))
            _unpack(archive, self._place(sha256), self.probe)
        return self._place(sha256)


LWIP = SourcePackage(
    title="lwIP",
    name="lwip",
    archives={"0a8276d09fc4e97bbba2f953d74af2388fc2195ea156be9d7589e297a68fde24": "2.1.3"},
    licence="BSD-3-Clause",
    probe="src/core/tcp.c",
    variable="UNIKIT_LWIP",
    cpe="lwip_project:lwip",
)
ZSTD = SourcePackage(
    title="Zstandard",
    name="libzstd",
    archives={
        "8cf4bbb65e77ec348d052c8d6230eba66d435bddf64c8b5be2fcb16880c19953": "1.5.4",
        "d7cf3c10d416fd999cb8fcf7685d9268ba7bec8eb78121fc2d0d916fa393d22b": "1.5.5",
    },
    licence="BSD-3-Clause",
    probe="lib/decompress/zstd_decompress.c",
    variable="UNIKIT_ZSTD",
    cpe="facebook:zstandard",
)
LZ4 = SourcePackage(
    title="LZ4",
    name="lz4",
    archives={"0b0e3aa07c8c063ddf40b082bdf7e37a1562bda40a0ff5272957f3e987e0e54b": "1.9.4"},
    licence="BSD-2-Clause",
    probe="lib/lz4.c",
    variable="UNIKIT_LZ4",
    cpe="lz4_project:lz4",
)


def _download(package: SourcePackage, work: Path) -> tuple[Path, str]:
    """The distribution's original archive, checked, and its SHA-256."""
    failure = "apt-get is not there"
    if shutil.which("apt-get"):
        release = _os_release()
        family = "ubuntu" if "ubuntu" in (release.get("ID", ""), release.get("ID_LIKE", "")) else "debian"
        for suite in dict.fromkeys((release.get("VERSION_CODENAME", ""), *RELEASES[family])):
            if not suite:
                continue
            failure = _apt_source(package.name, work, suite)
            for archive in work.glob(f"{package.name}_*.orig.tar.*"):
                sha256 = hashlib.sha256(archive.read_bytes()).hexdigest()
                if sha256 in package.archives:
                    return archive, sha256
                if archive.suffix != ".asc":
                    failure = f"{archive.name} is not the archive that was expected"
                archive.unlink()
    raise UserError(
        f"The sources of {package.title} could not be fetched: {failure}.", code=ExitCode.TOOLCHAIN, hint=package.hint
    )


def _apt_source(name: str, work: Path, suite: str) -> str:
    """Download a source package of a release into `work`; returns why not, if apt failed."""
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
    for verb in (["update"], ["source", "--download-only", name]):
        try:
            done = subprocess.run([*command, *verb], cwd=work, capture_output=True, text=True, timeout=300, check=False)
        except subprocess.TimeoutExpired:
            return f"apt-get {verb[0]} took longer than 300 s"
    last = (done.stderr.strip() or f"apt-get found no {name}").splitlines()[-1]
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
        return platform.freedesktop_os_release()
    except OSError:
        return {}


def _unpack(archive: Path, target: Path, probe: str) -> None:
    """Put the archive's single top folder at `target`, whole or not at all."""
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="unpack-") as work:
        with tarfile.open(archive) as tar:
            members = [
                m
                for m in tar
                if (m.isfile() or m.isdir()) and not m.name.startswith("/") and ".." not in Path(m.name).parts
            ]
            tar.extractall(work, members)
        (source,) = [folder for folder in Path(work).iterdir() if (folder / probe).is_file()]
        try:
            source.rename(target)
        except OSError:
            if not target.is_dir():  # another process was quicker otherwise
                raise
