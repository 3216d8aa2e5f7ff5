"""The attack surface of an image: what can run, what can be reached, what can be written, and what looks wrong.

Read from the image itself wherever it can be: its files, its ELF headers, its boot configuration.
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from elftools.common.exceptions import ELFError

from unikit.image.rootfs import Entry
from unikit.model import FileKind
from unikit.native import elf
from unikit.native.calls import Calls
from unikit.questions import reach, secrets, ways
from unikit.questions.subject import Subject
from unikit.vm.machine import Volume

HIGH, MEDIUM, LOW = "high", "medium", "low"
BOOT = "/.unikit/boot.conf"
VOLUMES = "virtio_9p"  # the driver of folders of the host
BUNDLE = "/etc/ssl/certs/ca-certificates.crt"

# Modules through which data can become code, or a request a debugger; what they can do, and how much it says.
FACILITIES = (
    ("_ctypes", MEDIUM, "ctypes calls any function of any library and writes to any address"),
    ("_cffi_backend", LOW, "cffi calls functions of libraries by name"),
    ("werkzeug.debug", LOW, "Werkzeug's debugger runs code sent over the network if the application turns it on"),
    ("pdb", LOW, "a debugger that runs what is typed"),
    ("code", LOW, "an interactive interpreter"),
    ("telnetlib", LOW, "Telnet sends passwords in the clear"),
    ("xmlrpc.server", LOW, "XML-RPC calls functions by names from the network"),
)


@dataclass(frozen=True)
class Executable:
    """A file with code: bytes of its executable segments; `writable` if one of them can be written as well."""

    path: str
    size: int
    writable: bool
    stack: bool  # it asks for an executable stack


@dataclass(frozen=True)
class Finding:
    """Something that a person should look at."""

    level: str
    what: str
    where: str = ""
    instead: str = ""


@dataclass(frozen=True)
class CallsSeen:
    """System calls by name. What is reachable is None where the image's files are not known on this machine."""

    offered: tuple[str, ...]
    reachable: tuple[str, ...] | None
    unreached: tuple[str, ...] | None  # offered, and no file leads there
    refused: tuple[str, ...] | None  # a file leads there, and it answers ENOSYS
    unknown: tuple[str, ...] = ()  # files that make a call whose number is not a constant
    traced: tuple[str, ...] | None = None  # what a traced run of the application made


@dataclass(frozen=True)
class Audit:
    """Everything, as plain values."""

    name: str
    image: str  # SHA-256 of root and kernel
    program: tuple[str, ...]
    entry: str
    kernel_code: int  # bytes
    executables: tuple[Executable, ...]
    write_xor_execute: bool
    network: bool
    ports: tuple[int, ...]
    calls: CallsSeen
    drivers: tuple[tuple[str, str], ...]
    environment: tuple[tuple[str, str], ...]  # what looks like a secret is hidden
    certificates: int
    writable: tuple[str, ...]
    folders: tuple[str, ...]  # writable ones that exist for it
    volumes: bool  # whoever starts it can show it folders of the host
    findings: tuple[Finding, ...] = field(default=())

    @property
    def code(self) -> int:
        """Bytes that can be executed, the kernel's included."""
        return self.kernel_code + sum(file.size for file in self.executables)


def make(subject: Subject, volumes: Sequence[Volume] = (), lock: Sequence[str] = ()) -> Audit:
    """The audit of an image as it runs with these folders of the host; `lock`: what does not fit in the lock file that
    the image was built with."""
    calls = reach.overlay(subject)
    tokens = list(_tokens(subject.files))
    values = dict(tokens)
    environment = [(v.partition("=")[0], v.partition("=")[2]) for k, v in tokens if k == "env"]
    drivers = [(i.name, str(i.detail.get("device", ""))) for i in subject.inventory.items("driver")]
    bundle = subject.files.get(BUNDLE)
    found = Audit(
        name=subject.image.manifest.name,
        image=subject.image.manifest.root_sha256,
        program=tuple(v for k, v in tokens if k in ("argv", "arg")) or (values.get("exec", ""),),
        entry=subject.image.manifest.entry,
        kernel_code=subject.inventory.kernel_code,
        executables=tuple(_executables(subject.files)),
        write_xor_execute=values.get("wx") != "allow",
        network=subject.image.manifest.network,
        ports=subject.image.manifest.ports,
        calls=_calls(subject, calls),
        drivers=tuple(drivers),
        environment=tuple((k, "(hidden)" if secrets.VARIABLES.search(k) and v else v) for k, v in environment),
        certificates=bytes(bundle.content).count(b"-----BEGIN CERTIFICATE-----") if bundle else 0,
        writable=(
            "/ (in memory, gone at the end)",
            *(f"{v.guest} (kept, in the host's folder {v.host})" for v in volumes if not v.read_only),
        ),
        folders=tuple(p for p, e in subject.files.items() if e.kind is FileKind.DIRECTORY and e.mode & 0o002),
        volumes=any(name == VOLUMES for name, _ in drivers),
    )
    findings = (*_findings(subject, found, environment), *_of_volumes(subject, found, volumes), *_of_lock(lock))
    return Audit(**{**vars(found), "findings": findings})


def jsonable(found: Audit) -> dict[str, Any]:
    return {**asdict(found), "code": found.code}


def _tokens(files: dict[str, Entry]) -> Iterator[tuple[str, str]]:
    """The boot configuration (docs/architecture.md)."""
    entry = files.get(BOOT)
    for line in bytes(entry.content).decode().splitlines() if entry else ():
        key, equals, value = line.partition("=")
        if equals:
            yield key, urllib.parse.unquote(value)


def _executables(files: dict[str, Entry]) -> Iterator[Executable]:
    for path, entry in sorted(files.items()):
        if entry.kind is FileKind.FILE and bytes(entry.content[:4]) == elf.MAGIC:
            try:
                code = elf.executable(entry.content)
            except ELFError:
                continue
            yield Executable(path, code.size, code.writable, code.stack)


def _calls(subject: Subject, calls: Calls | None) -> CallsSeen:
    graph = subject.inventory.graph
    offered = {
        item.name
        for item in subject.inventory.items("call")
        if any(tail.startswith("component:") for tail in graph.predecessors(item.id))
    }
    if calls is None:
        return CallsSeen(tuple(sorted(offered)), None, None, None, (), subject.inventory.traced)
    reachable = set(calls.names)
    unreached, refused = sorted(offered - reachable), sorted(reachable - offered)
    return CallsSeen(
        tuple(sorted(offered)), tuple(sorted(reachable)), tuple(unreached), tuple(refused), tuple(calls.unknown),
        subject.inventory.traced,
    )  # fmt: skip


def _findings(subject: Subject, found: Audit, environment: list[tuple[str, str]]) -> Iterator[Finding]:
    for suspect in secrets.suspects(subject.files):
        where = f"{suspect.path}:{suspect.line}" if suspect.line else suspect.path
        yield Finding(
            HIGH, f"the application ships what looks like {suspect.what}", where,
            "pass it when the image runs (-e, a file over the network), and leave the file out with exclude",
        )  # fmt: skip
    for key, value in environment:
        if secrets.VARIABLES.search(key) and value:
            yield Finding(
                HIGH, f"the environment variable {key} is in the image", BOOT, "pass it when the image runs: -e"
            )
    if not found.write_xor_execute:
        yield Finding(
            MEDIUM, "memory may be writable and executable at once", "writable_code in [tool.unikit]",
            "turn it off unless a JIT compiler needs it",
        )  # fmt: skip
    for file in found.executables:
        if file.writable:
            yield Finding(MEDIUM, "a segment is writable and executable at once", file.path)
        if file.stack:
            yield Finding(MEDIUM, "it asks for an executable stack", file.path)
    for name, level, what in FACILITIES:
        item = f"module:{name}"
        if item in subject.inventory.graph:
            yield Finding(level, what, _line(subject, item), f"unikit why {name} says who needs it")
    for path in found.calls.unknown:
        yield Finding(LOW, "it makes system calls whose number is not a constant: they may be any", path)


def _of_volumes(subject: Subject, found: Audit, volumes: Sequence[Volume]) -> Iterator[Finding]:
    """Folders of the host that stand in for something, or cannot be there."""
    for volume in volumes:
        where = f"-v {volume.host}:{volume.guest}"
        if not found.volumes:
            yield Finding(MEDIUM, "the image has no driver for folders of the host: the boot ends", where)
            continue
        files = [p for p, e in subject.files.items() if e.kind is FileKind.FILE and p.startswith(f"{volume.guest}/")]
        if files:
            more = f" and {len(files) - 1} more" if len(files) > 1 else ""
            yield Finding(
                MEDIUM, f"a folder of the host hides {files[0]}{more}, whose place is then with whoever writes there",
                where, "choose a directory of its own, e.g. /data",
            )  # fmt: skip


def _of_lock(complaints: Sequence[str]) -> Iterator[Finding]:
    for text in complaints:
        yield Finding(MEDIUM, f"the lock file does not fit: {text}", "unikit.lock")


def _line(subject: Subject, node: str) -> str:
    """The line that brings a module in: the last one of the shortest way."""
    found = ways.shortest(subject.inventory, node)
    return next((step.evidence[0] for step in reversed(found[0]) if step.evidence), "") if found else ""
