"""Runs the guest program with a plan on one of two sides, and says what became of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

from tests.conformance import modules
from tests.conformance.image import PROGRAM
from unikit import progress
from unikit.errors import UserError
from unikit.image.image import Image
from unikit.vm import boot, report

Plan = dict[str, Any]
Hear = Callable[[dict[str, Any]], None]
STARTING = 120.0  # seconds for the boot and for what a run does beside the cases
MEMORY = 1024  # MiB


@dataclass
class Side:
    """`deadline` in seconds is for a case; `run` for all modules of a plan."""

    name: str
    deadline: float
    run: float
    log: Path  # where what the tests print goes
    left: ClassVar[tuple[str, ...]] = ()  # cases that it does not begin

    def go(self, plan: Plan, hear: Hear) -> str:
        """Runs to the end; what ended it, in words: empty if the program came to its end."""
        raise NotImplementedError


@dataclass
class GuestSide(Side):
    image: Image
    left: ClassVar[tuple[str, ...]] = modules.ENDLESS
    accelerator: str | None = None

    def go(self, plan: Plan, hear: Hear) -> str:
        over = False

        def on_event(event: dict[str, Any]) -> str | None:
            nonlocal over
            if event["event"] == "app":
                message = json.loads(event["text"])
                over = over or bool(message.get("over"))
                hear(message)
            return None

        options = boot.Options(
            memory=MEMORY,
            arguments=(json.dumps({**plan, "deadline": self.deadline, "report": "/dev/unikit/report"}),),
            boot_limit=STARTING,
            run_limit=self.run,
            accelerator=self.accelerator,
        )
        with self.log.open("ab") as log:

            def output(data: bytes) -> None:
                log.write(data)

            try:
                outcome = boot.run(self.image, options, Logged(log), output=output, on_event=on_event)
            except UserError as error:
                words = "\n".join([error.message, *error.details])
                log.write(words.encode())
                return words
            ended = outcome.ended.log
            if over:
                return ""
            if ended.crash:
                return "\n".join(report.crash(ended.crash, self.image.manifest)[:8])
            return f"ended with status {outcome.status}: {ended.stderr[-3000:]}"


class Logged(progress.Progress):
    """Writes what a run warns of beside what the tests print."""

    def __init__(self, log: BinaryIO) -> None:
        super().__init__()
        self.log = log

    def warn(self, text: str) -> None:
        self.log.write(f"{text}\n".encode())

    def alert(self, first: str, *rest: str) -> None:
        self.warn("\n".join([first, *rest]))


@dataclass
class HostSide(Side):
    python: str = "/usr/bin/python3"

    def go(self, plan: Plan, hear: Hear) -> str:
        with tempfile.TemporaryDirectory(prefix="conformance-") as folder:
            told = Path(folder, "report")
            told.touch()
            line = [self.python, "-X", "utf8", str(PROGRAM)]
            line.append(json.dumps({**plan, "deadline": self.deadline, "report": str(told)}))
            environment = {
                "PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": folder, "TMPDIR": folder,
                "PYTHONFAULTHANDLER": "1", "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1",
                "PYTHONCOERCECLOCALE": "0", "PYTHONNOUSERSITE": "1", "LANG": "C.UTF-8",
            }  # fmt: skip
            with self.log.open("ab") as log:
                start = log.tell()
                process = subprocess.Popen(
                    line, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, cwd=folder,
                    start_new_session=True,
                )  # fmt: skip
                try:
                    status = process.wait(self.run)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)
                    status = process.wait()
            messages = [json.loads(text) for text in told.read_text().splitlines()]
            for message in messages:
                hear(message)
            if messages and messages[-1].get("over"):
                return ""
            with self.log.open("rb") as log_file:
                log_file.seek(start)
                said = log_file.read().decode(errors="replace")
            return f"ended with status {status}: {said[-3000:]}"
