"""Guests for tests: built, booted in the background, spoken to over their report channel, always ended.

with start(app, memory=64, ports=[8080]) as guest:
    guest.wait_listening(8080)
    ... guest.port(8080) ... guest.memory() ...
    assert guest.stop() == 143

result = run(app)           # to its end
result.status, result.console, result.log
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests import images
from unikit.image.image import Image
from unikit.testing.guest import DEADLINE, Guest, Result
from unikit.vm import boot, machine, ports
from unikit.vm.boot import TCG_ENVIRONMENT
from unikit.vm.qemu import Channels, find_qemu

__all__ = ["DEADLINE", "Guest", "Result", "claim", "run", "start", "stopped_for"]


@contextlib.contextmanager
def start(
    app: Path | str | Image,
    *,
    memory: int = 256,
    ports: Sequence[int] = (),
    udp: Sequence[int] = (),
    profile: str = machine.DEFAULT,
    environment: dict[str, str] | None = None,
    arguments: Sequence[str] = (),
    tokens: Sequence[tuple[str, str]] = (),
    python: str | None = None,
    extra: Sequence[str] = (),
    prefix: Sequence[str] = (),
    network: bool = True,
    channel: bool = False,
    volumes: Sequence[machine.Volume] = (),
) -> Iterator[Guest]:
    """Builds the app (a Python script or project, a folder with main.c, or an image) and boots it under TCG.

    memory in MiB; ports, udp: of the guest, forwarded from free ones of the host; extra: more arguments of QEMU;
    prefix: a command that runs QEMU's (ip netns exec ...); network False: no network but what `extra` brings; channel:
    the application's own, for say() and hear(); volumes: folders of the host.
    """
    image = app if isinstance(app, Image) else images.build(app, python)
    qemu = find_qemu()
    assert qemu, "qemu-system-x86_64 is missing: apt install qemu-system-x86"
    forwards = claim(ports, udp)
    shared = tuple(volumes)
    settings = TCG_ENVIRONMENT | (environment or {})
    pairs = [("env", f"{k}={v}") for k, v in settings.items()] + [("arg", a) for a in arguments] + list(tokens)
    channels = Channels(app=channel)
    pairs += machine.volume_tokens(shared)
    console, serial, report = channels.descriptors
    command = machine.command(
        str(qemu),
        machine.Guest(
            image=image.path,
            machine=machine.load(profile),
            memory=memory,
            accelerator="tcg",
            append=machine.encode(pairs),
            console=console,
            serial=serial,
            report=report,
            app=channels.app_descriptor,
            forwards=forwards,
            network=network and (bool(forwards) or image.manifest.network),
            volumes=shared,
            extra=tuple(extra),
        ),
    )
    guest = Guest(boot.Prepared([*prefix, *command], channels, boot.Options(forwards=forwards, memory=memory)), image)
    try:
        yield guest
    finally:
        guest.kill()


def claim(guest_ports: Sequence[int], udp: Sequence[int] = ()) -> tuple[machine.Forward, ...]:
    datagrams = tuple(machine.Forward(0, p, protocol="udp") for p in udp)
    return ports.claim((*(machine.Forward(0, p) for p in guest_ports), *datagrams))


def run(app: Path | str | Image, *, timeout: float = DEADLINE, **options: Any) -> Result:
    """Boots and waits for the end."""
    with start(app, **options) as guest:
        return guest.wait(timeout)


def stopped_for(process: subprocess.Popen[bytes], seconds: float) -> None:
    """Freezes QEMU for a while, as a host that is suspended does."""
    os.kill(process.pid, signal.SIGSTOP)
    time.sleep(seconds)
    os.kill(process.pid, signal.SIGCONT)
