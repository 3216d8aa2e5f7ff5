"""Compiled modules: .pyc files made by the target interpreter, remembered by the content of their source."""

from __future__ import annotations

import json
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path

from unikit import cache, paths
from unikit.analysis.interpreter import environment
from unikit.analysis.source import MODULES
from unikit.errors import ExitCode, UserError
from unikit.model import Interpreter, Start, digest, digest_file

WORKERS = 2


@dataclass(frozen=True)
class Unit:
    """A file to compile: `guest` is what tracebacks call it; `start` for the main module, with `finder`, the compiled
    file that tells of modules that were left out, if there is one."""

    source: Path
    guest: str
    start: Start | None = None
    finder: str = ""


@dataclass(frozen=True)
class Compiled:
    """Where the .pyc of each unit is; `failed` are those that do not compile (a package may hold templates of code)."""

    files: dict[Unit, Path]
    failed: dict[Unit, str]


def compile_all(python: Interpreter, units: list[Unit]) -> Compiled:
    """Compile what is not in the cache."""
    names = ("compile.py", "freeze_point.py", "one_process.py", "known_modules.py")
    programs = [digest_file(paths.TARGET / name) for name in names]
    compiler = digest(python.magic, python.version, programs)
    keys = {u: digest(compiler, digest_file(u.source), u.guest, u.start, u.finder) for u in units}
    files = {u: cache.entry("pyc", key, ".pyc") for u, key in keys.items()}
    todo = [u for u in units if not files[u].exists()]
    failed: dict[Unit, str] = {}
    shares = [share for i in range(WORKERS) if (share := todo[i::WORKERS])]
    for share, process in [(s, _begin(python, s, files)) for s in shares]:
        output, _ = process.communicate()
        lines = output.split("\n")
        if process.returncode or len(lines) <= len(share):
            raise UserError(f"{python.path} stopped while it compiled.", code=ExitCode.INTERPRETER)
        failed.update({u: line for u, line in zip(share, lines, strict=False) if line})
    return Compiled({u: f for u, f in files.items() if u not in failed}, failed)


def _begin(python: Interpreter, units: list[Unit], files: dict[Unit, Path]) -> subprocess.Popen[str]:
    jobs: list[dict[str, object]] = []
    for unit in units:
        job: dict[str, object] = {"source": str(unit.source), "output": str(files[unit]), "name": unit.guest}
        if unit.start is not None:
            start = {**asdict(unit.start), "paths": list(unit.start.paths), "finder": unit.finder}
            jobs.append({**job, "start": {**start, "folder": "/.unikit", "table": MODULES}})
        else:
            jobs.append(job)
    process = subprocess.Popen(
        [str(python.executable), "-s", "-S", str(paths.TARGET / "compile.py")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8",
        env={**environment(), "PYTHONHASHSEED": "0"},  # sets among the constants are written in the order of hashes
    )  # fmt: skip
    assert process.stdin is not None
    # the program reads everything before its answers can fill the pipe: they are short
    process.stdin.write("".join(json.dumps(j) + "\n" for j in jobs))
    process.stdin.flush()
    return process
