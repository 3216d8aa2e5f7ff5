"""Machines that an image boots on, and the QEMU command that makes one.

A profile is a file of `qemu/`: `machine` (value of -machine), `transport` (`device` or `pci`: how virtio devices are
named) and `properties` (for every virtio device).
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from unikit import paths
from unikit.errors import ExitCode, UserError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

DEFAULT = "microvm"
# The status that the guest writes here ends QEMU with 2 * status + 1.
EXIT_PORT = 0xF4
REPORT_PORT = "unikit.report"
CONSOLE_PORT = "unikit.console"
APP_PORT = "unikit.app"
# What QEMU's user-mode network gives out by DHCP (qemu-options: -netdev user), as a boot token: nothing to wait for.
USER_ADDRESS = ("ip", "10.0.2.15/24,10.0.2.2,10.0.2.3")


@dataclass(frozen=True)
class Machine:
    """A machine profile."""

    name: str
    summary: str
    machine: str
    transport: str
    properties: tuple[str, ...]

    def virtio(self, kind: str, *options: str) -> str:
        """The value of -device for a virtio device, e.g. kind `net`."""
        return ",".join([f"virtio-{kind}-{self.transport}", *options, *self.properties])


@dataclass(frozen=True)
class Forward:
    """A port of the host that leads to one of the guest."""

    host: int
    guest: int
    address: str = "127.0.0.1"
    protocol: str = "tcp"

    def __str__(self) -> str:
        return f"{self.protocol}:{self.address}:{self.host}-:{self.guest}"


@dataclass(frozen=True)
class Volume:
    """A folder of the host that appears in the guest, by 9p."""

    host: Path
    guest: str
    read_only: bool = False


@dataclass(frozen=True)
class Guest:
    """What is booted: `memory` in MiB, file descriptors of the sockets that QEMU serves, `append` the boot tokens."""

    image: Path
    machine: Machine
    memory: int
    accelerator: str
    append: str
    console: int
    serial: int
    report: int
    app: int | None = None
    forwards: tuple[Forward, ...] = ()
    network: bool = True
    volumes: tuple[Volume, ...] = ()
    extra: tuple[str, ...] = ()


def names() -> list[str]:
    """The profiles that there are, the default first."""
    found = sorted(file.stem for file in paths.MACHINES.glob("*.toml"))
    return sorted(found, key=lambda name: name != DEFAULT)


def load(name: str) -> Machine:
    """Raises UserError (CONFIGURATION) if there is no such profile."""
    if name not in names():
        raise UserError(
            f"There is no machine profile '{name}'.", code=ExitCode.CONFIGURATION, hint="Known: " + ", ".join(names())
        )
    value = tomllib.loads((paths.MACHINES / f"{name}.toml").read_text())
    return Machine(name, value["summary"], value["machine"], value["transport"], tuple(value["properties"]))


def command(qemu: str, guest: Guest) -> list[str]:
    """The QEMU command line."""
    machine = guest.machine
    line = [qemu, "-name", "unikit", "-machine", machine.machine, "-accel", guest.accelerator, "-cpu", "max"]
    line += ["-smp", "1", "-m", f"{guest.memory}M", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]
    line += ["-kernel", str(guest.image)]
    if guest.append:
        line += ["-append", guest.append]
    line += ["-device", f"isa-debug-exit,iobase={EXIT_PORT:#x},iosize=0x4"]
    channels = {"serial": guest.serial, "console": guest.console, "report": guest.report, "app": guest.app}
    for name, descriptor in channels.items():
        if descriptor is not None:
            line += ["-chardev", f"socket,id={name},fd={descriptor}"]
    # port 0 is the one that only a virtconsole can be
    line += ["-serial", "chardev:serial", "-device", machine.virtio("serial", "max_ports=4")]
    # not a virtconsole: QEMU drops what the host reads too late from one
    line += ["-device", f"virtserialport,chardev=console,name={CONSOLE_PORT}"]
    line += ["-device", f"virtserialport,chardev=report,name={REPORT_PORT}"]
    if guest.app is not None:
        line += ["-device", f"virtserialport,chardev=app,name={APP_PORT}"]
    line += ["-object", "rng-random,id=rng,filename=/dev/urandom", "-device", machine.virtio("rng", "rng=rng")]
    if guest.network:
        line += ["-netdev", ",".join(["user,id=net", *(f"hostfwd={forward}" for forward in guest.forwards)])]
        rom = ("romfile=",) if machine.transport == "pci" else ()
        line += ["-device", machine.virtio("net", "netdev=net", *rom)]
    for tag, volume in enumerate_volumes(guest.volumes):
        line += ["-fsdev", ",".join(["local", f"id={tag}", f"path={quote(str(volume.host))}", "security_model=none",
                                     "multidevs=remap", *(("readonly=on",) if volume.read_only else ())])]  # fmt: skip
        line += ["-device", machine.virtio("9p", f"fsdev={tag}", f"mount_tag={tag}")]
    return line + list(guest.extra)


def enumerate_volumes(volumes: Iterable[Volume]) -> list[tuple[str, Volume]]:
    """Each with the tag by which the guest finds it."""
    return [(f"volume{number}", volume) for number, volume in enumerate(volumes)]


def volume_tokens(volumes: Iterable[Volume]) -> list[tuple[str, str]]:
    """The boot tokens that say where the folders appear."""
    return [
        ("volume", f"{tag}:{volume.guest}{':ro' if volume.read_only else ''}")
        for tag, volume in enumerate_volumes(volumes)
    ]


def quote(value: str) -> str:
    """A value in QEMU's lists of options: a comma is written twice."""
    return value.replace(",", ",,")


def encode(tokens: Sequence[tuple[str, str]]) -> str:
    """Boot tokens (docs/architecture.md, boot configuration): values percent-encoded, separated by spaces."""
    return " ".join(f"{key}={percent(value)}" for key, value in tokens)


def percent(value: str) -> str:
    """`value` with every byte encoded that is not printable ASCII, and the space and the percent sign."""
    return "".join(chr(b) if 0x21 <= b <= 0x7E and b != 0x25 else f"%{b:02X}" for b in value.encode())
