"""What Python files import, as the target interpreter's own parser sees it (`target/scan.py`), remembered between
builds."""

from __future__ import annotations

import enum
import json
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from unikit import cache
from unikit.errors import ExitCode, UserError
from unikit.interpreter import TARGET, environment
from unikit.model import Interpreter, digest, digest_file


class Flag(enum.IntFlag):
    """How an import is reached; the numbers are those of `target/scan.py`."""

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
class Scanned:
    """What one file says; see `target/scan.py` for the fields."""

    imports: tuple[Import, ...] = ()
    chains: frozenset[str] = frozenset()
    strings: frozenset[str] = frozenset()
    codecs: frozenset[str] = frozenset()
    constants: frozenset[str] = frozenset()
    computed: bool = False
    dynamic: tuple[int, ...] = ()
    groups: frozenset[str] = frozenset()
    metadata: bool = False
    exports: tuple[str, ...] = ()
    words: frozenset[str] = frozenset()
    error: tuple[int, str, str] | None = None


def _read(raw: dict[str, Any]) -> Scanned:
    if "error" in raw:
        line, message, text = raw["error"]
        return Scanned(error=(line, message, text))
    imports = tuple(
        Import(line, level, module, None if names is None else tuple(names), Flag(flags), function)
        for line, level, module, names, flags, function in raw["imports"]
    )
    return Scanned(
        imports,
        frozenset(raw["chains"]),
        frozenset(raw["strings"]),
        frozenset(raw["codecs"]),
        frozenset(raw["constants"]),
        raw["computed"],
        tuple(raw["dynamic"]),
        frozenset(raw["groups"]),
        raw["metadata"],
        tuple(raw["exports"]),
        frozenset(raw["words"]),
    )


@dataclass
class Scanner:
    """A context manager around one process of the target interpreter. `words` is a regular expression: which
    identifiers are reported."""

    python: Interpreter
    words: str
    _known: dict[str, dict[str, Any]] = field(default_factory=dict)
    _process: subprocess.Popen[str] | None = None
    _dirty: bool = False

    def __enter__(self) -> Scanner:
        identity = digest(self.python.version, str(self.python.executable), self.words, digest_file(TARGET / "scan.py"))
        self._store = cache.entry("scan", identity, ".json")
        try:
            self._known = json.loads(self._store.read_text())
        except (OSError, ValueError):
            self._known = {}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
        if self._dirty and kind is None:
            cache.store(self._store, json.dumps(self._known).encode())

    def scan(self, path: Path, kind: Literal["main", "app", ""] = "") -> Scanned:
        """What a file says. `main` is the one that is run, `app` another one of the application."""
        stat = path.stat()
        key = f"{path}\0{stat.st_size}\0{stat.st_mtime_ns}\0{kind}"
        if key not in self._known:
            self._known[key] = self._ask(path, kind)
            self._dirty = True
        return _read(self._known[key])

    def _ask(self, path: Path, kind: str) -> dict[str, Any]:
        if self._process is None:
            command = [str(self.python.executable), "-I", "-S", str(TARGET / "scan.py")]
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
