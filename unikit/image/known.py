"""The table of the image's modules, by which the guest finds them (`target/known_modules.py`)."""

from __future__ import annotations

import marshal
from collections.abc import Mapping

from unikit.analysis.source import MODULES
from unikit.image import layout
from unikit.model import ImageFile, Interpreter

VERSION = 2  # of marshal's format: the same in every Python, and the same bytes for equal values


def table(python: Interpreter, files: Mapping[str, str]) -> ImageFile:
    """`files`: module name to file in the guest. A file has the name by which the interpreter's own search would come
    to it."""
    site, searched = f"{python.guest_site}/", f"{layout.searched_site(python)}/"
    named = {n: searched + f.removeprefix(site) if f.startswith(site) else f for n, f in sorted(files.items())}
    return layout.text(MODULES, marshal.dumps(named, VERSION), "app")
