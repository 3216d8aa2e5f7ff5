"""Drives an application before it is frozen, so that it is frozen in the midst of its work: caches filled, bytecode
specialised, sockets listening."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable

from unikit.errors import ExitCode, UserError
from unikit.vm import ports
from unikit.vm.machine import Forward

MONITOR = "monitor"
PATIENCE = 10.0  # seconds in which it may be refused, because connections are about to close
PAUSE = 0.1  # seconds between attempts
SIGNAL = 64  # tells the application to freeze now (target/freeze.py)


class Warming:
    """Runs `command` in a shell once the application listens; then asks it to freeze.

    The command finds UNIKIT_HOST, UNIKIT_PORT and UNIKIT_URL in its environment. `signal` sends one to the
    application, 0 ends the guest."""

    def __init__(self, command: str, deadline: float) -> None:
        self.command, self.deadline = command, deadline
        self.ours, self.theirs = socket.socketpair()
        self.signal: Callable[[int], None] = lambda number: None
        self.error: UserError | None = None
        self.thread: threading.Thread | None = None
        self.ended = threading.Event()
        self.patience = PATIENCE
        self.end: float | None = None  # of its patience, once it was refused

    @property
    def options(self) -> tuple[str, ...]:
        """QEMU's, for a monitor through which a port is led into the guest when it is known which."""
        descriptor = self.theirs.fileno()
        return ("-chardev", f"socket,id={MONITOR},fd={descriptor}", "-mon", f"chardev={MONITOR},mode=readline")

    def listening(self, port: int) -> None:
        """The application listens: the first time, the command begins."""
        if self.thread is None:
            self.thread = threading.Thread(target=self._drive, args=(port,), daemon=True)
            self.thread.start()

    def refused(self) -> bool:
        """It could not be frozen: whether it is asked again."""
        if self.end is None:
            self.end = time.monotonic() + self.patience
        if time.monotonic() >= self.end:
            self.signal(0)
            return False
        threading.Timer(PAUSE, self.signal, (SIGNAL,)).start()
        return True

    def failure(self, console: str) -> UserError:
        """What went wrong with the command, with the last lines of the application."""
        assert self.error is not None
        said = console.splitlines()[-20:]
        more = ("the application said:", *(f"  {line}" for line in said)) if said else ()
        error = self.error
        return UserError(error.message, code=error.code, hint=error.hint, details=(*error.details, *more))

    def close(self) -> None:
        self.ended.set()
        for end in (self.ours, self.theirs):
            end.close()

    def _drive(self, port: int) -> None:
        try:
            self._run(port)
        except UserError as error:
            self.error = error
            self.signal(0)
        else:
            self.signal(SIGNAL)

    def _run(self, port: int) -> None:
        (forward,) = ports.claim((Forward(0, port),))
        self.ours.settimeout(30)
        with contextlib.suppress(OSError):
            self.ours.sendall(f"hostfwd_add net {forward}\n".encode())
            answer = b""
            while answer.count(b"(qemu)") < 2:
                if not (data := self.ours.recv(4096)):
                    break
                answer += data
        url = f"http://{forward.address}:{forward.host}"
        known = {"UNIKIT_HOST": forward.address, "UNIKIT_PORT": str(forward.host), "UNIKIT_URL": url}
        try:
            done = subprocess.run(
                self.command, shell=True, env={**os.environ, **known}, timeout=self.deadline,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise UserError(
                f"The command of --warm was not done after {self.deadline:g} s.",
                code=ExitCode.DEADLINE,
                hint="It is to end by itself: give its requests a limit (curl --max-time 10).",
                details=tuple((error.stdout or b"").decode(errors="replace").splitlines()[-20:]),
            ) from error
        if done.returncode:
            how = f"with status {done.returncode}" if done.returncode > 0 else f"by signal {-done.returncode}"
            raise UserError(
                f"The command of --warm ended {how}.",
                code=ExitCode.FREEZE,
                hint="It runs in a shell on this machine; $UNIKIT_URL leads to the application.",
                details=tuple(done.stdout.decode(errors="replace").splitlines()[-20:]),
            )
