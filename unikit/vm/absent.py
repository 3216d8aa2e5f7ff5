"""What to do about an application that ended because something is not in its image, read from its last words."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from encodings import aliases, normalize_encoding

INCLUDE = "add `include = [{0!r}]` below [tool.unikit] in its pyproject.toml"
MODULE = re.compile(r"^(?:\w+\.)*(?:ModuleNotFoundError|ImportError): No module named '([\w.]+)'(.*)$")
ENCODING = re.compile(r"^LookupError: unknown encoding: ([\w-]+)$")
FILE = re.compile(r"^(?:\w+\.)*(?:FileNotFoundError|NotADirectoryError): .*No such file or directory: '([^']+)'$")
TEMPLATE = re.compile(r"^(?:\w+\.)*TemplateNotFound: ([\w./-]+)$")
PACKAGES = re.compile(r"/usr/lib/python3\.\d+/.")
ZONE = re.compile(r"^(?:\w+\.)*ZoneInfoNotFoundError: ")


def advice(stderr: str, unused: Callable[[], Collection[str]] = tuple) -> str | None:
    """A sentence for the user, if the exception that ended the application tells of something that was left out.

    `stderr` is the end of what the application wrote to standard error; `unused` gives the files that are left out
    because a traced run did not use them, by their paths in the guest."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    if not lines or not any(line.startswith("Traceback ") for line in lines):
        return None
    last = lines[-1].strip("'\" ") if lines[-1].startswith(("'", '"')) else lines[-1]
    if match := MODULE.match(last):
        if match[2]:
            return None  # the message says it already
        return f"The module {match[1]} is not in the image: no import that unikit could see leads to it. If it is " + (
            f"installed, {INCLUDE.format(match[1])}."
        )
    if match := ENCODING.match(last):
        name = normalize_encoding(match[1]).lower()
        return f"The encoding {match[1]} is not in the image: " + (
            f"{INCLUDE.format('encodings.' + aliases.aliases.get(name, name))}."
        )
    if match := FILE.match(last):
        return _file(match[1], unused)
    if match := TEMPLATE.match(last):
        return f"The template {match[1]} is not in the image: {INCLUDE.format('templates')}, or where it is."
    if ZONE.match(last):
        return f"Time zones are not in the image: {INCLUDE.format('zoneinfo')}."
    return None


def included(path: str) -> str:
    """A file of the guest as `include` names it: the application's own by their places in its folder."""
    return path.removeprefix("/app/").removeprefix("./")


def _file(path: str, unused: Callable[[], Collection[str]]) -> str | None:
    """Relative names and those below /app are the application's own."""
    relative = included(path)
    if (path if path.startswith("/") else f"/app/{relative}") in unused():
        return (
            f"The file {path} is left out of this image: prune = traced, and the traced run did not use it; "
            f"{INCLUDE.format(relative)}, or trace again."
        )
    if PACKAGES.match(path):
        return f"The file {path} is not in the image: if its package has it where it is installed, " + (
            f"{INCLUDE.format(path)}."
        )
    if relative.startswith(("/", "..")):
        return None
    return f"The file {path} is not in the image: if it is one of the application's, {INCLUDE.format(relative)}."
