"""Runs tests in the guest, for `pytest --unikit`: the program of a test-suite's image.

Over /dev/virtio-ports/unikit.app come JSON lines: first {"options", "args", "cwd", "environment"} for pytest's
configuration, then one {"run": test, "next": test or null} after the other, where a test is [file, what follows it in
the node id], at the end {}. The answers are JSON lines as well, told apart by "kind": collect, report, warning,
internal, interrupt, error, collected, done, finished; reports are in pytest's own serialised form.

Where the image is to be frozen (`pytest --unikit --freeze`), there is no channel while tests are collected: what comes
first is in a file, and what is to be said waits. Each boot goes on from there, with the channel, on which comes first
{"options"}: those that may be others than at the freeze.
"""

from __future__ import annotations

import functools
import io
import json
import os
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

PORT = "/dev/virtio-ports/unikit.app"
SETUP = "/.unikit/pytest_setup.json"


class Channel:
    """Lines to and from the host; any thread may send. What is sent before it is open waits."""

    def __init__(self) -> None:
        self.descriptor: int | None = None
        self.lock = threading.Lock()
        self.waiting = b""
        self.rest = b""

    def open(self) -> None:
        self.descriptor = os.open(PORT, os.O_RDWR | os.O_CLOEXEC)
        with self.lock:
            self._write()

    def send(self, kind: str, **members: Any) -> None:
        # json escapes what is not ASCII, lone surrogates too; what it has no form for is shown as repr does
        data = json.dumps({"kind": kind, **members}, default=repr).encode() + b"\n"
        with self.lock:
            self.waiting += data
            self._write()

    def complaint(self) -> str:
        """Of what waits, the text of what went wrong."""
        messages = [json.loads(line) for line in self.waiting.splitlines()]
        return "\n".join(str(m["text"]) for m in messages if m["kind"] in ("internal", "error", "interrupt"))

    def _write(self) -> None:
        while self.waiting and self.descriptor is not None:
            self.waiting = self.waiting[os.write(self.descriptor, self.waiting) :]

    def lines(self) -> Iterator[Any]:
        while self.descriptor is not None:
            line, newline, rest = self.rest.partition(b"\n")
            if newline:
                self.rest = rest
                yield json.loads(line)
                continue
            data = os.read(self.descriptor, 65536)
            if not data:
                return
            self.rest += data


def tagged(value: Any) -> Any:
    """`value` with its tuples as objects: JSON has lists alone, and some plugins tell the two apart."""
    if isinstance(value, tuple):
        return {"tuple": [tagged(v) for v in value]}
    if isinstance(value, list):
        return [tagged(v) for v in value]
    if isinstance(value, dict):
        return {k: tagged(v) for k, v in value.items()}
    return value


def test_of(item: Any) -> tuple[str, str]:
    """What host and guest both call a test by: its file, and what follows the file in its node id."""
    _, colons, rest = item.nodeid.partition("::")
    return str(item.path), colons + rest


class Worker:
    """The plugin: the loop over tests is the host's, and what pytest has to say goes there."""

    def __init__(self, config: Any, channel: Channel) -> None:
        self.config, self.channel = config, channel

    def pytest_collectreport(self, report: Any) -> None:
        if not report.passed:
            self._report("collect", report, path=str(self.config.rootpath / report.nodeid.partition("::")[0]))

    def pytest_runtest_logreport(self, report: Any) -> None:
        self._report("report", report)

    def _report(self, kind: str, report: Any, **members: Any) -> None:
        data = self.config.hook.pytest_report_to_serializable(config=self.config, report=report)
        self.channel.send(kind, data=tagged(data), **members)

    def pytest_warning_recorded(self, warning_message: Any, when: str, nodeid: str, location: Any) -> None:
        self.channel.send(
            "warning",
            text=str(warning_message.message),
            category=[warning_message.category.__module__, warning_message.category.__qualname__],
            filename=warning_message.filename,
            lineno=warning_message.lineno,
            when=when,
            nodeid=nodeid,
            location=location,
        )

    def pytest_internalerror(self, excrepr: Any) -> None:
        self.channel.send("internal", text=str(excrepr))

    def pytest_keyboard_interrupt(self, excinfo: Any) -> None:
        code = getattr(excinfo.value, "returncode", None)  # of pytest.exit()
        self.channel.send("interrupt", name=excinfo.typename, text=str(excinfo.value), status=code)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: Any) -> bool:
        items = {test_of(item): item for item in session.items}
        commands = self.channel.lines()
        if self.channel.descriptor is None:
            _freeze(self.channel)
            vars(self.config.option).update(next(commands)["options"])
        self.channel.send("collected", count=len(items))
        for command in commands:
            if "run" not in command:
                break
            item = items.get(tuple(command["run"]))
            following = items.get(tuple(command["next"] or ()))
            if item is not None:
                self.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            self.channel.send("done", found=item is not None, stop=session.shouldstop or "")
            if session.shouldstop:
                break
        return True


def _silent_writer(config: Any) -> Any:
    """What stands for the terminal: there is none here, but up to pytest 9.0 each explanation of a failed comparison
    asks it how to highlight."""
    from _pytest.config import create_terminal_writer

    return create_terminal_writer(config, io.StringIO())


def _freeze(channel: Channel) -> None:
    """Everything is collected: the memory becomes the image, and what follows happens in each boot of it."""
    import unikit

    unikit.freeze()
    channel.open()


def main() -> int:
    channel = Channel()
    try:
        with open(SETUP, encoding="utf-8") as file:
            setup = json.load(file)
    except FileNotFoundError:
        channel.open()
        setup = next(channel.lines(), None)
    if setup is None:
        return 2
    os.environ.update(setup["environment"])
    try:
        os.makedirs(setup["cwd"], exist_ok=True)
        os.chdir(setup["cwd"])
        config = pytest.Config.fromdictargs(setup["options"], setup["args"])
        config.get_terminal_writer = functools.partial(_silent_writer, config)  # type: ignore[method-assign]
        config.pluginmanager.register(Worker(config, channel), "unikit-worker")
        status = int(config.hook.pytest_cmdline_main(config=config))
    except BaseException as error:
        import traceback

        text = "".join(traceback.format_exception(error))
        channel.send("error", text=text, name=type(error).__name__, message=str(error))
        status = 3
    if channel.descriptor is None:  # nothing was frozen: the build shows what there is
        print(channel.complaint(), file=sys.stderr)
    channel.send("finished", status=status)
    return status


if __name__ == "__main__":
    sys.exit(main())
