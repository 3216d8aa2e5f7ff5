"""What belongs to each boot of a frozen image: its environment, its arguments, its random numbers."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found] # in every interpreter; `signal` may be left out
import os
import sys
from typing import Any

from . import kernel


class Boot:
    """What the kernel was told at a boot."""

    def __init__(self, told: bytes) -> None:
        self.environment: dict[str, str] = {}
        self.arguments: list[str] = []
        self.watched = False
        for item in told.split(b"\0"):
            if item[:1] == b"w":
                self.watched = True
            elif item[:1] == b"e":
                key, _, value = os.fsdecode(item[1:]).partition("=")
                self.environment[key] = value
            elif item[:1] == b"a":
                self.arguments.append(os.fsdecode(item[1:]))


def adapt(before: Boot, now: Boot) -> None:
    """To what is another than when the memory was frozen."""
    environment, arguments = now.environment, now.arguments
    old, given = before.environment, before.arguments
    for key in old:
        if key not in environment and os.environ.get(key) == old[key]:
            del os.environ[key]
    for key, value in environment.items():
        if old.get(key) != value:
            os.environ[key] = value
    if arguments != given:
        end = len(given)
        for argv in (sys.argv, sys.orig_argv):
            if not end or argv[-end:] == given:
                argv[len(argv) - end :] = arguments
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and stream.isatty():
            stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    if old.get("TZ") != environment.get("TZ") and "time" in sys.modules:
        sys.modules["time"].tzset()
    if now.watched:
        _watch()


def _watch() -> None:
    """When asked, tell the build which modules were imported after the freeze. Not the program's own: what these do is
    for each boot."""
    known, folder = set(sys.modules), sys.path[0]

    def tell(number: int, frame: Any) -> None:
        found = []
        for name, module in list(sys.modules.items()):
            file = getattr(module, "__file__", None) or ""
            own = folder and file.startswith(folder + "/")
            if name not in known and getattr(module, "__spec__", None) and not own:
                found.append(name)
        with open(kernel.DEVICE, "wb", buffering=0) as device:
            device.write(f"import {','.join(found)}".encode()[:16384])

    _signal.signal(kernel.WARM_SIGNAL, tell)


def keep_no_ticket_keys(objects: list[Any]) -> None:
    """OpenSSL makes the keys of session tickets with the context, and they would be known to whoever has the image.
    Servers keep their sessions instead, and clients come back by a number of no meaning."""
    own, other = sys.modules.get("_ssl"), sys.modules.get("OpenSSL.SSL")
    for thing in objects:
        kind = type(thing)
        if own and issubclass(kind, own._SSLContext) and thing.protocol != own.PROTOCOL_TLS_CLIENT:
            thing.options |= own.OP_NO_TICKET
        elif other and issubclass(kind, other.Context):
            thing.set_options(other.OP_NO_TICKET)


def forget() -> None:
    """What modules keep that must not be the same in every boot, and make anew where it is missing. Before the freeze:
    it would cost each boot something. The process has another number already."""
    modules = sys.modules
    if "uuid" in modules:  # libuuid keeps its node and clock sequence; Python's own way makes them anew
        own = {"_node": None, "_last_timestamp": None, "_generate_time_safe": None, "_GETTERS": [_hardware_address]}
        modules["uuid"].__dict__.update(own)
    if "_sqlite3" in modules:  # its random() begins anew when a file is opened and the process is another
        modules["_sqlite3"].connect(os.devnull).close()
    if "platform" in modules:
        modules["platform"].__dict__["_uname_cache"] = None  # holds the host name


def renew() -> None:
    """What modules made by random numbers, where a fork alone does not change it."""
    modules = sys.modules
    if "numpy.random" in modules:
        modules["numpy.random"].seed()  # the legacy global generator
    if "multiprocessing.process" in modules:
        modules["multiprocessing.process"].current_process().authkey = os.urandom(32)


def _hardware_address() -> int | None:
    """That of a network interface, for uuid.getnode(); None: there is none."""
    folder = "/sys/class/net"
    try:
        for name in os.listdir(folder):
            with open(f"{folder}/{name}/address") as file:
                if address := int(file.read().replace(":", ""), 16):
                    return address
    except (OSError, ValueError):
        pass
    return None
