"""A guest in the background: booted, spoken to over its channels, always ended.

with guest.boot(image, memory=96, ports=[8080]) as running:
    running.wait_listening(8080)
    ... running.port(8080) ... running.memory() ...
    assert running.stop() == 143
"""

from __future__ import annotations

import contextlib
import selectors
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unikit import pipeline, progress
from unikit.errors import UserError
from unikit.image.image import Image
from unikit.vm import boot as booting
from unikit.vm import machine
from unikit.vm import volumes as folders
from unikit.vm.qemu import dying_with_us
from unikit.vm.report import Log
from unikit.vm.supervisor import Ended

DEADLINE = 120.0  # seconds that any boot or wait may take: a hang is a failure, not a wait


class GuestFailed(AssertionError):
    """The guest did not do what was waited for; the message holds what it said."""


@dataclass(frozen=True)
class Result:
    """A guest that ended. `status` is the application's; None if it never said one."""

    status: int | None
    console: str
    log: Log
    qemu_status: int
    words: list[str]  # what the application wrote to /dev/unikit/report


class Guest:
    """A running guest. Its console and report channel are read in the background, the application's own channel by
    `hear` alone."""

    def __init__(self, prepared: booting.Prepared, image: Image) -> None:
        self.image, self.options = image, prepared.options
        self.log = Log()
        self.words: list[str] = []
        self._channels = prepared.channels
        self._console = bytearray()
        self._said = b""  # over the application's own channel
        self._changed = threading.Condition()
        self._over = False
        self.on_console: Callable[[bytes], None] | None = None
        self.process = subprocess.Popen(
            prepared.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=prepared.channels.inherited,
            start_new_session=True,  # a Ctrl-C is not for QEMU
            preexec_fn=dying_with_us(),
        )
        for end in prepared.channels.theirs:
            end.close()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with selectors.DefaultSelector() as selector:
            for channel in self._channels.ours[:3]:
                selector.register(channel, selectors.EVENT_READ)
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
                            if answers := self.log.answers(events):
                                self._send(answers)
                            self.words += [event["text"] for event in events if event["event"] == "app"]
                        else:
                            self._console += data
                            if self.on_console:
                                self.on_console(data)
                        self._changed.notify_all()
        with self._changed:
            self._over = True
            self._changed.notify_all()

    # ---- what it says

    def console(self) -> str:
        """What it wrote so far."""
        return self._console.decode(errors="replace").replace("\r\n", "\n")

    def wait_for(self, condition: Callable[[], Any], what: str, timeout: float = DEADLINE) -> Any:
        """The condition's value, once it is true. Raises GuestFailed where the guest ends or the time passes before."""
        with self._changed:
            self._changed.wait_for(lambda: condition() or self._over, timeout)
            value = condition()
        if not value:
            ended = f", it ended with {self.log.status}" if self._over else ""
            state = f"(phase {self.log.phase}{ended}):\n{self.console()}"
            raise GuestFailed(f"the guest did not {what} within {timeout:g} s {state}")
        return value

    def wait_console(self, text: str, timeout: float = DEADLINE) -> None:
        """Until `text` is on the console."""
        self.wait_for(lambda: text in self.console(), f"write {text!r}", timeout)

    def wait_listening(self, port: int, timeout: float = DEADLINE) -> None:
        """Until the application listens on a port."""
        self.wait_for(lambda: port in self.log.listening, f"listen on port {port}", timeout)

    def port(self, guest: int) -> int:
        """The host's port on 127.0.0.1 that leads to the guest's."""
        return next(f.host for f in self.options.forwards if f.guest == guest)

    def address(self, guest: int) -> tuple[str, int]:
        """The same with its address, as sockets take it."""
        return next((f.address, f.host) for f in self.options.forwards if f.guest == guest)

    # ---- what it is told

    def command(self, line: str) -> None:
        """One line to the guest over the report channel (docs/architecture.md has the commands)."""
        with self._changed:
            self._send(line.encode() + b"\n")

    def _send(self, commands: bytes) -> None:
        with contextlib.suppress(OSError):  # it may have ended just now
            self._channels.report.setblocking(True)
            self._channels.report.sendall(commands)
            self._channels.report.setblocking(False)

    def send_signal(self, number: int) -> None:
        """Sends the application a signal."""
        self.command(f"signal {int(number)}")

    def type(self, data: bytes) -> None:
        """To the guest's console, as if typed."""
        self._channels.console.sendall(data)

    def memory(self, timeout: float = DEADLINE) -> dict[str, int]:
        """total, free, high in bytes, as the guest says now."""
        self.log.memory = None
        self.command("memory")
        event = self.wait_for(lambda: self.log.memory, "say how much memory it uses", timeout)
        return {key: int(event[key]) for key in ("total", "free", "high")}

    # ---- the application's own channel

    @property
    def channel(self) -> socket.socket:
        """The host's end of /dev/virtio-ports/unikit.app."""
        if self._channels.app is None:
            raise GuestFailed("boot(..., channel=True) gives the application a channel")
        return self._channels.app

    def say(self, data: bytes, timeout: float = DEADLINE) -> None:
        """To the application; waits until the guest has taken it."""
        self.channel.settimeout(timeout)
        self.channel.sendall(data)

    def hear(self, timeout: float | None = DEADLINE) -> bytes:
        """The next line that the application says. Raises TimeoutError, and GuestFailed if it ended."""
        self.channel.settimeout(timeout)
        while b"\n" not in self._said:
            try:
                data = self.channel.recv(1 << 20)
            except ConnectionError:
                data = b""
            if not data:
                raise GuestFailed(f"the guest ended with {self.log.status} instead of saying more:\n{self.console()}")
            self._said += data
        line, _, self._said = self._said.partition(b"\n")
        return line

    def leave(self) -> None:
        """Closes the host's end of the application's own channel."""
        self.channel.shutdown(socket.SHUT_RDWR)

    # ---- its end

    def wait(self, timeout: float = DEADLINE) -> Result:
        """Until QEMU ended by itself. Raises GuestFailed, with the guest ended, if it did not."""
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise GuestFailed(
                f"the guest did not end within {timeout:g} s (phase {self.log.phase}):\n{self.console()}"
            ) from None
        self._reader.join(10)
        return Result(self.log.status, self.console() + self.complaint(), self.log, status, self.words)

    def complaint(self) -> str:
        """What QEMU, now ended, said itself."""
        stream = self.process.stderr
        if stream is None or stream.closed:
            return ""
        return stream.read().decode(errors="replace")

    def verdict(self) -> list[str]:
        """What became of a guest that ended, in sentences, as `unikit run` would say it."""
        said = _Collected()
        ended = Ended(self.process.poll(), self.complaint().strip(), self.log, None)
        try:
            status = booting.conclude(
                ended, self.image.manifest, self.options, said, lambda: booting.unused(self.image.path)
            )
        except UserError as error:
            return [*said.lines, error.message, *error.details, *([error.hint] if error.hint else [])]
        return said.lines or [f"The application ended with status {status}."]

    def stop(self, number: int = signal.SIGTERM, timeout: float = DEADLINE) -> int | None:
        """Sends the application a signal; its exit status (128 + n where the signal ended it)."""
        self.send_signal(number)
        return self.wait(timeout).status

    def kill(self) -> None:
        """Ends QEMU, whatever it does."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join(10)
        self._channels.close()
        if self.process.stderr:
            self.process.stderr.close()


class _Collected(progress.Progress):
    """Keeps what would be shown."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def warn(self, text: str) -> None:
        self.lines.append(text)

    def alert(self, first: str, *rest: str) -> None:
        self.lines += [first, *rest]


def build(app: str | Path, python: str | None = None) -> Image:
    """The image of an application, as `unikit build` makes it (APP as there); last time's if nothing has changed.

    Raises UserError.
    """
    return pipeline.image_of(pipeline.Request(str(app), python), progress.Progress())


@contextlib.contextmanager
def boot(
    image: Image,
    *,
    memory: int | None = None,
    ports: Sequence[int | machine.Forward] = (),
    environment: Mapping[str, str] | None = None,
    arguments: Sequence[str] = (),
    profile: str = machine.DEFAULT,
    accelerator: str | None = None,
    channel: bool = False,
    tokens: Sequence[tuple[str, str]] = (),
    extra: Sequence[str] = (),
    volumes: Sequence[str | machine.Volume] = (),
) -> Iterator[Guest]:
    """Boots an image and ends the guest when the block is left.

    memory in MiB; ports: of the guest, led to from free ones of the host (`Guest.port`); channel: the application gets
    its own (`Guest.say`, `Guest.hear`); tokens: of the boot configuration; extra: arguments of QEMU; volumes: folders
    of the host, "HOSTDIR:GUESTDIR[:ro]" as `-v` has them. Raises UserError.
    """
    options = booting.Options(
        machine=profile,
        memory=memory,
        forwards=tuple(machine.Forward(0, port) if isinstance(port, int) else port for port in ports),
        environment=tuple((environment or {}).items()),
        arguments=tuple(arguments),
        tokens=tuple(tokens),
        accelerator=accelerator,
        extra=tuple(extra),
        volumes=folders.check(folders.parse(v) if isinstance(v, str) else v for v in volumes),
    )
    running = Guest(booting.prepare(image, options, progress.Progress(), app_channel=channel), image)
    try:
        yield running
    finally:
        running.kill()
