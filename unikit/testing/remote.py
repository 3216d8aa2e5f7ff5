"""`pytest --unikit`, the host's side: pytest collects and decides here, each test runs in the guest.

Only the protocol of a single test is replaced, so what selects, orders, counts and shows tests is pytest's own. The
guest collects the same files, is told one test after the other, and its reports are handed to the hooks as if the test
had run here. When the guest is lost, the test it was at has failed, and the next one gets a fresh boot.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from unikit.testing import options, reports

if TYPE_CHECKING:
    from unikit.image.image import Image
    from unikit.testing.guest import Guest

START_LIMIT = 120.0  # seconds until the guest's program runs
COLLECT_LIMIT = 1800.0  # seconds until it has collected
FINISH_LIMIT = 60.0  # seconds for the last fixtures to be torn down, when the tests have no limit
STACKS_LIMIT = 15.0  # seconds that a guest which hangs has to say where
CONSOLE = 6000  # characters of the console that a report of a crash shows
OUR_FRAMES = ("/_pytest/", "/pluggy/", '"/.unikit/')
ATTEMPTS = 3  # boots in a row that fail before a test ran


class Lost(Exception):
    """The guest is gone; the text says why."""


class Remote:
    """The plugin. One guest at a time, booted when the first test is to run."""

    def __init__(self, config: pytest.Config) -> None:
        option = config.option
        if getattr(option, "usepdb", False) or getattr(option, "trace", False):
            raise pytest.UsageError("--pdb and --trace need the tests on this host: leave out --unikit")
        if getattr(option, "numprocesses", None) or getattr(option, "dist", "no") != "no":
            raise pytest.UsageError("--unikit runs one guest: leave out -n")
        self.config = config
        self.limit: float | None = option.unikit_timeout or None
        self.files: set[Path] = set()
        self.modules: tuple[str, ...] = ()
        self.search = tuple(Path(p or os.curdir).resolve() for p in sys.path if p == "" or os.path.isdir(p))
        self.image: Image | None = None
        self.guest: Guest | None = None
        self.context: contextlib.ExitStack | None = None
        self.collected: dict[str, list[Any]] = {}  # by file, the reports of what could not be collected in the guest
        self.places: dict[str, str] = {}  # file of a test on this host -> in the guest
        self.failed_boots = 0
        self.written = 0  # characters on the guest's console when the test began
        self.interrupted = False
        timeouts = config.pluginmanager.get_plugin("timeout")
        if timeouts is not None:  # pytest-timeout's clock runs in the guest
            config.pluginmanager.unregister(timeouts)

    def pytest_report_header(self) -> str:
        limit = f"{self.limit:g} s a test" if self.limit else "no limit"
        return f"unikit: tests run in a guest, {limit}"

    # ---- the session

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        self.files = {item.path for item in items}  # whatever is selected of them: one image does for all

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self) -> None:
        self.modules = tuple(sorted(sys.modules))  # before anything of ours is imported

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """Builds and boots the image, if there is something to run; the loop itself is pytest's."""
        option = self.config.option
        broken = session.testsfailed and not option.continue_on_collection_errors
        if option.collectonly or not session.items or broken:
            return
        from unikit.errors import UserError

        try:
            self._build(session)
        except UserError as error:
            raise stop(error) from None
        with contextlib.suppress(Lost):  # the first test tries again, and tells
            self._boot(session.items[0])

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool:
        hook = item.ihook
        try:
            guest: Guest | Lost = self.guest or self._boot(item)
        except Lost as lost:
            guest = lost
        hook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        test = reports.Test(item)
        try:
            if isinstance(guest, Lost):
                raise guest
            self.written = len(guest.console())
            self._run(guest, test, nextitem)
        except Lost as lost:
            self._abandon()
            test.lost(str(lost))
        except KeyboardInterrupt:
            self.interrupted = True
            if self.guest is not None:
                self.guest.send_signal(signal.SIGINT)
            raise
        hook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """The guest tears down what is left and goes off."""
        try:
            if self.guest is not None:
                self._finish(self.guest)
        except (Lost, KeyboardInterrupt) as lost:
            self._note(f"the guest did not end well: {lost}")
        finally:
            self._abandon()

    def _finish(self, guest: Guest) -> None:
        self._say(guest, {})
        end = time.monotonic() + (10.0 if self.interrupted else self.limit or FINISH_LIMIT)
        while (message := self._hear(guest, end))["kind"] != "finished":
            if message["kind"] in ("internal", "error") and not self.interrupted:
                self._note(str(message["text"]))
        with contextlib.suppress(AssertionError):
            guest.wait(FINISH_LIMIT)

    # ---- the guest

    def _build(self, session: pytest.Session) -> None:
        from unikit import pipeline, progress
        from unikit.testing import suite

        files = self.files | {item.path for item in session.items}
        conftests = {
            Path(file)
            for plugin in self.config.pluginmanager.get_plugins()
            if (file := getattr(plugin, "__file__", None)) and Path(file).name == "conftest.py"
        }
        described = suite.Suite(
            root=self.config.rootpath,
            tests=tuple(sorted(files | conftests)),
            modules=self.modules,
            search=self.search,
            rewrite=self.config.option.assertmode == "rewrite",
            files=tuple(Path(name).resolve() for name in self.config.option.unikit_file),
        )
        start = time.monotonic()
        self.places = suite.places(described, sys.executable, files)
        if self.config.option.unikit_freeze:
            described = replace(described, setup=options.frozen(self.config, sorted(self.places.values())))
        self.image = pipeline.image_of(suite.request(described), progress.Progress())
        kind = "frozen image" if self.image.manifest.frozen else "image"
        size = self.image.path.stat().st_size / 2**20
        self._note(f"{kind} of {size:.0f} MiB ({time.monotonic() - start:.1f} s)")

    def _boot(self, first: pytest.Item) -> Guest:
        """A guest that has collected the files of the tests from `first` on."""
        from unikit import errors
        from unikit.testing import guest

        assert self.image is not None
        start = time.monotonic()
        self.context = contextlib.ExitStack()
        try:
            running = self.context.enter_context(
                guest.boot(self.image, channel=True, **options.boot(self.config.option, self.image))
            )
        except errors.UserError as error:
            raise stop(error) from None
        self.guest = running
        if self.config.option.capture == "no":
            running.on_console = _show
        items = first.session.items
        rest = items[items.index(first) :]
        if self.config.option.unikit_freeze:
            self._say(running, options.thawed(self.config))
        else:
            files = list(dict.fromkeys(self.places[str(item.path)] for item in rest))
            self._say(running, options.setup(self.config, files))
        self.collected.clear()
        try:
            self._hear_collected(running)
        except Lost as lost:
            self._abandon()
            self.failed_boots += 1
            if self.failed_boots >= ATTEMPTS:
                raise pytest.exit.Exception(f"the guest cannot run these tests: {lost}", returncode=3) from None
            raise
        self._note(f"booted ({self.options_used.accelerator}), {len(rest)} tests ({time.monotonic() - start:.1f} s)")
        return running

    @property
    def options_used(self) -> Any:
        assert self.guest is not None
        return self.guest.options

    def _hear_collected(self, running: Guest) -> None:
        end = time.monotonic() + COLLECT_LIMIT
        running.wait_for(lambda: "exec" in running.log.phases or running.log.status is not None, "boot", START_LIMIT)
        while True:
            message = self._hear(running, end)
            if message["kind"] == "collected":
                return
            if message["kind"] == "collect":
                self.collected.setdefault(message["path"], []).append(reports.report(self.config, message["data"]))
            elif message["kind"] in ("internal", "error"):
                raise Lost(f"pytest does not start in the guest:\n{message['text']}")
            elif message["kind"] == "interrupt":
                self._interrupt(message)

    def _say(self, guest: Guest, message: dict[str, Any]) -> None:
        try:
            guest.say(json.dumps(message).encode() + b"\n")
        except OSError:
            raise Lost(self._why(guest)) from None

    def _hear(self, guest: Guest, end: float | None) -> dict[str, Any]:
        """The guest's next message. Raises Lost."""
        from unikit.testing.guest import GuestFailed

        try:
            line = guest.hear(None if end is None else max(0.001, end - time.monotonic()))
        except TimeoutError:
            raise Lost(self._stacks(guest)) from None
        except GuestFailed:
            raise Lost(self._why(guest)) from None
        message: dict[str, Any] = json.loads(line)
        return message

    def _stacks(self, guest: Guest) -> str:
        """A guest that took too long says where its threads are: Python's fault handler shows them at SIGABRT."""
        from unikit.testing.guest import GuestFailed

        guest.send_signal(signal.SIGABRT)
        with contextlib.suppress(GuestFailed):
            guest.wait(STACKS_LIMIT)
        limit = f"{self.limit:g} s" if self.limit else "its limit"
        return f"The test took longer than {limit} (--unikit-timeout).\n{self._tail(guest)}"

    def _why(self, guest: Guest) -> str:
        from unikit.testing.guest import GuestFailed

        with contextlib.suppress(GuestFailed):
            guest.wait(FINISH_LIMIT)
        return "\n".join(["The guest ended in the middle of the test.", *guest.verdict(), self._tail(guest)])

    def _tail(self, guest: Guest) -> str:
        """What the test wrote on the console; of a stack the lines that are pytest's own are left out."""
        lines = guest.console()[self.written :][-CONSOLE:].strip().splitlines()
        shown = [line for line in lines if not any(mark in line for mark in OUR_FRAMES)]
        return "\n".join(["---- console", *shown]) if shown else ""

    def _abandon(self) -> None:
        context, self.context, self.guest = self.context, None, None
        if context is not None:
            context.close()

    # ---- a test

    def _run(self, guest: Guest, test: reports.Test, nextitem: pytest.Item | None) -> None:
        self._say(guest, {"run": self._name(test.item), "next": self._name(nextitem) if nextitem else None})
        end = time.monotonic() + self.limit if self.limit else None
        while True:
            message = self._hear(guest, end)
            kind = message["kind"]
            if kind == "report":
                test.report(message["data"])
            elif kind == "warning":
                reports.warn(message, test.item)
            elif kind == "done":
                self.failed_boots = 0
                if not message["found"]:
                    test.absent(self.collected.get(self.places[str(test.item.path)], []))
                if message["stop"]:
                    test.item.session.shouldstop = message["stop"]
                return
            elif kind == "interrupt":
                self._interrupt(message)
            elif kind in ("internal", "error"):
                raise Lost(f"pytest failed in the guest:\n{message['text']}")
            elif kind == "finished":
                raise Lost(f"pytest ended in the guest, with status {message['status']}.")

    def _name(self, item: pytest.Item) -> tuple[str, str]:
        _, colons, rest = item.nodeid.partition("::")
        return self.places[str(item.path)], colons + rest

    def _interrupt(self, message: dict[str, Any]) -> None:
        """What a test raised to end the whole session."""
        if message["name"] == "KeyboardInterrupt":
            raise KeyboardInterrupt(message["text"])
        raise pytest.exit.Exception(message["text"], message["status"])

    def _note(self, text: str) -> None:
        terminal = self.config.pluginmanager.get_plugin("terminalreporter")
        if terminal is not None and self.config.option.verbose >= 0:
            terminal.ensure_newline()
            terminal.write_line(f"unikit: {text}")


def stop(error: Any) -> BaseException:
    """An error of the user's, as an end of the session with its exit code."""
    lines = [*error.details, error.message, *([f"hint: {error.hint}"] if error.hint else [])]
    return pytest.exit.Exception("\n".join(lines), returncode=int(error.code))


def _show(data: bytes) -> None:
    """The guest's console where output is not captured."""
    sys.stdout.write(data.decode(errors="replace").replace("\r\n", "\n"))
    sys.stdout.flush()
