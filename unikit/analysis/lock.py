"""The lock file: what traced runs of the applications in a folder used, a table an application.

It is TOML, sorted, a name a line, so that a difference between two versions can be read. `unikit build --trace` writes
it; it is committed beside the application."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from unikit import cache
from unikit.analysis.finder import Finder
from unikit.analysis.source import LOCK as NAME
from unikit.errors import ExitCode, UserError
from unikit.model import AppKind, Source

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FORMAT = 1
HEAD = """# What traced runs of the applications in this folder used: `unikit build --trace COMMAND APP` writes it.
format = 1
"""


@dataclass(frozen=True)
class Lock:
    """What one application used. Files are guest paths of data files and libraries, calls names of system calls."""

    entry: str
    python: str  # 3.11
    commands: tuple[str, ...]
    modules: tuple[str, ...]
    files: tuple[str, ...]
    calls: tuple[str, ...]


def path(source: Source) -> Path:
    """Beside the application: in its folder, or in that of the script."""
    folder = source.entry.parent if source.kind is AppKind.PACKAGE and source.entry else source.root
    return folder / NAME


def entry(source: Source) -> str:
    return source.served or (source.entry.name if source.entry else source.name)


def hint(source: Source) -> str:
    return f'trace the application: unikit build --trace "COMMAND" {source.app}'


def read(file: Path) -> dict[str, Lock]:
    """The tables of a lock file by the applications' names; none where there is no file.

    Raises UserError (LOCK) for a file that is damaged or too new."""
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise _damaged(file, str(error)) from error
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _damaged(file, str(error)) from error
    version = data.pop("format", None)
    if type(version) is not int:
        raise _damaged(file, "it names no format")
    if version > FORMAT:
        raise UserError(
            f"{file} has format {version}; this unikit knows up to {FORMAT}.",
            code=ExitCode.LOCK,
            hint="take a newer unikit, or trace again",
        )
    return {name: _table(file, name, table) for name, table in data.items()}


def _table(file: Path, name: str, table: Any) -> Lock:
    values: dict[str, Any] = {}
    for field in fields(Lock):
        value = table.get(field.name) if isinstance(table, dict) else None
        texts = isinstance(value, list) and all(isinstance(item, str) for item in value)
        if not (isinstance(value, str) if field.type == "str" else texts):
            raise _damaged(file, f"{field.name} of [{name}] is missing or wrong")
        values[field.name] = tuple(value) if isinstance(value, list) else value
    return Lock(**values)


def _damaged(file: Path, what: str) -> UserError:
    return UserError(
        f"The lock file {file} cannot be used: {what}.",
        code=ExitCode.LOCK,
        hint="take it back from version control, or delete it and trace again",
    )


def write(source: Source, lock: Lock) -> Path:
    """Put an application's table into the file beside it; the others' stay. Raises UserError (LOCK, USAGE)."""
    file = path(source)
    tables = {**read(file), source.name: lock}
    try:
        cache.store(file, dump(tables).encode())
    except OSError as error:
        raise UserError(f"{file} cannot be written: {error.strerror}.", code=ExitCode.USAGE) from error
    return file


def dump(tables: dict[str, Lock]) -> str:
    """The file's text."""
    parts = [HEAD]
    for name in sorted(tables):
        lines = [f"[{json.dumps(name) if not name.replace('-', '').isalnum() else name}]"]
        for field in sorted(f.name for f in fields(Lock)):
            value = getattr(tables[name], field)
            if isinstance(value, str):
                lines.append(f"{field} = {_text(value)}")
            else:
                items = value if field == "commands" else sorted(set(value))
                lines += [f"{field} = [", *(f"    {_text(item)}," for item in items), "]"]
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def _text(value: str) -> str:
    """A basic string: JSON's escapes are TOML's, but for DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def find(source: Source) -> Lock | None:
    """The application's lock if there is one. Raises UserError (LOCK) if it belongs to something else."""
    file = path(source)
    found = read(file).get(source.name)
    if found is not None and found.entry != entry(source):
        raise UserError(
            f"{file} was made for {source.name} with the entry {found.entry}; now it is {entry(source)}.",
            code=ExitCode.LOCK,
            hint=hint(source),
        )
    if found is not None and found.python != source.python.short:
        raise UserError(
            f"{file} was traced with Python {found.python}; this build takes {source.python.short}.",
            code=ExitCode.LOCK,
            hint=f"{hint(source)}; or name an interpreter {found.python} with --python",
        )
    return found


def require(source: Source) -> Lock:
    """The application's lock. Raises UserError (LOCK) where there is none that fits."""
    found = find(source)
    if found is None:
        file = path(source)
        others = ", ".join(sorted(read(file)))
        what = f"{file} knows only {others}" if others else f"There is no {file}"
        raise UserError(f"{what}: what {source.name} uses is not known.", code=ExitCode.LOCK, hint=hint(source))
    if gone := vanished(source, found):
        raise outdated(source, gone)
    return found


def usable(source: Source, warnings: list[str]) -> Lock | None:
    """The application's lock where it is only a help: one that does not fit is warned of and passed over, what it names
    that is no longer there is warned of as well."""
    try:
        found = find(source)
    except UserError as error:
        warnings.append(f"{error.message} It is not used; {error.hint}")
        return None
    gone = vanished(source, found) if found else []
    warnings += [f"{path(source)} names {name}, which is no longer there" for name in gone]
    return found


def outdated(source: Source, gone: list[str]) -> UserError:
    """The error for modules that were traced and are not there."""
    more = f" and {len(gone) - 3} more" if len(gone) > 3 else ""
    return UserError(
        f"{path(source)} names modules that are no longer there: {', '.join(gone[:3])}{more}.",
        code=ExitCode.LOCK,
        hint=hint(source),
    )


def vanished(source: Source, lock: Lock) -> list[str]:
    """Modules of the lock that the interpreter no longer finds."""
    finder = Finder(source.python, source.search)
    return [name for name in lock.modules if finder.find(name) is None]


def of(source: Source, commands: Iterable[str], files: Iterable[str], calls: Iterable[str]) -> Lock:
    """From what a guest said it used: the compiled modules among the files become modules, what the image always
    holds (/etc, /.unikit) is left out."""
    finder = Finder(source.python, source.search)
    modules, others = set(), set()
    for file in files:
        name = module_of(file, finder)
        if name is not None and finder.find(name) is not None:
            modules.add(name)
        elif not file.startswith(("/.unikit/", "/etc/")) and file != source.start.guest:
            others.add(file)
    return Lock(
        entry(source), source.python.short, tuple(commands), tuple(sorted(modules)), tuple(sorted(others)),
        tuple(sorted(set(calls))),
    )  # fmt: skip


def module_of(guest: str, finder: Finder) -> str | None:
    """The name of the module behind a file of the guest, None for a file that is none."""
    roots = sorted({root for _, root, _ in finder.roots}, key=len, reverse=True)
    root = next((r for r in roots if guest.startswith(f"{r}/")), None)
    if root is None:
        return None
    *folders, name = guest[len(root) + 1 :].split("/")
    if folders and folders[-1] == "__pycache__":
        folders.pop()
        name = name.replace(f".{finder.python.cache_tag}.pyc", ".pyc")
    stem = next((name.removesuffix(s) for s in (*finder.python.suffixes, ".pyc", ".py") if name.endswith(s)), None)
    if stem is None or "." in stem:
        return None
    parts = folders if stem == "__init__" else [*folders, stem]
    return ".".join(parts) or None
