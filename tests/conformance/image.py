"""An image with the whole standard library and the interpreter's own `test` package, data files and all."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

from unikit import cache, pipeline, progress
from unikit.analysis import interpreter
from unikit.image import layout
from unikit.image.bytecode import Unit, compile_all
from unikit.image.image import Image
from unikit.model import FileKind, ImageFile, Interpreter
from unikit.vm import frozen

PROGRAM = Path(__file__).resolve().parent / "guest" / "__main__.py"
# Modules of the standard library that need a screen, or are no library.
LEFT_OUT = {"idlelib", "tkinter", "_tkinter", "turtle", "turtledemo", "antigravity", "this", "__phello__", "test"}
# Of the tests: for a screen, or for building CPython.
NOT_SHIPPED = {"__pycache__", "test_idle", "test_tkinter", "test_ttk", "test_peg_generator", "test_c_analyzer"}


def testsuite(python: Interpreter) -> Path:
    """The folder of the interpreter's `test` package; it must be whole."""
    folder = python.stdlib / "test"
    if not (folder / "test_os.py").is_file():
        package = f"libpython{python.short}-testsuite"
        raise SystemExit(f"error: {python.path} has no test package (Debian and Ubuntu: apt install {package})")
    return folder


def build(python: str, freeze: bool = False) -> Image:
    """The image that runs tests/conformance/guest; frozen, it is the memory of the program before it has a plan."""
    found = interpreter.probe(python)
    folder = cache.folder("conformance") / f"{'frozen' if freeze else 'app'}-{found.cache_tag}"
    folder.mkdir(exist_ok=True)
    shutil.copyfile(PROGRAM, folder / "__main__.py")
    (folder / "pyproject.toml").write_text(settings(found, freeze))
    build = pipeline.run(pipeline.Request(str(folder), python), progress.choose(quiet=True), "prune")
    build.values["prune"] = replace(build.pruned, files=with_tests(build.pruned.files, found))
    names = [stage.name for stage in pipeline.STAGES]
    for stage in pipeline.STAGES[names.index("prune") + 1 :]:
        build.values[stage.name] = stage.run(build)
    made: Image = build.values["image"]
    if not freeze:
        return made
    return frozen.make(made, build.source.settings.cpu_level, progress.choose(quiet=True), serves=False)


def settings(python: Interpreter, freeze: bool) -> str:
    """The whole standard library, with its sources: tests read them."""
    wanted = []
    for name in sorted(python.stdlib_names - LEFT_OUT):
        if (python.stdlib / name / "__init__.py").is_file():
            wanted.append(f"{name}.*")
        elif _there(python, name):
            wanted.append(name)
    beside = {file.name.partition(".")[0] for file in python.dynload.glob("_*test*.so")}
    wanted += sorted((beside | {"xxlimited", "xxlimited_35", "_xxsubinterpreters", "_xxtestfuzz"}) - set(wanted))
    wanted = [name for name in wanted if name.endswith(".*") or _there(python, name)]
    more = f'memory = "768M"\nfreeze = {str(freeze).lower()}\n'
    return f'[project]\nname = "conformance"\n[tool.unikit]\nsources = "all"\ninclude = {wanted!r}\n{more}'


def _there(python: Interpreter, name: str) -> bool:
    return name in python.builtins or (python.stdlib / f"{name}.py").is_file() or any(python.dynload.glob(f"{name}.*"))


def with_tests(files: tuple[ImageFile, ...], python: Interpreter) -> tuple[ImageFile, ...]:
    known = {file.path: file for file in files}
    for file in (*_tests(python), *_data(python)):
        known.setdefault(file.path, file)
    for path in list(known):
        for parent in PurePosixPath(path).parents:
            if str(parent) != "/":
                known.setdefault(str(parent), layout.folder(str(parent), layer="interpreter"))
    return tuple(sorted(known.values(), key=lambda file: PurePosixPath(file.path).parts))


def _tests(python: Interpreter) -> Iterator[ImageFile]:
    """The test package, and the tests that packages of the library bring (ctypes.test, unittest.test)."""
    roots = [testsuite(python), *sorted(f for name in ("test", "tests") for f in python.stdlib.glob(f"*/{name}"))]
    files = [
        f for root in roots for f in sorted(root.rglob("*")) if f.is_file() and not NOT_SHIPPED & {*f.parts, f.stem}
    ]
    # frozen modules are in the program; tests import them from their files as well
    files += [f for name in sorted(python.frozen) if (f := python.stdlib / f"{name.replace('.', '/')}.py").is_file()]
    units = {f: Unit(f, f"{python.guest_stdlib}/{f.relative_to(python.stdlib).as_posix()}") for f in files}
    compiled = compile_all(python, [unit for file, unit in units.items() if file.suffix == ".py"]).files
    for file, unit in units.items():
        yield ImageFile(unit.guest, FileKind.FILE, _mode(file), "interpreter", file)
        if unit in compiled:
            folder, _, name = unit.guest.rpartition("/")
            cached = f"{folder}/__pycache__/{name.removesuffix('.py')}.{python.cache_tag}.pyc"
            yield ImageFile(cached, FileKind.FILE, 0o644, "interpreter", compiled[unit])


def _data(python: Interpreter) -> Iterator[ImageFile]:
    """Data files of the standard library that only tests look at."""
    for folder in ("lib2to3", "ensurepip", "pydoc_data", "email"):
        for file in sorted((python.stdlib / folder).rglob("*")):
            if file.is_file() and file.suffix not in (".py", ".pyc", ".so"):
                name = f"{python.guest_stdlib}/{file.relative_to(python.stdlib).as_posix()}"
                yield ImageFile(name, FileKind.FILE, 0o644, "interpreter", file)


def _mode(file: Path) -> int:
    return 0o755 if file.stat().st_mode & 0o111 else 0o644
