"""The first stage: what APP names, and how the guest starts it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from unikit import settings
from unikit.analysis import interpreter, serving
from unikit.errors import ExitCode, UserError
from unikit.model import AppFile, AppKind, Interpreter, Module, Settings, Source, Start

GUEST_APP = "/app"
MAIN = "/.unikit/main.pyc"
LOCK = "unikit.lock"  # beside the application (lock.py)
MODULES = "/.unikit/modules"  # where the guest finds its modules
FORMS = "APP is a script, a folder with a __main__.py or a pyproject.toml, or module:attribute"

# never part of an application: version control, environments, caches, build output
SKIPPED_FOLDERS = {
    "__pycache__", "node_modules", "venv", "env", "build", "dist", "htmlcov", "site-packages", "__pypackages__",
}  # fmt: skip
SKIPPED_SUFFIXES = {".pyc", ".pyo", ".py", ".pyi", ".img", ".unikit", ".qcow2", ".swp"}


@dataclass(frozen=True)
class _Entry:
    """What is run, before the interpreter is known."""

    kind: AppKind
    root: Path
    file: Path | None = None
    module: str | None = None  # for `-m`
    served: str | None = None


def load(app: str, python: str | None = None, *, freeze: bool | None = None, cpu_level: str | None = None) -> Source:
    """Look at APP and its settings.

    Raises `UserError`: NO_SUCH_APP, CONFIGURATION, INTERPRETER, SYNTAX (of the file that holds a served object),
    MODULE_NOT_FOUND (a served application without a server)."""
    path = Path(app).expanduser()
    if path.exists():
        path = path.resolve()
        folder = path if path.is_dir() else path.parent
        options, project = settings.read(folder)
        entry = _of_folder(path, options) if path.is_dir() else _Entry(AppKind.SCRIPT, folder, file=_readable(path))
        name = project if path.is_dir() and project else path.stem
    elif ":" in app and "/" not in app:
        root = Path.cwd()
        options, _ = settings.read(root)
        entry = _Entry(AppKind.WSGI, root, served=app)
        name = app.partition(":")[0]
    else:
        hint = f"for a module of the current folder write {app}:ATTRIBUTE" if _is_module(app) else FORMS
        raise UserError(f"There is no {app}.", code=ExitCode.NO_SUCH_APP, hint=hint)
    if freeze is not None:
        options = replace(options, freeze=freeze)
    if cpu_level is not None:
        options = replace(options, cpu_level=cpu_level)
    return _assemble(app, _slug(name), entry, options, interpreter.probe(python))


def _of_folder(folder: Path, options: Settings) -> _Entry:
    """The entry of a package or project folder."""
    if options.entry:
        return _named_entry(folder, options.entry)
    main = folder / "__main__.py"
    if main.is_file():
        if (folder / "__init__.py").is_file():
            return _Entry(AppKind.PACKAGE, folder.parent, file=main, module=f"{folder.name}.__main__")
        return _Entry(AppKind.PROJECT, folder, file=main)
    raise UserError(
        f"{folder} has no __main__.py and no entry in its pyproject.toml.",
        code=ExitCode.NO_SUCH_APP,
        hint='add `entry = "main.py"` (or a module, or module:attribute) below [tool.unikit]',
    )


def _named_entry(folder: Path, entry: str) -> _Entry:
    """`entry` of a project: a file, a module or module:attribute."""
    if ":" in entry:
        return _Entry(AppKind.WSGI, folder, served=entry)
    if (folder / entry).is_file():
        return _Entry(AppKind.PROJECT, folder, file=(folder / entry).resolve())
    if _is_module(entry):
        for base in _search_folders(folder):
            place = base.joinpath(*entry.split("."))
            if (place / "__main__.py").is_file():
                return _Entry(AppKind.PROJECT, folder, file=place / "__main__.py", module=f"{entry}.__main__")
            if place.with_suffix(".py").is_file():
                return _Entry(AppKind.PROJECT, folder, file=place.with_suffix(".py"), module=entry)
    raise UserError(f"The entry {entry!r} of {folder} is not there.", code=ExitCode.NO_SUCH_APP)


def _search_folders(root: Path) -> tuple[Path, ...]:
    """Where a project's modules are: the folder itself, and `src` where that is laid out so."""
    source = root / "src"
    return (root, source) if source.is_dir() and not (source / "__init__.py").exists() else (root,)


def _assemble(app: str, name: str, entry: _Entry, options: Settings, python: Interpreter) -> Source:
    folders = _search_folders(entry.root) if entry.kind is not AppKind.SCRIPT else (entry.root,)
    search = tuple((f, _guest(f, entry.root)) for f in folders)
    launcher, kind = "", entry.kind
    needs, loaded = tuple[str, ...](), tuple[Module, ...]()
    if entry.served:
        plan = serving.plan(entry.served, folders, python, options)
        launcher, needs, loaded, kind = plan.program, plan.needs, plan.loaded, plan.kind
    if entry.file is None:
        start = Start(f"{GUEST_APP}/__serve__.py", GUEST_APP, tuple(g for _, g in search))
    else:
        start = _start(entry, entry.file, search)
    whole = entry.kind is AppKind.PROJECT or (entry.served and (entry.root / "pyproject.toml").is_file())
    data = tuple(_data_files(entry.root, options)) if whole else ()
    if entry.kind is AppKind.PACKAGE:
        package = entry.file.parent if entry.file else entry.root
        data = tuple(replace(f, guest=_guest(f.host, entry.root)) for f in _data_files(package, options))
    return Source(
        app=app,
        name=name,
        kind=kind,
        root=entry.root,
        entry=entry.file,
        launcher=launcher,
        served=entry.served,
        needs=needs,
        start=start,
        files=data,
        search=search,
        argv=(python.guest_program, "-X", "utf8", MAIN),
        environment=options.environment,
        python=python,
        settings=options,
        loaded=loaded,
    )


def _start(entry: _Entry, file: Path, search: tuple[tuple[Path, str], ...]) -> Start:
    guest = _guest(file, entry.root)
    if entry.module:
        return Start(guest, guest, tuple(g for _, g in search), entry.module)
    first = guest.rpartition("/")[0]
    argv0 = first if file.name == "__main__.py" else guest
    return Start(guest, argv0, (first, *(g for _, g in search if g != first and g != GUEST_APP)))


def _guest(path: Path, root: Path) -> str:
    relative = path.relative_to(root).as_posix()
    return GUEST_APP if relative == "." else f"{GUEST_APP}/{relative}"


def _data_files(root: Path, options: Settings) -> Iterator[AppFile]:
    """The files below a project's folder that are not Python modules: templates, static files, schemas."""
    for file in walk(root):
        relative = file.relative_to(root)
        if (
            file.name != LOCK
            and file.suffix not in SKIPPED_SUFFIXES
            and not any(relative.match(p) for p in options.exclude if not _is_module(p))
        ):
            yield AppFile(file, _guest(file, root))


def walk(folder: Path) -> Iterator[Path]:
    """The files below a folder in a fixed order; hidden ones, environments, caches and build output are passed over."""
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.name.endswith((".egg-info", ".dist-info")):
            continue
        if path.is_dir():
            if path.name not in SKIPPED_FOLDERS and not (path / "pyvenv.cfg").exists():
                yield from walk(path)
        elif path.is_file():
            yield path


def _readable(path: Path) -> Path:
    if not path.is_file():
        raise UserError(f"{path} is neither a file nor a folder.", code=ExitCode.NO_SUCH_APP, hint=FORMS)
    with path.open("rb") as file:
        head = file.read(4)
    if head == b"\x7fELF" or path.suffix in (".so", ".pyc", ".whl", ".zip"):
        raise UserError(f"{path} is not Python source.", code=ExitCode.NO_SUCH_APP, hint=FORMS)
    return path


def _is_module(name: str) -> bool:
    return all(part.isidentifier() for part in name.split("."))


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "app"
