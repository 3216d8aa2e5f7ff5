"""`unikit build --trace`: boots the application with nothing pruned, drives it from the host, and notes in the lock
file which modules, files and system calls it used.

The guest's kernel keeps the account (runtimes/trace/) and tells it over the report channel, so the application runs as
ever. A command finds the service by environment variables: UNIKIT_ADDRESS and UNIKIT_PORT (the first port), UNIKIT_URL,
and UNIKIT_PORT_N for each port N of the guest."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from unikit import pipeline
from unikit.analysis import lock
from unikit.errors import ExitCode, UserError
from unikit.image.image import Image
from unikit.model import Source
from unikit.pipeline import Request
from unikit.progress import Progress
from unikit.vm import boot, ports
from unikit.vm.machine import Forward
from unikit.vm.report import number
from unikit.vm.supervisor import Supervisor

BOOTS = 4  # one more for each port that nobody named
SERVED = 8080  # where a served application listens unless it is told otherwise
GOODBYE = 30.0  # seconds that a service has to end when it is asked to


@dataclass(frozen=True)
class Plan:
    """How to drive the application: commands for the shell, one after the other; ports that lead into the guest;
    seconds that each command, or a run without one, may take."""

    commands: tuple[str, ...]
    forwards: tuple[Forward, ...] = ()
    limit: float = 300.0
    options: boot.Options = field(default_factory=boot.Options)


def trace(request: Request, plan: Plan, progress: Progress) -> Path:
    """Build for tracing, run, and write the lock file; returns its path.

    Raises UserError: whatever a build or a run raises, and TRACE."""
    build = pipeline.run(replace(request, tracing=True, freeze=False, compress=pipeline.NOT_COMPRESSED), progress)
    image: Image = build.values["image"]
    source = build.source
    named = plan.forwards or tuple(Forward(0, port) for port in _ports(source))
    forwards = named
    for _ in range(BOOTS):
        run = _Run(plan, source, ports.claim(forwards), asked=bool(named), progress=progress)
        with progress.step("Tracing the application"):
            run.boot(image)
        if run.unknown is None:
            break
        forwards = (*forwards, Forward(0, run.unknown))
        progress.note(f"the application listens on port {run.unknown}: once more, with that port")
    run.check()
    commands = tuple(c for c in plan.commands if c.strip())
    return lock.write(source, lock.of(source, commands, run.files, run.calls))


def _ports(source: Source) -> tuple[int, ...]:
    return source.settings.ports or ((SERVED,) if source.served else ())


class _Run:
    """One boot under observation."""

    def __init__(
        self, plan: Plan, source: Source, forwards: tuple[Forward, ...], *, asked: bool, progress: Progress
    ) -> None:
        self.plan, self.source, self.forwards, self.asked, self.progress = plan, source, forwards, asked, progress
        self.files: set[str] = set()
        self.calls: set[str] = set()
        self.unknown: int | None = None  # a port that the application listens on and that leads nowhere
        self.failure: UserError | None = None
        self.waiting = [command for command in plan.commands if command.strip()]
        self.driven = bool(self.waiting)
        self.process: subprocess.Popen[bytes] | None = None
        self.done = False  # nothing more will be driven
        self.whole = self.lost = False
        self.status: int | None = None
        self._undo: list[Callable[[], None]] = []

    # -- the run

    def boot(self, image: Image) -> None:
        options = replace(self.plan.options, forwards=self.forwards, run_limit=None)
        try:
            outcome = boot.run(
                image, options, self.progress, output=_to_stderr, on_event=self.see, on_start=self.started
            )
        finally:
            self._kill()
            while self._undo:
                self._undo.pop()()
        self.status = None if outcome.ended.stopped else outcome.status

    def started(self, supervisor: Supervisor) -> None:
        self.supervisor = supervisor
        if not self.driven:
            self._after(self.plan.limit, self._ask)

    def see(self, event: dict[str, Any]) -> str | None:
        match event.get("event"), event.get("kind"):
            case "listen", _ if event.get("proto") == "tcp":
                return self._listening(number(event.get("port")))
            case "trace", "file":
                self.files.add(str(event.get("path")))
            case "trace", "call":
                self.calls.add(str(event.get("name")))
            case "trace", "lost":
                self.lost = True
            case "trace", "end":
                self.whole = True
                if self.done:  # the answer to our question; there is another account at the end
                    self.supervisor.send(f"signal {int(signal.SIGTERM)}")
        return "stop" if self.failure else None

    def _listening(self, port: int) -> str | None:
        if self.process is not None or self.done or not self.driven:
            return None
        if not any(f.guest == port for f in self.forwards):
            if self.asked:
                return None
            self.unknown = port
            return "stop"
        if not self.asked or port == self.forwards[0].guest:
            self.forwards = tuple(sorted(self.forwards, key=lambda f: f.guest != port))
            self._next()
        return None

    # -- the commands

    def _next(self) -> None:
        """Start the next command, or ask for the account if there is none."""
        if not self.waiting:
            self._ask()
            return
        command = self.waiting.pop(0)
        self.progress.note(f"$ {command}")
        sys.stderr.flush()
        process = self.process = subprocess.Popen(
            command, shell=True, env={**os.environ, **self._environment()}, stdin=subprocess.DEVNULL,
            stdout=sys.stderr.fileno(), start_new_session=True,
        )  # fmt: skip
        descriptor = os.pidfd_open(process.pid)
        self._undo.append(lambda: os.close(descriptor))
        stop = self._after(self.plan.limit, lambda: self._late(command))

        def ended() -> None:
            self.supervisor.unwatch(descriptor)
            stop()
            status = process.wait()
            if status:
                self._fail(f"The command ended with status {status}: {command}", "mend the command, or the application")
            elif self.failure is None:
                self._next()

        self.supervisor.watch(descriptor, ended)

    def _environment(self) -> dict[str, str]:
        first = self.forwards[0]
        found = {f"UNIKIT_PORT_{f.guest}": str(f.host) for f in self.forwards}
        url = f"http://{first.address}:{first.host}"
        return {**found, "UNIKIT_ADDRESS": first.address, "UNIKIT_PORT": str(first.host), "UNIKIT_URL": url}

    def _ask(self) -> None:
        """All is driven: have the guest say what it used, then ask the application to end."""
        self.done = True
        self.supervisor.send("trace")
        self._after(GOODBYE, self.supervisor.stop)

    def _late(self, command: str) -> None:
        self._fail(f"The command was still running after {self.plan.limit:g} s: {command}", "--trace-timeout SECONDS")

    def _fail(self, message: str, hint: str) -> None:
        self.failure = UserError(f"{message.rstrip('.')}.", code=ExitCode.TRACE, hint=hint)
        self.supervisor.stop()

    def _kill(self) -> None:
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def _after(self, seconds: float, callback: Callable[[], None]) -> Callable[[], None]:
        """Calls back in the supervisor's loop after a while; returns what calls it off."""
        reader, writer = socket.socketpair()
        timer = threading.Timer(seconds, writer.send, (b".",))
        timer.daemon = True
        timer.start()

        def fire() -> None:
            off()
            callback()

        def off() -> None:
            timer.cancel()
            self.supervisor.unwatch(reader.fileno())

        self.supervisor.watch(reader.fileno(), fire)
        self._undo += [timer.cancel, reader.close, writer.close]
        return off

    # -- the end

    def check(self) -> None:
        """Raises UserError (TRACE) unless the run says all that it should."""
        if self.failure:
            raise self.failure
        if self.unknown is not None:
            raise UserError(
                f"The application listens on ever new ports, {self.unknown} the last.",
                code=ExitCode.TRACE,
                hint="name the one that the command needs: -p HOST:GUEST",
            )
        if self.driven and not self.done:
            what = "while the command was running" if self.process else "before it listened on a port"
            raise UserError(
                f"The application ended with status {self.status} {what}.",
                code=ExitCode.TRACE,
                hint=f'for a program that ends by itself: unikit build --trace "" {self.source.app}',
            )
        if not self.done and self.status:
            raise UserError(
                f"The application ended with status {self.status}.",
                code=ExitCode.TRACE,
                hint="a trace needs a run that succeeds",
            )
        if self.lost or not self.whole:
            raise UserError(
                "The guest did not say all that it used.", code=ExitCode.TRACE, hint="give it more memory: -m 512M"
            )


def _to_stderr(data: bytes) -> None:
    sys.stderr.buffer.write(data)
    sys.stderr.flush()
