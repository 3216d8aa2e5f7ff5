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
import selectors
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests import images
from unikit import machine, ports
from unikit.boot import TCG_TUNABLES
from unikit.image import Image
from unikit.report import Log
from unikit.supervisor import Channels, find_qemu

DEADLINE = 120.0  # seconds that any boot or wait may take: a hang is a failure, not a wait


@dataclass(frozen=True)
class Result:
    """A guest that ended. `status` is the application's; None if it never said one."""

    status: int | None
    console: str
    log: Log
    qemu_status: int
    words: list[str]  # what the application wrote to /dev/unikit/report


class Guest:
    """A running guest."""

    def __init__(self, command: list[str], channels: Channels, forwards: tuple[machine.Forward, ...]) -> None:
        self.forwards = forwards
        self.log = Log()
        self.words: list[str] = []
        self._console = bytearray()
        self._said = b""  # over the application's own channel
        self._changed = threading.Condition()
        self._channels = channels
        self._over = False
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=channels.inherited,
            start_new_session=True,
        )
        for end in channels.theirs:
            end.close()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with selectors.DefaultSelector() as selector:
            for end in self._channels.ours[:3]:  # the application's own channel is read by hear()
                selector.register(end, selectors.EVENT_READ)
            while selector.get_map():
                for key, _ in selector.select():
                    end: Any = key.fileobj
                    try:
                        data = end.recv(65536)
                    except OSError:
                        data = b""
                    with self._changed:
                        if not data:
                            selector.unregister(end)
                        elif end is self._channels.report:
                            events = self.log.feed(data)
                            self.words += [event["text"] for event in events if event["event"] == "app"]
                        else:
                            self._console += data
                        self._changed.notify_all()
        with self._changed:
            self._over = True
            self._changed.notify_all()

    def wait_for(self, condition: Callable[[], Any], what: str, timeout: float = DEADLINE) -> Any:
        """The condition's value, once it is true. Fails where the guest ends or the time passes before."""
        with self._changed:
            self._changed.wait_for(lambda: condition() or self._over, timeout)
            value = condition()
        ended = f", it ended with {self.log.status}" if self._over else ""
        state = f"(phase {self.log.phase}{ended}):\n{self.console()}"
        assert value, f"the guest did not {what} within {timeout:g} s {state}"
        return value

    def console(self) -> str:
        """What it wrote so far."""
        return self._console.decode(errors="replace").replace("\r\n", "\n")

    def wait_console(self, text: str, timeout: float = DEADLINE) -> None:
        self.wait_for(lambda: text in self.console(), f"write {text!r}", timeout)

    def wait_listening(self, port: int, timeout: float = DEADLINE) -> None:
        self.wait_for(lambda: port in self.log.listening, f"listen on port {port}", timeout)

    def port(self, guest: int) -> int:
        """The host's port on 127.0.0.1 that leads to the guest's."""
        return next(f.host for f in self.forwards if f.guest == guest)

    def command(self, line: str) -> None:
        """One line to the guest over the report channel."""
        self._channels.report.setblocking(True)
        self._channels.report.sendall(line.encode() + b"\n")
        self._channels.report.setblocking(False)

    @property
    def channel(self) -> socket.socket:
        """The application's own channel, the host's end."""
        assert self._channels.app, "start(..., channel=True) gives it"
        return self._channels.app

    def say(self, data: bytes) -> None:
        """To the application, over its own channel; waits until the guest has taken it."""
        self.channel.settimeout(DEADLINE)
        self.channel.sendall(data)

    def hear(self, timeout: float = DEADLINE) -> bytes:
        """The next line that the application wrote to its own channel."""
        self.channel.settimeout(timeout)
        while b"\n" not in self._said:
            data = self.channel.recv(65536)
            assert data, f"the guest ended with {self.log.status} instead of saying more:\n{self.console()}"
            self._said += data
        line, _, self._said = self._said.partition(b"\n")
        return line

    def leave(self) -> None:
        """Closes the host's end of the application's own channel."""
        self.channel.shutdown(socket.SHUT_RDWR)

    def type(self, data: bytes) -> None:
        """To the guest's console, as if typed."""
        self._channels.console.sendall(data)

    def memory(self) -> dict[str, int]:
        """total, free, high in bytes, as the guest says now."""
        self.log.memory = None
        self.command("memory")
        event = self.wait_for(lambda: self.log.memory, "say how much memory it uses")
        return {key: int(event[key]) for key in ("total", "free", "high")}

    def wait(self, timeout: float = DEADLINE) -> Result:
        """Until QEMU ended by itself."""
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(
                f"the guest did not end within {timeout:g} s (phase {self.log.phase}):\n{self.console()}"
            ) from None
        self._reader.join(10)
        assert self.process.stderr is not None
        complaint = self.process.stderr.read().decode(errors="replace")
        return Result(self.log.status, self.console() + complaint, self.log, status, self.words)

    def stop(self, number: int = signal.SIGTERM, timeout: float = DEADLINE) -> int | None:
        """Sends the application a signal; its exit status (128 + n where the signal ended it)."""
        self.command(f"signal {int(number)}")
        return self.wait(timeout).status

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join(10)
        self._channels.close()
        if self.process.stderr:
            self.process.stderr.close()


@contextlib.contextmanager
def start(
    app: Path | str | Image,
    *,
    memory: int = 256,
    ports: Sequence[int] = (),
    profile: str = machine.DEFAULT,
    environment: dict[str, str] | None = None,
    arguments: Sequence[str] = (),
    tokens: Sequence[tuple[str, str]] = (),
    python: str | None = None,
    extra: Sequence[str] = (),
    prefix: Sequence[str] = (),
    network: bool = True,
    channel: bool = False,
) -> Iterator[Guest]:
    """Builds the app (a Python script or project, a folder with main.c, or an image) and boots it under TCG.

    memory in MiB; ports: of the guest, forwarded from free ones of the host; extra: more arguments of QEMU; prefix: a
    command that runs QEMU's (ip netns exec ...); network False: no network but what `extra` brings; channel: the
    application's own, for say() and hear().
    """
    image = app if isinstance(app, Image) else images.build(app, python)
    qemu = find_qemu()
    assert qemu, "qemu-system-x86_64 is missing: apt install qemu-system-x86"
    forwards = claim(ports)
    settings = {"GLIBC_TUNABLES": TCG_TUNABLES} | (environment or {})
    pairs = [("env", f"{k}={v}") for k, v in settings.items()] + [("arg", a) for a in arguments] + list(tokens)
    channels = Channels(app=channel)
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
            extra=tuple(extra),
        ),
    )
    guest = Guest([*prefix, *command], channels, forwards)
    try:
        yield guest
    finally:
        guest.kill()


def claim(guest_ports: Sequence[int]) -> tuple[machine.Forward, ...]:
    return ports.claim(tuple(machine.Forward(0, p) for p in guest_ports))


def run(app: Path | str | Image, *, timeout: float = DEADLINE, **options: Any) -> Result:
    """Boots and waits for the end."""
    with start(app, **options) as guest:
        return guest.wait(timeout)


def stopped_for(process: subprocess.Popen[bytes], seconds: float) -> None:
    """Freezes QEMU for a while, as a host that is suspended does."""
    os.kill(process.pid, signal.SIGSTOP)
    time.sleep(seconds)
    os.kill(process.pid, signal.SIGCONT)
