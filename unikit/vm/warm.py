"""Drives an application before it is frozen, so that it is frozen in the midst of its work: caches filled, bytecode
specialised, sockets listening."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable

from unikit.errors import ExitCode, UserError
from unikit.target.guest.kernel import WARM_SIGNAL
from unikit.vm import ports
from unikit.vm.machine import Forward

MONITOR = "monitor"
PATIENCE = 10.0  # seconds in which it may be refused, because connections are about to close
SETTLED = 0.2  # seconds after the first port in which an application opens others
PAUSE = 0.1  # seconds between attempts


class Warming:
    """Runs `command` in a shell once the application listens; then asks it to freeze.

    The command finds UNIKIT_HOST, UNIKIT_PORT and UNIKIT_URL of the first port in its environment, and of each port of
    the guest UNIKIT_PORT_n. `signal` sends one to the application, 0 ends the guest."""

    def __init__(self, command: str, deadline: float) -> None:
        self.command, self.deadline = command, deadline
        self.ours, self.theirs = socket.socketpair()
        self.signal: Callable[[int], None] = lambda number: None
        self.ports: list[int] = []
        self.error: UserError | None = None
        self.thread: threading.Thread | None = None
        self.process: subprocess.Popen[bytes] | None = None
        self.patience = PATIENCE
        self.end: float | None = None  # of its patience, once it was refused

    @property
    def options(self) -> tuple[str, ...]:
        """QEMU's, for a monitor through which a port is led into the guest when it is known which."""
        descriptor = self.theirs.fileno()
        return ("-chardev", f"socket,id={MONITOR},fd={descriptor}", "-mon", f"chardev={MONITOR},mode=readline")

    def listening(self, port: int) -> None:
        """The application listens: soon after the first time, the command begins."""
        if port not in self.ports:
            self.ports.append(port)
        if self.thread is None:
            self.thread = threading.Thread(target=self._drive, daemon=True)
            self.thread.start()

    def refused(self) -> bool:
        """It could not be frozen: whether it is asked again."""
        if self.end is None:
            self.end = time.monotonic() + self.patience
        if time.monotonic() >= self.end:
            self.signal(0)
            return False
        threading.Timer(PAUSE, self.signal, (WARM_SIGNAL,)).start()
        return True

    def failure(self, console: str) -> UserError:
        """What went wrong with the command, with the last lines of the application."""
        assert self.error is not None
        said = console.splitlines()[-20:]
        more = ("the application said:", *(f"  {line}" for line in said)) if said else ()
        error = self.error
        return UserError(error.message, code=error.code, hint=error.hint, details=(*error.details, *more))

    def close(self) -> None:
        if self.process and self.process.poll() is None:  # the application ended before it did
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
        for end in (self.ours, self.theirs):
            end.close()

    def _drive(self) -> None:
        time.sleep(SETTLED)
        try:
            self._run(tuple(self.ports))
        except UserError as error:
            self.error = error
            self.signal(0)
        else:
            self.signal(WARM_SIGNAL)

    def _forward(self, guest_ports: tuple[int, ...]) -> dict[str, str]:
        """Leads ports of this machine to those of the guest; what the command finds in its environment."""
        forwards = ports.claim(Forward(0, port) for port in guest_ports)
        self.ours.settimeout(30)
        with contextlib.suppress(OSError):
            answer = b""
            for forward in forwards:
                self.ours.sendall(f"hostfwd_add net {forward}\n".encode())
            while answer.count(b"(qemu)") < 1 + len(forwards):
                if not (data := self.ours.recv(4096)):
                    break
                answer += data
        first = forwards[0]
        known = {"UNIKIT_HOST": first.address, "UNIKIT_PORT": str(first.host)}
        known["UNIKIT_URL"] = f"http://{first.address}:{first.host}"
        return known | {f"UNIKIT_PORT_{forward.guest}": str(forward.host) for forward in forwards}

    def _run(self, guest_ports: tuple[int, ...]) -> None:
        known = self._forward(guest_ports)
        with tempfile.TemporaryFile() as output:  # no pipe: the command may leave processes behind that keep it open
            process = subprocess.Popen(
                self.command, shell=True, env={**os.environ, **known}, start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip
            self.process = process
            try:
                status = process.wait(self.deadline)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                status = None
            output.seek(0)
            said = tuple(output.read().decode(errors="replace").splitlines()[-20:])
        if status is None:
            raise UserError(
                f"The command of --warm was not done after {self.deadline:g} s.",
                code=ExitCode.DEADLINE,
                hint="It is to end by itself: give its requests a limit (curl --max-time 10).",
                details=said,
            )
        if status:
            how = f"with status {status}" if status > 0 else f"by signal {-status}"
            raise UserError(
                f"The command of --warm ended {how}.",
                code=ExitCode.FREEZE,
                hint="It runs in a shell on this machine; $UNIKIT_URL leads to the application.",
                details=said,
            )
