"""Imports a module and says on the last line of standard output whether an object in it is a WSGI or an ASGI
application.

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
    is_async = inspect.iscoroutinefunction(call) or (inspect.isclass(found) and hasattr(found, "__await__"))
    sys.stdout.write("\n" + ("asgi" if is_async else "wsgi"))


main()
