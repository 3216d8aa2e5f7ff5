"""The table of modules finds what the usual finder finds, and steps aside where the program wants something else."""

import importlib
import importlib.util
import json  # noqa: F401 - a package, found by the table
import os
import sys
import tempfile
import textwrap  # a module
from importlib.machinery import PathFinder

for name in ("json", "json.decoder", "textwrap", "_json"):
    known = importlib.util.find_spec(name)
    path = sys.modules["json"].__path__ if "." in name else None
    usual = PathFinder.find_spec(name, path)
    assert known is not None and usual is not None, name
    for fact in ("name", "origin", "cached", "has_location", "submodule_search_locations"):
        assert getattr(known, fact) == getattr(usual, fact), (name, fact, getattr(known, fact), getattr(usual, fact))
    assert type(known.loader) is type(usual.loader), name
    assert known.loader.path == usual.loader.path, name

assert importlib.reload(textwrap) is textwrap
assert importlib.util.find_spec("no_such_module") is None

folder = tempfile.mkdtemp()
with open(os.path.join(folder, "statistics.py"), "w") as file:
    file.write("OURS = True\n")
with open(os.path.join(folder, "scanner.py"), "w") as file:
    file.write("OURS = True\n")

sys.path.append(folder)
assert importlib.util.find_spec("statistics").origin.startswith(sys.prefix), "what comes later in sys.path is later"
sys.path.insert(0, folder)
import statistics  # noqa: E402

assert statistics.OURS, "what the program puts in front comes first"
del sys.modules["json.scanner"]
sys.modules["json"].__path__.insert(0, folder)
assert importlib.import_module("json.scanner").OURS, "a package's __path__ counts"
