"""`[tool.unikit]` of a pyproject.toml."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from unikit.errors import ExitCode, UserError
from unikit.image.pack import METHODS
from unikit.model import Settings

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

CPU_LEVELS = ("x86-64", "x86-64-v2", "x86-64-v2-AES", "x86-64-v3")  # the least first
UNITS = {"": 1, "m": 1, "mb": 1, "mib": 1, "g": 1024, "gb": 1024, "gib": 1024}


def read(folder: Path) -> tuple[Settings, str | None]:
    """The settings in `folder`/pyproject.toml and the project's name; defaults where there is no such file or table.

    Raises `UserError` (CONFIGURATION) for a file that is not TOML, an unknown key or a wrong value."""
    file = folder / "pyproject.toml"
    try:
        with file.open("rb") as stream:
            data = tomllib.load(stream)
    except (FileNotFoundError, NotADirectoryError):
        return Settings(), None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise UserError(f"{file} cannot be read: {error}", code=ExitCode.CONFIGURATION) from error
    project = data.get("project", {}).get("name")
    table = data.get("tool", {}).get("unikit", {})
    return parse(table, str(file)), project if isinstance(project, str) else None


def parse(table: Any, where: str) -> Settings:
    """Settings from the table as TOML gives it."""
    if not isinstance(table, Mapping):
        raise _wrong(where, "tool.unikit", "a table")
    unknown = sorted(set(table) - set(READERS))
    if unknown:
        raise UserError(
            f"{where}: [tool.unikit] has no key {unknown[0]!r}.",
            code=ExitCode.CONFIGURATION,
            hint=f"the keys are {', '.join(READERS)}",
        )
    values: dict[str, Any] = {}
    for key, value in table.items():
        expected, reader = READERS[key]
        try:
            values[key] = reader(value)
        except (TypeError, ValueError) as error:
            raise _wrong(where, f"tool.unikit.{key}", expected) from error
    return Settings(**values)


def memory(value: Any) -> int:
    """MiB from a number or a text such as "64M", "96 MiB", "1G"."""
    if type(value) is int:
        amount = value
    elif not isinstance(value, str):
        raise TypeError(value)
    else:
        match = re.fullmatch(r"\s*(\d+)\s*([a-z]*)\s*", value.lower())
        if match is None or match[2] not in UNITS:
            raise ValueError(value)
        amount = int(match[1]) * UNITS[match[2]]
    if amount <= 0:
        raise ValueError(value)
    return amount


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError(value)
    return value


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise TypeError(value)
    return tuple(_text(v) for v in value)


def _environment(value: Any) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, Mapping) or any("=" in k or not k or "\0" in k for k in value):
        raise TypeError(value)
    if not all(isinstance(v, (str, int)) and not isinstance(v, bool) for v in value.values()):
        raise TypeError(value)
    return tuple((k, str(v)) for k, v in value.items())


def _ports(value: Any) -> tuple[int, ...]:
    if not isinstance(value, list) or not all(type(v) is int and 0 < v < 65536 for v in value):
        raise TypeError(value)
    return tuple(value)


def _choice(*choices: str) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if value not in choices:
            raise ValueError(value)
        return str(value)

    return read


def _compression(value: Any) -> str | None:
    """How the image is compressed; true is the usual way, the first."""
    if isinstance(value, bool):
        return METHODS[0] if value else None
    return _choice(*METHODS)(value)


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(value)
    return value


READERS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "entry": ("a script, a module or module:attribute", _text),
    "include": ("a list of modules and of patterns of files", _texts),
    "exclude": ("a list of modules and of patterns of files", _texts),
    "environment": ("a table of texts", _environment),
    "memory": ('an amount such as "64M"', memory),
    "ports": ("a list of port numbers", _ports),
    "interface": ('"wsgi" or "asgi"', _choice("wsgi", "asgi")),
    "server": ("the name of a server", _text),
    "sources": ('"app", "all" or "none"', _choice("app", "all", "none")),
    "record": ("true or false", _truth),
    "prune": ('"none", "safe" or "traced"', _choice("none", "safe", "traced")),
    "writable_code": ("true or false", _truth),
    "freeze": ("true or false", _truth),
    "warm": ("a command", _text),
    "cpu_level": (f"one of {', '.join(CPU_LEVELS)}", _choice(*CPU_LEVELS)),
    "compress": ('true, false, "zstd" or "lz4"', _compression),
}


def _wrong(where: str, key: str, expected: str) -> UserError:
    return UserError(f"{where}: {key} should be {expected}.", code=ExitCode.CONFIGURATION)
