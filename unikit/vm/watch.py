"""What a frozen service imports after the freeze, until it listens: it is imported before, when the image is made anew.

Frameworks import their server in the call that starts it. The image is booted without a network, so whatever the
service begins to do stays in the guest."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from unikit.target.guest.kernel import WARM_SIGNAL
from unikit.vm import accelerator, boot, machine
from unikit.vm.qemu import Channels
from unikit.vm.supervisor import Limits, Supervisor

PATIENCE = 10.0  # seconds that a service may take until it listens; one that waits for others never does
SETTLED = 0.2  # seconds after that: what it imports now belongs to requests
MOST = 12000  # bytes of names: they go by the kernel's command line


def imports(qemu: str, image: Path, memory: int) -> tuple[str, ...]:
    """The names of modules that `image` imports between its freeze and the moment when it listens, in order."""
    accel = accelerator.choose(qemu)
    channels = Channels()
    console, serial, channel = channels.descriptors
    guest = machine.Guest(
        image=image,
        machine=machine.load(machine.DEFAULT),
        memory=memory,
        accelerator=accel,
        append=boot.tokens(boot.Options(tokens=(("freeze", "watch"),)), accel),
        console=console,
        serial=serial,
        report=channel,
        network=False,
    )
    found: list[str] = []
    timers: list[threading.Timer] = []

    def see(event: dict[str, Any]) -> str | None:
        if event["event"] == "listen" and not timers:
            timers.append(threading.Timer(SETTLED, supervisor.signal, (WARM_SIGNAL,)))
            timers[0].start()
        elif event["event"] == "imported":
            found.extend(str(event["text"]).removeprefix("import ").split(","))
            return "stop"
        return None

    limits = Limits(PATIENCE, PATIENCE)
    supervisor = Supervisor(machine.command(qemu, guest), channels, limits, output=lambda data: None, on_event=see)
    supervisor.run()
    for timer in timers:
        timer.cancel()
    names, size = [], 0
    for name in filter(None, found):
        size += len(name) + 1
        if size <= MOST:
            names.append(name)
    return tuple(names)
