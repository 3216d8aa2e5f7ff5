"""The report channel, host's side: events of the guest as values, and what they mean for whoever started it."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from unikit.image.manifest import Manifest
from unikit.native import symbols
from unikit.settings import CPU_LEVELS

MOST_WORDS = 16  # return addresses of a crash that are shown


def number(value: Any) -> int:
    """A number of an event: JSON's, or a string `0x...`."""
    try:
        return int(value, 0) if isinstance(value, str) else int(value or 0)
    except ValueError:
        return 0


def mebibytes(size: int) -> int:
    """Bytes as MiB, rounded up."""
    return -(-size // (1 << 20))


def signal_name(value: int) -> str:
    try:
        return signal.Signals(value).name
    except ValueError:
        return f"signal {value}"


@dataclass
class Log:
    """What the guest said so far. `status` is None until the application ended; 128 + n for signal n."""

    phase: str | None = None
    status: int | None = None
    stderr: str = ""
    crash: Mapping[str, Any] | None = None
    panic: Mapping[str, Any] | None = None
    error: Mapping[str, Any] | None = None
    oom: Mapping[str, Any] | None = None
    memory: Mapping[str, Any] | None = None
    missing: list[Mapping[str, Any]] = field(default_factory=list)
    listening: list[int] = field(default_factory=list)
    phases: dict[str, int] = field(default_factory=dict)  # nanoseconds since power-on
    _rest: bytes = b""

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        """Take bytes of the channel; returns the whole events among them, each noted. Other lines are ignored."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        events = []
        for line in lines:
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if isinstance(event, dict) and isinstance(event.get("event"), str):
                self._note(event)
                events.append(event)
        return events

    @staticmethod
    def answers(events: Iterable[Mapping[str, Any]]) -> bytes:
        """The commands that answer what the guest asks for: the host's time, to be sent at once."""
        asked = (number(event.get("asked")) for event in events if event["event"] == "clock")
        return b"".join(b"clock %d %d\n" % (time.time_ns(), moment) for moment in asked)

    def _note(self, event: dict[str, Any]) -> None:
        match event["event"]:
            case "boot":
                self.phase = str(event.get("phase"))
                self.phases[self.phase] = number(event.get("ns"))
            case "listen":
                self.listening.append(number(event.get("port")))
            case "exit":
                killed = number(event.get("signal"))
                self.status = 128 + killed if killed else number(event.get("status")) & 0xFF
                self.stderr = str(event.get("stderr") or "")
            case "crash" | "panic" | "error" | "oom" | "memory" as kind:
                setattr(self, kind, event)
            case "missing":
                self.missing.append(event)


def frames(frames: Iterable[Mapping[str, Any]], manifest: Manifest) -> list[str]:
    """A backtrace as lines, with the names that the symbol tables on this machine give."""
    ids = dict(manifest.libraries)
    lines = []
    for index, frame in enumerate(frames):
        address, module = number(frame.get("ip")), frame.get("module")
        place = where(address, module, frame.get("offset"), manifest, ids)
        lines.append(f"  #{index:<2} {address:#018x} {place}")
    return lines


def where(address: int, module: Any, offset: Any, manifest: Manifest, ids: Mapping[str, str] | None = None) -> str:
    """`function+0x12 (module)` as far as it can be known. No module: the kernel."""
    if not module:
        if address < 1 << 63:
            return "?"
        found = symbols.table(manifest.kernel_build_id)
        return f"{(found.at(address) if found else None) or '?'} (kernel)"
    known = symbols.table((ids if ids is not None else dict(manifest.libraries)).get(str(module), ""))
    name = known.at_offset(number(offset)) if known else None
    return f"{name or hex(number(offset))} ({module})"


def higher_levels(level: str) -> str:
    """The CPU levels above `level`, for a sentence; empty if there are none."""
    return " or ".join(CPU_LEVELS[CPU_LEVELS.index(level) + 1 :] if level in CPU_LEVELS else ())


def crash(event: Mapping[str, Any], manifest: Manifest) -> list[str]:
    """A crash as lines for the user."""
    name = signal_name(number(event.get("signal")))
    address, ip = number(event.get("address")), number(event.get("ip"))
    place = where(ip, event.get("module"), event.get("offset"), manifest)
    reason = _REASONS.get((name, number(event.get("code"))), "")
    head = f"The application crashed: {name}{f' ({reason})' if reason else ''} at address {address:#x}, in {place}"
    lines = [head, *frames(event.get("frames") or (), manifest)]
    if name == "SIGILL" and (later := higher_levels(manifest.frozen)):
        lines.append(
            f"The image was frozen for CPUs of {manifest.frozen}, and what later ones have stays off; build it with "
            f"--cpu-level {later} if the application needs that."
        )
    words = list(event.get("stack") or ())[:MOST_WORDS]
    if words:  # programs are compiled without frame pointers: the chain above ends early
        lines += ["return addresses on the stack (some are of calls that ended):", *frames(words, manifest)]
    return lines


_REASONS = {  # sigaction(2), si_code
    ("SIGSEGV", 1): "nothing is mapped there",
    ("SIGSEGV", 2): "the page does not allow it",
    ("SIGBUS", 2): "beyond the end of the file",
    ("SIGFPE", 1): "integer division by zero",
    ("SIGILL", 2): "illegal instruction",
}


UNCALLED = (
    'left out of this image: prune = traced, and the traced run did not make it; add "call:{}" to `include` below '
    "[tool.unikit] in pyproject.toml to keep it, or trace again"
)


def missing(events: Iterable[Mapping[str, Any]], manifest: Manifest) -> list[str]:
    """A line for every system call that was made and is not there, and for memory that was refused."""
    lines = []
    for event in events:
        count = number(event.get("count"))
        times = f"{count} time{'s' if count != 1 else ''}"
        if event.get("kind") == "wx":
            line = f"memory both writable and executable was refused {times} (writable_code = true allows it)"
        else:
            name = event.get("name") or f"number {event.get('number')}"
            line = f"system call {name} is not there; called {times}"
        if event.get("module"):
            line += f", from {where(0, event['module'], event.get('offset'), manifest)}"
        if event.get("name") in manifest.uncalled:
            line += f": {UNCALLED.format(event['name'])}"
        lines.append(line)
    return lines
