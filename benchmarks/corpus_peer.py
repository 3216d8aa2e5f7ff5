"""What PyInstaller chooses for a script of the corpus, in the same environment, counted as our own choice is.

`choose` lets PyInstaller build a folder with the program, runs it in a network of its own, and reads its tables;
`ours` counts the same things of our analysis. Both: modules (files only), and bytes of what was chosen as it lies in
the environment: sources of modules, extension modules, shared libraries, data files.
"""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

from unikit import cache
from unikit.analysis import imports, natives, source
from unikit.model import ModuleKind, digest

LIMIT = 900  # seconds
# a network of its own, where only the loopback interface is
ALONE = (
    "import os, subprocess, sys;"
    "subprocess.run(['ip', 'link', 'set', 'lo', 'up'], check=True);"
    "os.execv(sys.argv[1], sys.argv[1:])"
)


def tool(python: str) -> Path:
    """A folder with PyInstaller for that interpreter."""
    folder = cache.folder("corpus") / f"peer-{digest(python)[:12]}"
    if not (folder / "ready").exists():
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "-qq"]
        subprocess.run([*pip, "--target", str(folder), "pyinstaller"], check=True, timeout=LIMIT)
        (folder / "ready").touch()
    return folder


def choose(script: Path, python: Path, base: str) -> dict[str, Any]:
    """modules, bytes, shipped (bytes of the folder), seconds, status ("pass" or what failed)."""
    environment = {**os.environ, "PYTHONPATH": str(tool(base))}
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="unikit-peer-") as name:
        folder = Path(name)
        words = ["--noconfirm", "--onedir", "--log-level", "ERROR", "--distpath", f"{name}/dist"]
        words += ["--workpath", f"{name}/work", "--specpath", name, str(script)]
        try:
            done = subprocess.run(
                [str(python), "-m", "PyInstaller", *words], env=environment, capture_output=True, text=True,
                timeout=LIMIT,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return {"status": f"no end within {LIMIT} s"}
        if done.returncode:
            return {"status": f"build: {(done.stderr.strip().splitlines() or ['?'])[-1]}"}
        found = tables(folder / "work" / script.stem, folder / "dist" / script.stem)
        found["tool"] = next(tool(base).glob("pyinstaller-*.dist-info")).name.split("-")[1].removesuffix(".dist")
        found["seconds"] = round(time.monotonic() - start, 1)
        found["status"] = run(folder / "dist" / script.stem / script.stem)
    return found


def tables(work: Path, dist: Path) -> dict[str, Any]:
    modules, files = set[str](), set[str]()
    for table in ("PYZ-00.toc", "COLLECT-00.toc"):
        for row in rows(ast.literal_eval((work / table).read_text())):
            target, path, kind = row[:3]
            if kind in ("PYMODULE", "PYMODULE-1", "PYMODULE-2", "EXTENSION"):
                modules.add(target)
            if path and os.path.isfile(path) and not path.startswith(str(work)):
                files.add(os.path.realpath(path))
    library = next(dist.rglob("base_library.zip"))
    with zipfile.ZipFile(library) as archive:
        names = [n for n in archive.namelist() if n.endswith(".pyc")]
    stdlib = Path(os.path.realpath(os.__file__)).parent
    for base in names:
        modules.add(base.removesuffix(".pyc").removesuffix("/__init__").replace("/", "."))
        if (stdlib / base.removesuffix("c")).is_file():
            files.add(str(stdlib / base.removesuffix("c")))
    shipped = sum(f.lstat().st_size for f in dist.rglob("*") if f.is_file())
    return {"modules": len(modules), "bytes": sum(os.path.getsize(f) for f in files), "shipped": shipped}


def rows(value: Any) -> list[tuple[Any, ...]]:
    """The rows (name, path, kind, ...) anywhere in a table of PyInstaller's."""
    if isinstance(value, tuple) and len(value) >= 3 and all(isinstance(v, (str, type(None))) for v in value[:3]):
        return [value]
    return [row for part in value for row in rows(part)] if isinstance(value, (list, tuple)) else []


def run(program: Path) -> str:
    unshare = [shutil.which("unshare") or "unshare", "--net", sys.executable, "-c", ALONE, str(program)]
    try:
        done = subprocess.run(unshare, capture_output=True, text=True, timeout=LIMIT)
    except subprocess.TimeoutExpired:
        return f"no end within {LIMIT} s"
    return "pass" if not done.returncode else (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]


def ours(script: Path, python: Path) -> dict[str, Any]:
    """modules and bytes of our own choice."""
    found = natives.resolve(imports.analyse(source.load(str(script), str(python))))
    in_program = (ModuleKind.BUILTIN, ModuleKind.FROZEN)
    modules = [m for m in found.imports.modules if m.path and m.kind not in in_program]
    files = {m.path.resolve() for m in modules if m.path} | {f.host.resolve() for f in found.files}
    files |= {d.host.resolve() for d in found.imports.data}
    return {"modules": len(modules), "bytes": sum(f.stat().st_size for f in files)}
