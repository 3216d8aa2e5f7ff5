"""Runs QEMU and stands between it and the user: console, report channel, signals, deadlines.

QEMU runs in a session of its own, because a Ctrl-C is for the guest, and dies with us whatever becomes of us.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from unikit.vm import qemu, terminal
from unikit.vm.qemu import Channels, dying_with_us
from unikit.vm.report import Log

FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
IMPATIENT = 3  # that many SIGINT or SIGTERM end QEMU itself
AFTER_EXIT = 15.0  # seconds that a guest whose application ended has to go off


@dataclass(frozen=True)
class Limits:
    """Seconds until the application must run, and until all must be over; None: no limit."""

    boot: float | None = None
    run: float | None = None


@dataclass(frozen=True)
class Ended:
    """How QEMU ended: its status (None: we ended it) and what it said; `late` is the limit that passed."""

    qemu_status: int | None
    qemu_text: str
    log: Log
    late: str | None  # "boot" or "run"
    impatient: bool = False
    stopped: bool = False


Output = Callable[[bytes], None]
OnEvent = Callable[[dict[str, Any]], "str | None"]


class Supervisor:
    """One run of QEMU. `on_event` sees every report event, and may return "stop" to end the guest."""

    def __init__(
        self,
        command: list[str],
        channels: Channels,
        limits: Limits,
        *,
        output: Output,
        on_event: OnEvent,
        interactive: bool = False,
        feed_input: bool = False,
        descriptors: tuple[int, ...] = (),
    ) -> None:
        self.command, self.channels, self.limits = command, channels, limits
        self.output, self.on_event = output, on_event
        self.interactive, self.feed_input = interactive, feed_input
        self.descriptors = descriptors  # further ones that QEMU inherits
        self.log = Log()
        self.text = b""
        self.pressed = 0
        self.commands = b""
        self.typed = b""
        self.fed = 0
        self.deadline: float | None = None
        self.late: str | None = None
        self.stopped = False
        self.waker: socket.socket | None = None
        self.selector = selectors.DefaultSelector()

    def run(self) -> Ended:
        """Run until QEMU has ended."""
        process = subprocess.Popen(
            self.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=qemu.environment(),
            pass_fds=(*self.channels.inherited, *self.descriptors),
            start_new_session=True,
            preexec_fn=dying_with_us(),
        )
        for end in self.channels.theirs:
            end.close()
        try:
            with self._signals() as wakeup, terminal.raw() if self.interactive else contextlib.nullcontext():
                self._loop(process, wakeup)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
                status = None
            else:
                status = process.returncode
            self.channels.close()
            self.selector.close()
        return Ended(
            qemu_status=status,
            qemu_text=self.text.decode(errors="replace").strip(),
            log=self.log,
            late=self.late,
            impatient=self.pressed >= IMPATIENT,
            stopped=self.stopped,
        )

    def send(self, command: str) -> None:
        """One command for the guest, over the report channel (docs/architecture.md)."""
        self.commands += command.encode() + b"\n"

    def stop(self) -> None:
        """End the guest now; the run counts as stopped, not as failed."""
        self.stopped = True

    def watch(self, descriptor: int, callback: Callable[[], None]) -> None:
        """Call back whenever a descriptor can be read, for as long as the guest runs."""
        self.selector.register(descriptor, selectors.EVENT_READ, lambda _: callback())

    def unwatch(self, descriptor: int) -> None:
        with contextlib.suppress(KeyError, ValueError):
            self.selector.unregister(descriptor)

    def _loop(self, process: subprocess.Popen[bytes], wakeup: socket.socket) -> None:
        assert process.stderr is not None
        start = time.monotonic()
        channels, events = self.channels, selectors.EVENT_READ
        os.set_blocking(process.stderr.fileno(), False)
        self.selector.register(channels.console, events, self._console)
        self.selector.register(channels.serial, events, self._console)
        self.selector.register(channels.report, events, self._report)
        self.selector.register(process.stderr, events, self._complaint)
        self.selector.register(wakeup, events, self._signal)
        if self.feed_input:
            try:
                self.selector.register(sys.stdin.fileno(), events, self._input)
            except PermissionError:  # a regular file: always ready
                self._feed(sys.stdin.buffer.read())
                self._feed(b"")
            except (ValueError, OSError):  # closed
                self._feed(b"")
        if self.interactive:
            self._send_size()
        alive = {channels.console, channels.serial, channels.report, process.stderr}
        while alive & {key.fileobj for key in self.selector.get_map().values()}:
            left = self._time_left(start)
            if left is not None and left <= 0:
                return
            self._want_writes()
            for key, mask in self.selector.select(left):
                if mask & selectors.EVENT_WRITE:
                    self._write(key.fileobj)
                if mask & selectors.EVENT_READ:
                    key.data(key.fileobj)
            if self.pressed >= IMPATIENT or self.stopped:
                return
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(AFTER_EXIT)

    def _time_left(self, start: float) -> float | None:
        """Seconds to the nearest deadline; notes which limit has passed."""
        now = time.monotonic()
        limits = []
        if self.limits.run is not None:
            limits.append((start + self.limits.run - now, "run"))
        if self.limits.boot is not None and "exec" not in self.log.phases and self.log.status is None:
            limits.append((start + self.limits.boot - now, "boot"))
        if self.log.status is not None:
            if self.deadline is None:
                self.deadline = now + AFTER_EXIT
            return self.deadline - now
        if not limits:
            return None
        left, name = min(limits)
        if left <= 0:
            self.late = "boot" if "exec" not in self.log.phases else name
        return left

    def _want_writes(self) -> None:
        """Ask for write readiness where something waits to be written."""
        for end, waiting in ((self.channels.report, self.commands), (self.channels.console, self.typed)):
            key = self.selector.get_map().get(end.fileno()) if end.fileno() >= 0 else None
            if key is not None:
                events = selectors.EVENT_READ | (selectors.EVENT_WRITE if waiting else 0)
                if key.events != events:
                    self.selector.modify(end, events, key.data)

    def _write(self, end: Any) -> None:
        report = end is self.channels.report
        waiting = self.commands if report else self.typed
        try:
            waiting = waiting[end.send(waiting) :]
        except BlockingIOError:
            pass
        except OSError:
            waiting = b""
        if report:
            self.commands = waiting
        else:
            self.typed = waiting

    def _receive(self, end: socket.socket) -> bytes:
        try:
            data = end.recv(65536)
        except BlockingIOError:
            return b""
        except OSError:
            data = b""
        if not data:
            self.selector.unregister(end)
        return data

    def _console(self, end: socket.socket) -> None:
        data = self._receive(end)
        if data:
            self.output(data)

    def _report(self, end: socket.socket) -> None:
        events = self.log.feed(self._receive(end))
        self.commands += self.log.answers(events)
        for event in events:
            if self.on_event(event) == "stop":
                self.stopped = True

    def _complaint(self, stream: Any) -> None:
        try:
            data = os.read(stream.fileno(), 65536)
        except BlockingIOError:
            return
        self.text += data
        if not data:
            self.selector.unregister(stream)

    def _input(self, descriptor: int) -> None:
        data = os.read(descriptor, 4096)
        if not data:
            self.selector.unregister(descriptor)
        self._feed(data)

    def _feed(self, data: bytes) -> None:
        """Input for the guest; none is the end of it, which the guest counts in bytes."""
        if not data:
            self.commands += b"eof %d\n" % self.fed
        self.typed += data
        self.fed += len(data)

    def _signal(self, wakeup: socket.socket) -> None:
        for number in wakeup.recv(256):
            if number == 0:
                self.stopped = True
                continue
            if number == signal.SIGWINCH:
                self._send_size()
                continue
            self.commands += b"signal %d\n" % number
            if number in (signal.SIGINT, signal.SIGTERM):
                self.pressed += 1

    def signal(self, number: int) -> None:
        """From another thread: the application gets a signal; 0 ends the guest."""
        if self.waker is not None:
            with contextlib.suppress(OSError):
                self.waker.send(bytes([number]))

    def _send_size(self) -> None:
        self.commands += b"winsize %d %d\n" % terminal.size()

    @contextlib.contextmanager
    def _signals(self) -> Iterator[socket.socket]:
        """Signals become bytes of a socket for as long as the guest runs."""
        reader, writer = socket.socketpair()
        reader.setblocking(False)
        writer.setblocking(False)
        self.waker = writer
        numbers = [*FORWARDED, *([signal.SIGWINCH] if self.interactive else [])]
        before = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        handlers = {number: signal.signal(number, lambda *_: None) for number in numbers}
        try:
            yield reader
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(before)
            reader.close()
            writer.close()
