"""Runs in the guest, at the first import that everything else has failed to find: says whether the module was left out
of the image, by which rule, and how to keep it. `finder` is the object in sys.meta_path that asked for this.

It is compiled as a part of importlib, so that tracebacks do not show it. It imports nothing that may be left out
(`__future__` is a module too)."""

import sys


def find_spec(name: str, path: object = None, target: object = None) -> None:
    """None for `importlib.util.find_spec`, which only asks; an exception that tells for an import."""
    frame = sys._getframe(2)
    if frame.f_code.co_name != "_find_and_load_unlocked":
        return
    try:
        with open("/.unikit/left_out", encoding="utf-8") as file:
            text = "\n" + file.read()
    except OSError:
        return
    at = text.find(f"\n{name}\n")
    if at < 0:
        return
    start = text.rindex("\n# ", 0, at + 1) + 3
    told = text[start : text.index("\n", start)].replace("{name}", name)
    error: type[ImportError] = ModuleNotFoundError
    for _ in range(5):
        if frame.f_back is None:
            break
        frame = frame.f_back
        if frame.f_code.co_name == "_handle_fromlist":
            error = ImportError  # it takes a module that is not found for an attribute that is not there
    raise error(f"No module named {name!r} ({told})", name=name)


finder = globals()["finder"]
type(finder).find_spec = staticmethod(find_spec)
