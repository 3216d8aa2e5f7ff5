"""What Python files import, as the target interpreter's own parser sees it (`target/scan/`), remembered between
builds."""

from __future__ import annotations

import enum
import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from unikit import cache, paths
from unikit.analysis.interpreter import environment
from unikit.errors import ExitCode, UserError
from unikit.model import Interpreter, digest, digest_file
from unikit.native import elf

PROGRAM = "import sys; sys.path.append(sys.argv[1]); from scan.main import main; main()"


class Flag(enum.IntFlag):
    """How an import is reached; the numbers are those of `target/scan/`."""

    CONDITIONAL = 1
    GUARDED = 2
    LAZY = 4
    DYNAMIC = 8
    MAIN = 16


@dataclass(frozen=True)
class Import:
    """One import statement or call. `names` is None for `import module`."""

    line: int
    level: int
    module: str
    names: tuple[str, ...] | None
    flags: Flag
    function: str  # the outermost function around it, or ""


@dataclass(frozen=True)
class Scope:
    """What runs together in a file; see `target/scan/` for the fields."""

    keys: tuple[str, ...] = ()
    imports: tuple[Import, ...] = ()
    chains: frozenset[str] = frozenset()
    codecs: frozenset[str] = frozenset()
    computed: bool = False
    groups: frozenset[str] = frozenset()
    computed_imports: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    text: bool = False
    calls: tuple[tuple[int, str, bool], ...] = ()


@dataclass(frozen=True)
class Scanned:
    """What one file says; see `target/scan/` for the fields."""

    scopes: tuple[Scope, ...] = ()
    strings: frozenset[str] = frozenset()
    constants: frozenset[str] = frozenset()
    dynamic: tuple[int, ...] = ()
    metadata: bool = False
    exports: tuple[str, ...] = ()
    aliases: tuple[tuple[str, str], ...] = ()
    words: frozenset[str] = frozenset()
    error: tuple[int, str, str] | None = None

    @property
    def imports(self) -> tuple[Import, ...]:
        """Of all scopes, in order."""
        return tuple(sorted((i for s in self.scopes for i in s.imports), key=lambda i: i.line))


def _read(raw: dict[str, Any]) -> Scanned:
    if "error" in raw:
        line, message, text = raw["error"]
        return Scanned(error=(line, message, text))
    return Scanned(
        tuple(_scope(scope) for scope in raw["scopes"]),
        frozenset(raw["strings"]),
        frozenset(raw["constants"]),
        tuple(raw["dynamic"]),
        raw["metadata"],
        tuple(raw["exports"]),
        tuple((name, origin) for name, origin in raw["aliases"]),
        frozenset(raw["words"]),
    )


def _scope(raw: dict[str, Any]) -> Scope:
    imports = tuple(
        Import(line, level, module, None if names is None else tuple(names), Flag(flags), function)
        for line, level, module, names, flags, function in raw["imports"]
    )
    return Scope(
        tuple(raw["keys"]),
        imports,
        frozenset(raw["chains"]),
        frozenset(raw["codecs"]),
        raw["computed"],
        frozenset(raw["groups"]),
        frozenset(raw["computed_imports"]),
        frozenset(map(sys.intern, raw["names"].split())),
        raw["text"],
        tuple((line, name, now) for line, name, now in raw["calls"]),
    )


@dataclass
class Scanner:
    """A context manager around one process of the target interpreter. `words` is a regular expression: which
    identifiers are reported."""

    python: Interpreter
    words: str
    _process: subprocess.Popen[str] | None = None
    _identity: str = ""

    def __enter__(self) -> Scanner:
        program = [digest_file(file) for file in sorted((paths.TARGET / "scan").glob("*.py"))]
        self._identity = digest(self.python.version, str(self.python.executable), self.words, *program)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()

    def scan(self, path: Path, kind: Literal["main", "app", ""] = "") -> Scanned:
        """What a file says. `main` is the one that is run, `app` another one of the application."""
        stored = self._entry(path, kind)
        try:
            return _read(json.loads(stored.read_text()))
        except (OSError, ValueError, KeyError):
            said = self._ask(path, kind)
            cache.store(stored, json.dumps(said).encode())
            return _read(said)

    def native_names(self, path: Path, *, own: bool) -> frozenset[str]:
        """The identifiers among the constants of an ELF file: what compiled code may look up. `own`: it is CPython's;
        the compilers of other languages put strings together without an end, so that every word counts."""
        stored = self._entry(path, f"native {own}")
        try:
            return frozenset(stored.read_text().split())
        except OSError:
            precise = own and self.python.version >= (3, 11)
            content = elf.looked_up(path) if precise else elf.constants(path)
            pattern = rb"(?<=\0)[A-Za-z_]\w{1,60}(?=\0)" if own else rb"[A-Za-z_]\w{1,60}"
            names = {m.decode() for m in set(re.findall(pattern, content))}
            cache.store(stored, " ".join(sorted(names)).encode())
            return frozenset(names)

    def _entry(self, path: Path, kind: str) -> Path:
        stat = path.stat()
        return cache.entry("scan", digest(self._identity, str(path), stat.st_size, stat.st_mtime_ns, kind))

    def _ask(self, path: Path, kind: str) -> dict[str, Any]:
        if self._process is None:
            command = [str(self.python.executable), "-I", "-S", "-c", PROGRAM, str(paths.TARGET)]
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment(), encoding="utf-8"
            )
            self._send(json.dumps({"words": self.words}))
        self._send(json.dumps([kind, str(path)]))
        assert self._process.stdout is not None
        answer = self._process.stdout.readline()
        if not answer:
            raise UserError(f"{self.python.path} stopped while it read {path}.", code=ExitCode.INTERPRETER)
        said: dict[str, Any] = json.loads(answer)
        return said

    def _send(self, line: str) -> None:
        assert self._process is not None and self._process.stdin is not None
        try:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
        except BrokenPipeError as error:
            raise UserError(
                f"{self.python.path} stopped while it read the modules.", code=ExitCode.INTERPRETER
            ) from error
