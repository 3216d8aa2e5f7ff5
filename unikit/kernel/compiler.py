"""Compiles the runtime's sources into objects, each cached by everything that went into it.

An object's identity is the hash of its command, the compiler's version and the text of its source and of every
header that it included, those that system headers include as well. The headers are known from the last compilation
(gcc -MD), which is kept beside the objects; so a run that changes nothing reads files but starts no compiler, and
clones of the project share objects.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from unikit import cache
from unikit.errors import ExitCode, UserError

KERNEL_FLAGS = (
    "-std=gnu17",
    "-O2",
    "-g",
    "-ffreestanding",
    "-fno-pic",
    "-mcmodel=kernel",
    "-mgeneral-regs-only",
    "-mno-red-zone",
    "-mno-sse",
    "-fno-stack-protector",
    "-fcf-protection=none",
    "-fno-asynchronous-unwind-tables",
    "-fno-omit-frame-pointer",
    "-fno-strict-aliasing",
    "-fno-common",
    "-ffunction-sections",
    "-fdata-sections",
)
WARNINGS = ("-Wall", "-Wextra", "-Werror")
COMPILE_TIMEOUT = 300
BASE = "/"  # where the compiler runs: debug information names the folder


@dataclass(frozen=True)
class Unit:
    """One source to compile: `name` is the component's (`vfs/pipe`)."""

    name: str
    source: Path
    flags: tuple[str, ...]


@dataclass(frozen=True)
class Object:
    """A compiled unit."""

    name: str
    source: Path
    path: Path


@dataclass(frozen=True)
class Failure:
    """A unit that does not compile, with the compiler's own words."""

    name: str
    text: str


def tool(name: str) -> str:
    """The path of a build tool; UserError (TOOLCHAIN) if it is not there."""
    found = shutil.which(name)
    if found is None:
        raise UserError(
            f"{name} is missing; the runtime cannot be built without it.",
            code=ExitCode.TOOLCHAIN,
            hint="Install it: apt install gcc binutils libc6-dev",
        )
    return found


@functools.cache
def version() -> str:
    """What the compiler says it is."""
    done = subprocess.run([tool("gcc"), "--version"], capture_output=True, text=True, timeout=30, check=False)
    return done.stdout.partition("\n")[0]


@functools.cache
def linker() -> tuple[str, ...]:
    """The linker's command for a program that stands alone. Segments that can be written and executed are meant: page
    tables protect what they hold. binutils before 2.39 has neither the warning of them nor the option against it."""
    command, quiet = tool("ld"), "--no-warn-rwx-segments"
    done = subprocess.run([command, "--help"], capture_output=True, text=True, timeout=30, check=False)
    line = (command, "-nostdlib", "-static", "--gc-sections", "-z", "noexecstack", "--fatal-warnings")
    return (*line, quiet) if quiet in done.stdout else line


@functools.cache
def libgcc() -> str:
    """The path of the compiler's own library."""
    line = [tool("gcc"), "-print-libgcc-file-name"]
    return subprocess.run(line, capture_output=True, text=True, timeout=30, check=True).stdout.strip()


class ObjectCache:
    """Objects by identity below a folder; `maps`: absolute prefixes to names that are the same on every machine."""

    def __init__(self, maps: dict[Path, str], folder: Path | None = None) -> None:
        self.folder = (folder or cache.folder("objects")).absolute()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.maps = maps
        self.stop = threading.Event()
        self._hashes: dict[Path, str] = {}

    def compile(self, units: Sequence[Unit], jobs: int | None = None) -> tuple[list[Object], list[Failure]]:
        """Compile what is not cached yet, in parallel; results in the order of `units`."""
        with ThreadPoolExecutor(jobs or os.cpu_count() or 1) as pool:
            results = list(pool.map(self._one, units))
        return [r for r in results if isinstance(r, Object)], [r for r in results if isinstance(r, Failure)]

    def _one(self, unit: Unit) -> Object | Failure:
        command = self._digest([version(), "-MD", BASE, unit.name, *map(self._portable, unit.flags)])
        record = self.folder / f"{command}.deps"
        try:
            path = self.folder / f"{self._identity(command, json.loads(record.read_text()))}.o"
            if path.is_file():
                return Object(unit.name, unit.source, path)
        except (OSError, ValueError):
            pass
        if self.stop.is_set():
            raise CancelledError
        with tempfile.TemporaryDirectory(dir=self.folder) as work:
            out, deps = Path(work, "out.o"), Path(work, "out.d")
            line = [tool("gcc"), *unit.flags, *(f"-ffile-prefix-map={a}={b}" for a, b in self.maps.items())]
            line += ["-MD", "-MF", str(deps), "-c", str(unit.source), "-o", str(out)]
            try:
                done = subprocess.run(
                    line, capture_output=True, text=True, timeout=COMPILE_TIMEOUT, check=False, cwd=BASE
                )
            except subprocess.TimeoutExpired:
                return Failure(unit.name, f"the compiler took longer than {COMPILE_TIMEOUT} s")
            if done.returncode:
                return Failure(unit.name, done.stderr.strip())
            files = [self._portable(str(Path(name).resolve())) for name in _dependencies(deps.read_text())]
            path = self.folder / f"{self._identity(command, files)}.o"
            out.replace(path)
            fresh = Path(work, "deps")
            fresh.write_text(json.dumps(files))
            fresh.replace(record)
        return Object(unit.name, unit.source, path)

    def _identity(self, command: str, files: Iterable[str]) -> str:
        return self._digest([command, *(f"{name} {self._hash(self._local(name))}" for name in files)])

    def _hash(self, path: Path) -> str:
        if path not in self._hashes:
            self._hashes[path] = hashlib.sha256(path.read_bytes()).hexdigest()
        return self._hashes[path]

    @staticmethod
    def _digest(parts: Iterable[str]) -> str:
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:40]

    def _portable(self, text: str) -> str:
        for prefix, name in self.maps.items():
            text = text.replace(str(prefix), name)
        return text

    def _local(self, name: str) -> Path:
        for prefix, short in self.maps.items():
            if name.startswith(short + "/"):
                return prefix / name[len(short) + 1 :]
        return Path(name)


def _dependencies(text: str) -> list[str]:
    """The files of a make rule as gcc writes it."""
    body = text.replace("\\\n", " ").partition(":")[2]
    return [name.replace("\\ ", " ") for name in re.findall(r"(?:\\ |\S)+", body)]


def require(failures: Sequence[Failure]) -> None:
    """Raise UserError (COMPILE) that names each component that failed."""
    if failures:
        names = ", ".join(failure.name for failure in failures)
        raise UserError(
            f"The runtime does not compile: {names}.",
            code=ExitCode.COMPILE,
            details=tuple(line for f in failures for line in (f"== {f.name}", *f.text.splitlines())),
        )
