"""Who is behind what cannot be frozen, for the build to tell."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found] # in every interpreter; `signal` may be left out
import os
import sys
from typing import Any

from . import kernel

_makers: dict[int | str, str] = {}  # who made a thread or a socket, by its id(), or started a timer


def begin() -> None:
    """Before the first line of the program. It was refused once, and the build wants to know whose fault it is."""
    try:
        if kernel.how()[0] != "explain":
            return
    except OSError:
        return
    import _thread

    for name in ("setitimer", "alarm"):
        _note(_signal, name)
    for name in ("start_new_thread", "start_joinable_thread"):
        _note(_thread, name)
    sys.addaudithook(_see)


def _note(module: Any, name: str) -> None:
    """Who calls this function is noted from now on: under what it is a method of, or its own name."""
    function = getattr(module, name, None)
    if function is None:
        return

    def call(*given: Any, **named: Any) -> Any:
        owner = getattr(given[0], "__self__", None) if given else None
        _makers[name if owner is None else id(owner)] = _place()
        return function(*given, **named)

    setattr(module, name, call)


def _see(event: str, given: tuple[Any, ...]) -> None:
    if event == "socket.__new__":
        _makers[id(given[0])] = _place()


def _place() -> str:
    """The program's own line that leads here; where there is none, that of a package."""
    frame, folder, second = sys._getframe(2), sys.path[0] + "/", ""
    library = os.__file__.rpartition("/")[0] + "/"
    while frame:
        name = frame.f_code.co_filename
        here = f"{name}:{frame.f_lineno}"
        if name.startswith(folder):
            return here
        if not second and name.startswith("/") and (not name.startswith(library) or "-packages/" in name):
            second = here
        frame = frame.f_back  # type: ignore[assignment]
    return second


def _by(thing: Any, how: str) -> str:
    """Who made it, where that is known."""
    place = _makers.get(id(thing))
    return f", {how} by {place}" if place else ""


def refused(error: OSError) -> None:
    """Tell the build what the kernel cannot know."""
    lines = []
    threading = sys.modules.get("threading")
    try:
        import traceback
    except ImportError:  # an image with the least in it
        threading = None
    if threading is not None:
        frames = sys._current_frames()
        alike: dict[str, list[str]] = {}
        for thread in threading.enumerate():
            if thread is not threading.current_thread():
                stack = traceback.format_stack(frames.get(thread.ident)) if thread.ident in frames else []
                told = f"thread {thread.name!r} ({thread.native_id}){_by(thread, 'started')}"
                alike.setdefault("".join(stack).rstrip(), []).append(told)
        for place, names in alike.items():
            lines += [f"{'; '.join(names)} {'is' if len(names) == 1 else 'are'} in", place]
    if "socket" in sys.modules:
        import gc

        kind = sys.modules["socket"].socket
        sockets = [thing for thing in gc.get_objects() if issubclass(type(thing), kind)]
        lines += [f"open: {thing!r}{_by(thing, 'made')}" for thing in sockets if thing.fileno() >= 0]
    lines += [f"{name}: called by {_makers[name]}" for name in ("setitimer", "alarm") if name in _makers]
    with open(kernel.DEVICE, "wb", buffering=0) as device:
        # EBUSY: the kernel has told why; this ends what there is to say about it
        device.write(os.fsencode("\n".join(lines or ["" if error.errno == 16 else str(error)]) or "\n")[:4096])
