"""Imports a module and says on the last line of standard output what an object in it is: wsgi, asgi, or a function
without parameters.

Standard input: JSON [folders for sys.path, module, attribute, whether to call it first]."""

from __future__ import annotations

import importlib
import inspect
import json
import sys
from typing import Any


def main() -> None:
    folders, module, attribute, factory = json.load(sys.stdin)
    sys.path[:1] = folders
    found: Any = importlib.import_module(module)
    for part in attribute.split("."):
        found = getattr(found, part)
    if factory:
        found = found()
    if not callable(found):
        sys.exit(f"{module}:{attribute} is not callable")
    call = found if inspect.isfunction(found) or inspect.ismethod(found) else type(found).__call__
    if inspect.isfunction(found) and not any(
        p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
        for p in inspect.signature(found).parameters.values()
    ):
        sys.stdout.write("\nfunction")
        return
    is_async = inspect.iscoroutinefunction(call) or (inspect.isclass(found) and hasattr(found, "__await__"))
    sys.stdout.write("\n" + ("asgi" if is_async else "wsgi"))


main()
