"""How the tool says what it is doing: on a terminal, as plain lines, as JSON lines for machines, or not at all.

Progress goes to standard error, so that standard output is the application's; JSON lines go to standard output.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Iterator
from typing import Any, TextIO

from rich.console import Console

from unikit.errors import UserError


class Progress:
    """The quiet one, and the interface: steps may nest; `event` is for machines only."""

    def __init__(self) -> None:
        self.depth = 0

    @contextlib.contextmanager
    def step(self, title: str) -> Iterator[None]:
        """A piece of work that takes time."""
        start = time.monotonic()
        self.begin(title)
        self.depth += 1
        try:
            yield
        finally:
            self.depth -= 1
        self.end(title, time.monotonic() - start)

    def begin(self, title: str) -> None: ...

    def end(self, title: str, seconds: float) -> None: ...

    def note(self, text: str) -> None:
        """Something worth knowing."""

    def warn(self, text: str) -> None:
        """Something that may be wrong."""

    def alert(self, first: str, *rest: str) -> None:
        """Something that went wrong in the guest; said even by the quiet one."""
        print(first, *rest, sep="\n", file=sys.stderr, flush=True)

    def event(self, kind: str, **members: Any) -> None:
        """Something for a machine to read."""

    def error(self, error: UserError) -> None:
        """The last words before the command ends; said even by the quiet one."""
        for line in error.details:
            print(line, file=sys.stderr)
        print(f"error: {error.message}", file=sys.stderr)
        if error.hint:
            print(f"hint: {error.hint}", file=sys.stderr)


class Plain(Progress):
    """A line a step, for logs."""

    def __init__(self, stream: TextIO | None = None) -> None:
        super().__init__()
        self.stream = stream or sys.stderr

    def _line(self, text: str) -> None:
        print("  " * self.depth + text, file=self.stream, flush=True)

    def end(self, title: str, seconds: float) -> None:
        self._line(f"{title} ({seconds:.1f} s)")

    def note(self, text: str) -> None:
        self._line(text)

    def warn(self, text: str) -> None:
        self._line(f"warning: {text}")


class Terminal(Progress):
    """A spinner while a step runs, a line when it is done."""

    def __init__(self) -> None:
        super().__init__()
        self.console = Console(stderr=True, highlight=False)
        self.titles: list[str] = []
        self.status = self.console.status("")

    def begin(self, title: str) -> None:
        self.titles.append(title)
        self.status.update(f"{title} ...")
        self.status.start()

    @contextlib.contextmanager
    def step(self, title: str) -> Iterator[None]:
        try:
            with super().step(title):
                yield
        except BaseException:
            self.titles.pop()
            self.status.stop()
            raise

    def end(self, title: str, seconds: float) -> None:
        self.titles.pop()
        self.console.print(f"{'  ' * self.depth}[green]✓[/] {title} [dim]{seconds:.1f} s[/]")
        if self.titles:
            self.status.update(f"{self.titles[-1]} ...")
        else:
            self.status.stop()

    def note(self, text: str) -> None:
        self.console.print(f"{'  ' * self.depth}{text}", markup=False)

    def warn(self, text: str) -> None:
        self.console.print("[yellow]warning:[/] ", end="")
        self.console.print(text, markup=False)

    def alert(self, first: str, *rest: str) -> None:
        self.console.print(first, style="bold", markup=False, soft_wrap=True)
        for line in rest:
            self.console.print(line, markup=False, soft_wrap=True)

    def error(self, error: UserError) -> None:
        for line in error.details:
            self.console.print(line, markup=False, soft_wrap=True)
        self.console.print("[bold red]error:[/] ", end="")
        self.console.print(error.message, markup=False, soft_wrap=True)
        if error.hint:
            self.console.print("[cyan]hint:[/] ", end="")
            self.console.print(error.hint, markup=False, soft_wrap=True)


class Json(Progress):
    """One JSON object a line on standard output."""

    def event(self, kind: str, **members: Any) -> None:
        print(json.dumps({"event": kind, **members}, default=str), flush=True)

    def begin(self, title: str) -> None:
        self.event("begin", title=title, depth=self.depth)

    def end(self, title: str, seconds: float) -> None:
        self.event("end", title=title, depth=self.depth, seconds=round(seconds, 3))

    def note(self, text: str) -> None:
        self.event("note", text=text)

    def warn(self, text: str) -> None:
        self.event("warning", text=text)

    def alert(self, first: str, *rest: str) -> None:
        self.event("alert", text=first, lines=list(rest))

    def error(self, error: UserError) -> None:
        self.event(
            "error",
            code=int(error.code),
            name=error.code.name.lower(),
            message=error.message,
            hint=error.hint,
            details=list(error.details),
        )


def choose(*, machine: bool = False, quiet: bool = False) -> Progress:
    """The progress that fits the options and where standard error leads."""
    if machine:
        return Json()
    if quiet:
        return Progress()
    return Terminal() if sys.stderr.isatty() else Plain()
