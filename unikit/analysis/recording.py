"""A recorded run: the packages that the application imports are imported once by the target interpreter, to learn of
the imports that reading does not show. The application's own modules are not run: importing them may start it."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from dataclasses import dataclass
from typing import Any

from unikit import cache, paths
from unikit.analysis.guesses import TESTS
from unikit.analysis.interpreter import environment
from unikit.analysis.walk import Walk
from unikit.hooks import packages
from unikit.model import Edge, EdgeKind, Module, ModuleKind, digest, digest_file

DEADLINE = 60  # seconds for all imports together


@dataclass(frozen=True)
class Record:
    """What was seen: (module, importing module, FILE:LINE), and every module that was loaded."""

    events: tuple[tuple[str, str, str], ...] = ()
    loaded: frozenset[str] = frozenset()
    error: str = ""


def record(walk: Walk) -> Record:
    """Import what the application's modules import of packages at their top level. Nothing to import, nothing is
    run."""
    wanted = _wanted(walk)
    if not wanted:
        return Record()
    known = cache.entry("recorded", _identity(walk, wanted), ".json")
    try:
        said = json.loads(known.read_text())
    except (OSError, ValueError):
        said = _run(walk, wanted)
        if isinstance(said, str):
            return Record(error=said)
        cache.store(known, json.dumps(said).encode())
    events = tuple((name, importer or "", f"{file}:{line}") for name, importer, file, line in said["events"])
    return Record(events, frozenset(said["loaded"]))


def _identity(walk: Walk, wanted: list[str]) -> str:
    """What a run depends on: the interpreter, its folders of packages, and the files of the modules that reading has
    found in them."""
    python = walk.source.python
    files = {str(m.path) for m in walk.loaded() if m.path and m.layer == "dependencies"}
    files |= {str(python.executable), *map(str, python.site)}
    states = [[name, status.st_size, status.st_mtime_ns] for name in sorted(files) for status in [os.stat(name)]]
    return digest("record 1", digest_file(paths.TARGET / "record.py"), str(python.path), wanted, states)


def _run(walk: Walk, wanted: list[str]) -> dict[str, Any] | str:
    """What the recorder says, or what went wrong."""
    python = walk.source.python.path
    with tempfile.TemporaryDirectory(prefix="unikit-") as folder:
        try:
            done = subprocess.run(
                [str(python), str(paths.TARGET / "record.py")], input=json.dumps(wanted), capture_output=True,
                text=True, timeout=DEADLINE, env={**environment(), "HOME": folder}, cwd=folder,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            slow = f"importing {', '.join(wanted)} took more than {DEADLINE} s"
            return f"{slow}: computed imports may be missed"
    try:
        said: dict[str, Any] = json.loads(done.stdout.rpartition("\n")[2])
    except ValueError:
        last = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        return f"importing {', '.join(wanted)} failed ({last}): computed imports may be missed"
    return said


def add(walk: Walk, record: Record) -> None:
    """Add to the graph what only the run has shown."""
    importers = {m.name: m for m in walk.loaded()}
    for name, importer, where in record.events:
        module = importers.get(importer)
        if module is None or walk.has(name) or TESTS.search(name):
            continue
        if module.layer == "interpreter" and name.partition(".")[0] in walk.source.python.stdlib_names:
            continue  # the standard library is read well enough; what it tries and can do without stays out
        if walk.finder.find(name) is not None:
            found = walk.want(module, name, Edge(EdgeKind.IMPORTS, True, False, "recorded", (where,)))
            if found is not None:
                importers[found.name] = found


def _wanted(walk: Walk) -> list[str]:
    """The packages that the application is certain to import, and the modules in them that it uses."""
    names, used = set[str](), set[str]()
    for start, end, data in walk.graph.edges(data=True):
        edge: Edge = data["edge"]
        importer, target = walk.graph.nodes[start]["node"], walk.graph.nodes[end]["node"]
        if edge.kind is not EdgeKind.IMPORTS or edge.origin != "static":
            continue
        if isinstance(importer, Module) and isinstance(target, Module) and importer.layer == "app":
            development = target.name.partition(".")[0] in packages.DEVELOPMENT
            if target.layer == "dependencies" and target.kind is not ModuleKind.NAMESPACE and not development:
                (used if edge.conditional or edge.lazy else names).add(target.name)
    tops = {name.partition(".")[0] for name in names}
    return sorted(names | {name for name in used if "." in name and name.partition(".")[0] in tops})
