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
NO_COLUMNS = ("-X", "no_debug_ranges")  # interpreters that know no columns take no notice of it


@dataclass(frozen=True)
class Unit:
    """A file to compile: `guest` is what tracebacks call it; `start` for the main module, with `finder`, the compiled
    file that tells of modules that were left out, if there is one. `columns`: with the columns of each instruction
    (PEP 657), by which tracebacks mark a part of the line that they show; where no source is, they show none."""

    source: Path
    guest: str
    start: Start | None = None
    finder: str = ""
    columns: bool = True


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
    keys = {u: digest(compiler, digest_file(u.source), u.guest, u.start, u.finder, u.columns) for u in units}
    files = {u: cache.entry("pyc", key, ".pyc") for u, key in keys.items()}
    todo = [u for u in units if not files[u].exists()]
    failed: dict[Unit, str] = {}
    alike = ([u for u in todo if u.columns], [u for u in todo if not u.columns])
    shares = [share for group in alike for i in range(WORKERS) if (share := group[i::WORKERS])]
    for share, process in [(s, _begin(python, s, files)) for s in shares]:
        output, _ = process.communicate()
        lines = output.split("\n")
        if process.returncode or len(lines) <= len(share):
            raise UserError(f"{python.path} stopped while it compiled.", code=ExitCode.INTERPRETER)
        failed.update({u: line for u, line in zip(share, lines, strict=False) if line})
    return Compiled({u: f for u, f in files.items() if u not in failed}, failed)


def _begin(python: Interpreter, units: list[Unit], files: dict[Unit, Path]) -> subprocess.Popen[str]:
    """Start to compile units that are alike in `columns`, which the interpreter knows for all or none."""
    jobs: list[dict[str, object]] = []
    for unit in units:
        job: dict[str, object] = {"source": str(unit.source), "output": str(files[unit]), "name": unit.guest}
        if unit.start is not None:
            start = {**asdict(unit.start), "paths": list(unit.start.paths), "finder": unit.finder}
            jobs.append({**job, "start": {**start, "folder": "/.unikit", "table": MODULES}})
        else:
            jobs.append(job)
    options = () if units[0].columns else NO_COLUMNS
    process = subprocess.Popen(
        [str(python.executable), "-s", "-S", *options, str(paths.TARGET / "compile.py")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8",
        env={**environment(), "PYTHONHASHSEED": "0"},  # sets among the constants are written in the order of hashes
    )  # fmt: skip
    assert process.stdin is not None
    # the program reads everything before its answers can fill the pipe: they are short
    process.stdin.write("".join(json.dumps(j) + "\n" for j in jobs))
    process.stdin.flush()
    return process
