"""Imports modules and says which further modules that brought in, and where from.

Standard input: JSON list of module names. Standard output, last line: JSON {"events": [[name, importing module,
file, line]], "failed": [[name, error]]}. The first entry of sys.meta_path sees every search for a module, whoever
starts it; what a module puts into sys.modules by itself is found by comparing before and after."""

from __future__ import annotations

import json
import os
import sys
from types import FrameType

sys.path.pop(0)
EVENTS: list[list[object]] = []
OWN = ("importlib._bootstrap", "importlib._bootstrap_external", "importlib", __name__)


class Recorder:
    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> None:
        frame: FrameType | None = sys._getframe(1)
        while frame is not None and frame.f_globals.get("__name__") in OWN:
            frame = frame.f_back
        if frame is not None:
            EVENTS.append([name, frame.f_globals.get("__name__"), frame.f_code.co_filename, frame.f_lineno])


def main() -> None:
    import importlib

    wanted = json.load(sys.stdin)
    answer = os.dup(1)
    os.dup2(2, 1)  # what modules print is not our answer
    sys.meta_path.insert(0, Recorder)
    failed = []
    for name in wanted:
        try:
            importlib.import_module(name)
        except BaseException as error:
            failed.append([name, f"{type(error).__name__}: {error}"])
    sys.meta_path.remove(Recorder)
    seen = {event[0] for event in EVENTS}
    result = {
        "events": [e for e in EVENTS if e[0] in sys.modules],
        "loaded": sorted(n for n in sys.modules if n in seen),
        "failed": failed,
    }
    with os.fdopen(answer, "w") as out:
        out.write("\n" + json.dumps(result))
        out.flush()
        os._exit(0)  # threads and exit handlers of the modules are none of our business


main()
