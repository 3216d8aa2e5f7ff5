"""The image of a test-suite: the interpreter, pytest and its plugins, the tests, and what they test, whole.

A program's image holds what the program reaches. Tests look further: they patch, they load by name, they read files
beside them. So here the project's folder is shipped as it is, and of every package that collecting the tests has
imported all modules. Folders keep the names that they have on this machine, so node ids and messages are the same in
the guest; only installed packages stand where the guest's interpreter looks for them.
"""

from __future__ import annotations

import ast
import importlib.metadata
import importlib.util
import json
import marshal
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from unikit import cache, paths, pipeline, settings
from unikit.analysis import interpreter
from unikit.analysis.finder import Finder
from unikit.errors import ExitCode, UserError
from unikit.hooks import stdlib
from unikit.model import AppFile, AppKind, Interpreter, Module, ModuleKind, Settings, Source, Start, digest

WORKER = paths.TARGET / "pytest_worker.py"
GUEST_WORKER = "/.unikit/pytest_worker.py"
GUEST_SETUP = "/.unikit/pytest_setup.json"  # what the worker is told where it collects before there is a channel
# Distributions whose work is on the host: this one, and what starts or watches processes.
HOST_ONLY = frozenset({"unikit", "pytest-xdist", "execnet", "pytest-cov", "coverage"})
HOST_ONLY_MODULES = frozenset({"unikit", "xdist", "execnet", "pytest_cov", "coverage"})
SKIPPED = frozenset({
    "__pycache__", "node_modules", "__pypackages__", ".git", ".hg", ".svn", ".tox", ".nox", ".venv", ".eggs", ".idea",
    ".pytest_cache", ".mypy_cache", ".ruff_cache", ".hypothesis", ".cache",
})  # fmt: skip
SKIPPED_AT_ROOT = frozenset({"build", "dist", "htmlcov", "site"})
MOST_BYTES = 512 << 20


@dataclass(frozen=True)
class Suite:
    """What a session of pytest on this machine found out."""

    root: Path  # pytest's rootdir
    tests: tuple[Path, ...]  # files with tests, and the conftest.py files
    modules: tuple[str, ...]  # names of what was imported to collect them
    search: tuple[Path, ...]  # sys.path
    rewrite: bool = True  # assertions are rewritten
    files: tuple[Path, ...] = ()  # further files and folders of this machine, which keep their names
    setup: str | None = None  # the worker's first message (JSON): it is frozen when it has collected


@dataclass(frozen=True)
class Request(pipeline.Request):
    """A build of a suite's image."""

    suite: Suite | None = None

    def load(self) -> Source:
        assert self.suite is not None
        return load(self.suite, self.python)


def request(suite: Suite) -> Request:
    return Request(f"tests of {suite.root}", sys.executable, freeze=suite.setup is not None, prune="safe", suite=suite)


def load(suite: Suite, python: str | None) -> Source:
    """The source stage. Raises UserError: INTERPRETER, CONFIGURATION (settings, a folder too large to ship)."""
    target = interpreter.probe(python)
    options, project = settings.read(suite.root)
    search = tuple(_search(suite, target))
    finder = Finder(target, search)
    files = {f.guest: f for f in _files(suite, finder, options)}
    if suite.rewrite:
        files.update({f.guest: f for f in _rewritten(suite, finder)})
    files.update({f.guest: f for f in _metadata(suite, target)})
    if suite.setup is not None:
        told = cache.entry("setups", digest(suite.setup), ".json")
        cache.store(told, suite.setup.encode())
        files[GUEST_SETUP] = AppFile(told, GUEST_SETUP)
    paths = tuple(guest for folder, guest in search if folder in suite.search)
    return Source(
        app=f"tests of {suite.root}",
        name=project or suite.root.name or "tests",
        kind=AppKind.PROJECT,
        root=suite.root,
        entry=WORKER,
        launcher="",
        served=None,
        needs=("pytest",),
        start=Start(GUEST_WORKER, "pytest", paths, led=True),
        files=tuple(files.values()),
        search=search,
        argv=(target.guest_program, "-X", "utf8", "/.unikit/main.pyc"),
        environment=options.environment,
        python=target,
        settings=replace(
            options,
            entry=None,
            sources="all",
            record=False,
            freeze=suite.setup is not None,
            warm=None,
            compress=None,
            include=tuple(_included(suite, finder, options)),
        ),
        loaded=tuple(_modules(suite)),
    )


def places(suite: Suite, python: str | None, tests: Iterable[Path]) -> dict[str, str]:
    """Where the files of tests are in the guest."""
    target = interpreter.probe(python)
    finder = Finder(target, tuple(_search(suite, target)))
    found = {str(test): finder.guest(test) for test in tests}
    return {test: place[0] if place else test for test, place in found.items()}


def _inside(path: Path, folders: Iterable[Path]) -> bool:
    return any(path.is_relative_to(folder) for folder in folders)


def _search(suite: Suite, target: Interpreter) -> Iterator[tuple[Path, str]]:
    """The folders of modules that are not the interpreter's: those of sys.path, and those of the tests. Where this
    package is on the path by itself (a checkout), it is no part of the suite."""
    own = {target.stdlib, target.dynload}
    outside = [folder for folder in target.site if not folder.is_relative_to(suite.root) or _is_site(folder)]
    folders = [f for f in suite.search if f.is_dir() and f != paths.ROOT] + [
        base for test in suite.tests for base in [_base(test)[0]]
    ]
    for folder in dict.fromkeys((*folders, suite.root)):
        if folder not in own and not _inside(folder, [*outside, target.stdlib]):
            yield folder, str(folder)


def _is_site(folder: Path) -> bool:
    return folder.name in ("site-packages", "dist-packages")


def _base(test: Path) -> tuple[Path, str]:
    """The folder from which a test file is imported, and its name as a module there (pytest's rootdir/conftest rule:
    the first folder upwards without an __init__.py)."""
    parts = [test.stem]
    folder = test.parent
    while (folder / "__init__.py").is_file() and folder.name.isidentifier():
        parts.insert(0, folder.name)
        folder = folder.parent
    return folder, ".".join(parts)


def _modules(suite: Suite) -> Iterator[Module]:
    """The tests as modules of the graph: of two that have one name, as conftest.py files have, each gets its own."""
    known: set[str] = set()
    for test in suite.tests:
        if test.suffix != ".py":
            continue
        _, name = _base(test)
        if name in known or "." not in name:
            name = str(test).replace(".", "_")
        known.add(name)
        yield Module(name, ModuleKind.SOURCE, test, "app")


def _included(suite: Suite, finder: Finder, options: Settings) -> Iterator[str]:
    """The standard library, and the packages that were imported, with everything below them."""
    yield from options.include
    for name in sorted(finder.python.stdlib_names):
        found = finder.find(name)
        if found and found.layer == "interpreter" and not stdlib.NOT_AT_A_PROMPT.fullmatch(name):
            yield f"{name}.*" if found.folders else name
    for name in sorted(_tops(suite)):
        found = finder.find(name)
        if found and found.layer != "interpreter":
            yield f"{name}.*" if found.folders else name


def _tops(suite: Suite) -> set[str]:
    """The top-level modules that were imported; what installs a project in its own place is no part of it."""
    tops = {name.partition(".")[0] for name in suite.modules} | {"pytest", "_pytest"}
    return {name for name in tops - HOST_ONLY_MODULES if not name.startswith("__editable__")}


# ---- files


def _files(suite: Suite, finder: Finder, options: Settings) -> Iterator[AppFile]:
    """The project's folder; of tests that lie elsewhere the whole package that they belong to; what was named."""
    folders = [*suite.files]
    for test in suite.tests:
        if not test.is_relative_to(suite.root) or _inside(test, filter(_is_site, finder.python.site)):
            base, name = _base(test)
            folders.append(base / name.partition(".")[0] if "." in name else test)
        else:
            folders.append(suite.root)
    total = 0
    for folder in dict.fromkeys(folders):
        for file in [folder] if folder.is_file() else _walk(folder, folder):
            if any(file.relative_to(suite.root).match(p) for p in options.exclude if file.is_relative_to(suite.root)):
                continue
            total += file.stat().st_size
            if total > MOST_BYTES:
                raise UserError(
                    f"{folder} holds more than {MOST_BYTES >> 20} MiB, too much for an image of its tests.",
                    code=ExitCode.CONFIGURATION,
                    hint="Name the project's own folder with --rootdir, or leave files out with `exclude` in "
                    "[tool.unikit].",
                )
            place = finder.guest(file)
            yield AppFile(file, place[0] if place else str(file))


def _walk(folder: Path, root: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            skipped = path.name in SKIPPED or (folder == root and path.name in SKIPPED_AT_ROOT)
            if not skipped and not path.name.endswith(".egg-info") and not (path / "pyvenv.cfg").exists():
                yield from _walk(path, root)
        elif path.is_file() and path.suffix not in (".pyc", ".img") and os.access(path, os.R_OK):
            yield path


def _metadata(suite: Suite, target: Interpreter) -> Iterator[AppFile]:
    """The metadata of the distributions whose packages are in: pytest finds plugins by it, packages their versions."""
    tops = _tops(suite)
    owners = importlib.metadata.packages_distributions()
    names = {name for top in tops for name in owners.get(top, ())}
    for distribution in importlib.metadata.distributions():
        name = distribution.metadata["Name"]
        folder = getattr(distribution, "_path", None)
        if not name or not isinstance(folder, Path) or name.lower().replace("_", "-") in HOST_ONLY:
            continue
        if name in names or _is_developed(distribution, suite.root):
            for file in [folder] if folder.is_file() else sorted(folder.iterdir()):
                if file.is_file():
                    below = file.relative_to(folder.parent).as_posix()
                    yield AppFile(file, f"{target.guest_site}/{below}")


def _is_developed(distribution: importlib.metadata.Distribution, root: Path) -> bool:
    """Whether a distribution is an editable installation of the project (PEP 610)."""
    text = distribution.read_text("direct_url.json")
    try:
        return bool(text) and str(json.loads(text or "")["url"]) == root.as_uri()
    except (ValueError, KeyError, TypeError):
        return False


# ---- rewritten assertions


def _rewritten(suite: Suite, finder: Finder) -> Iterator[AppFile]:
    """The tests compiled with pytest's rewritten assertions, where pytest looks for them in the guest: to do that there
    would take many times as long. What cannot be made here is made there."""
    try:
        from _pytest.assertion import rewrite
    except ImportError:
        return
    for test in suite.tests:
        place = finder.guest(test)
        guest = place[0] if place else str(test)
        if test.suffix != ".py" or not hasattr(rewrite, "PYC_TAIL"):
            continue
        content = test.read_bytes()
        key = digest("rewritten", rewrite.PYTEST_TAG, digest_bytes(content), guest, sys.hexversion)
        path = cache.entry("rewritten", key, ".pyc")
        if not path.is_file():
            try:
                cache.store(path, _header(rewrite, content) + marshal.dumps(_compile(rewrite, content, guest)))
            except Exception:  # pytest's insides may change, and a test may not compile: whoever imports it tells
                continue
        folder, _, name = guest.rpartition("/")
        yield AppFile(path, f"{folder}/__pycache__/{name.removesuffix('.py')}{rewrite.PYC_TAIL}")


def digest_bytes(content: bytes) -> str:
    import hashlib

    return hashlib.sha256(content).hexdigest()


def _compile(rewrite: Any, content: bytes, guest: str) -> Any:
    tree = ast.parse(content, guest)
    rewrite.rewrite_asserts(tree, content, guest)
    return compile(tree, guest, "exec", dont_inherit=True)


def _header(rewrite: Any, content: bytes) -> bytes:
    """What a .pyc of pytest begins with (PEP 552): a hash of the source, before pytest 9 its time and size. The files
    of an image have no time: 0."""
    if "source_hash" in rewrite._read_pyc.__code__.co_names:
        return importlib.util.MAGIC_NUMBER + b"\3\0\0\0" + importlib.util.source_hash(content)
    return importlib.util.MAGIC_NUMBER + bytes(8) + (len(content) & 0xFFFFFFFF).to_bytes(4, "little")
