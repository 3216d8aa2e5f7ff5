"""Ports: what `-p` means, and whether the host's end is free before QEMU starts."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable

from unikit.errors import ExitCode, UserError
from unikit.vm.machine import Forward


def parse(text: str) -> Forward:
    """`[ADDRESS:]HOST:GUEST[/udp]`, or one number for both ends; HOST 0 takes a free port.

    Raises UserError (USAGE).
    """
    match = re.fullmatch(r"(?:(?:([\d.]+):)?(\d+):)?(\d+)(?:/(tcp|udp))?", text)
    if match:
        address, host, guest, protocol = match.groups()
        if int(host or guest) < 65536 and 0 < int(guest) < 65536:
            return Forward(int(host or guest), int(guest), address or "127.0.0.1", protocol or "tcp")
    raise UserError(
        f"'{text}' is no port.", code=ExitCode.USAGE, hint="-p HOST:GUEST, e.g. -p 8080:80; /udp at the end for UDP"
    )


def claim(forwards: Iterable[Forward]) -> tuple[Forward, ...]:
    """The forwards with their host ports known to be free just now; port 0 gets a number.

    Raises UserError (PORT_TAKEN).
    """
    claimed = []
    for forward in forwards:
        kind = socket.SOCK_STREAM if forward.protocol == "tcp" else socket.SOCK_DGRAM
        with socket.socket(socket.AF_INET, kind) as probe:
            if forward.protocol == "tcp":  # as QEMU does: connections in TIME_WAIT are no hindrance
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((forward.address, forward.host))
                if forward.protocol == "tcp":
                    probe.listen(1)
            except PermissionError as error:
                raise UserError(
                    f"You may not open port {forward.host} of {forward.address}.",
                    code=ExitCode.PORT_TAKEN,
                    hint=f"Ports below 1024 need root. Take another: -p {forward.host + 8000}:{forward.guest}",
                ) from error
            except OSError as error:
                raise taken(forward, error.strerror or "") from error
            claimed.append(Forward(probe.getsockname()[1], forward.guest, forward.address, forward.protocol))
    return tuple(claimed)


def taken(forward: Forward, reason: str = "") -> UserError:
    """The error for a host port that cannot be had."""
    detail = f": {reason}" if reason else ""
    return UserError(
        f"Port {forward.host} of {forward.address} cannot be used{detail}.",
        code=ExitCode.PORT_TAKEN,
        hint=f"End the program that has it, or take another port: -p 0:{forward.guest} finds a free one.",
    )
