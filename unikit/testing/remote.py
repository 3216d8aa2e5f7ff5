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
import warnings
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from unikit.image.image import Image
    from unikit.testing.guest import Guest

START_LIMIT = 120.0  # seconds until the guest's program runs
COLLECT_LIMIT = 1800.0  # seconds until it has collected
FINISH_LIMIT = 60.0  # seconds for the last fixtures to be torn down, when the tests have no limit
STACKS_LIMIT = 15.0  # seconds that a guest which hangs has to say where
MEMORY = 1024  # MiB beside the image's own
CONSOLE = 6000  # characters of the console that a report of a crash shows
OUR_FRAMES = ("/_pytest/", "/pluggy/", '"/.unikit/')
ATTEMPTS = 3  # boots in a row that fail before a test ran

# Options that select or report: they have done their work on the host.
ON_HOST: dict[str, Any] = {
    "lf": False, "failedfirst": False, "newfirst": False, "stepwise": False, "stepwise_skip": False,
    "stepwise_reset": False, "keyword": "", "markexpr": "", "deselect": None, "maxfail": 0, "collectonly": False,
    "xmlpath": None, "pastebin": None, "usepdb": False, "trace": False, "cacheshow": None, "cacheclear": False,
    "log_file": None, "pyargs": False, "numprocesses": None, "dist": "no", "tx": [], "debug": None,
    "showfixtures": False, "show_fixtures_per_test": False, "markers": False, "help": False, "version": 0,
}  # fmt: skip
# Of those that are passed on, the ones that a frozen guest takes from the session and not from the build: pytest looks
# at them when a test has run. All others are part of what is frozen.
AT_TEST = (
    "verbose", "quiet", "tbstyle", "showlocals", "fulltrace", "show_capture", "reportchars", "durations",
    "durations_min", "color", "code_highlight", "disable_warnings", "no_header", "no_summary", "fold_skipped",
    "junitprefix",
)  # fmt: skip
NOT_IN_GUEST = ("terminal", "xdist", "xdist.looponfail", "pytest_cov", "unikit")


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
        test = Test(self, item)
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
            described = replace(described, setup=self._frozen_setup())
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
            running = self.context.enter_context(guest.boot(self.image, channel=True, **self._boot_options()))
        except errors.UserError as error:
            raise stop(error) from None
        self.guest = running
        if self.config.option.capture == "no":
            running.on_console = _show
        items = first.session.items
        rest = items[items.index(first) :]
        setup = self._setup(list(dict.fromkeys(self.places[str(item.path)] for item in rest)))
        if self.config.option.unikit_freeze:  # the rest is known since it has collected
            setup = {"options": {key: value for key, value in setup["options"].items() if key in AT_TEST}}
        self._say(running, setup)
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
                self.collected.setdefault(message["path"], []).append(self._report(message["data"]))
            elif message["kind"] in ("internal", "error"):
                raise Lost(f"pytest does not start in the guest:\n{message['text']}")
            elif message["kind"] == "interrupt":
                self._interrupt(message)

    def _boot_options(self) -> dict[str, Any]:
        """What the command line and [tool.unikit] say of the machine."""
        from unikit import settings
        from unikit.errors import UserError
        from unikit.vm import machine, ports

        option = self.config.option
        assert self.image is not None
        memory = self.image.path.stat().st_size // 2**20 + MEMORY
        text = option.unikit_memory
        if text:
            try:
                memory = settings.memory(int(text) if text.isdigit() else text)
            except (ValueError, TypeError):
                raise pytest.UsageError(f"--unikit-memory: '{text}' is no size; 512, 512M or 2G") from None
        try:
            forwards = [ports.parse(port) for port in option.unikit_port]
        except UserError as error:
            raise pytest.UsageError(f"--unikit-port: {error.message}") from None
        return {
            "memory": memory,
            "ports": forwards,
            "profile": option.unikit_machine or machine.DEFAULT,
            "accelerator": None if option.unikit_accel == "auto" else option.unikit_accel,
        }

    def _setup(self, files: list[str]) -> dict[str, Any]:
        option = self.config.option
        kept = {key: value for key, value in vars(option).items() if _is_passed_on(key) and _is_plain(value)}
        plugins = [*option.plugins, *(f"no:{name}" for name in NOT_IN_GUEST)]  # read early, so these are arguments
        inifile = str(self.config.inipath) if self.config.inipath else None
        mine: dict[str, Any] = {"rootdir": str(self.config.rootpath), "inifilename": inifile, "plugins": []}
        environment = {key: value for key, value in os.environ.items() if key == "PYTEST_DISABLE_PLUGIN_AUTOLOAD"}
        for text in option.unikit_env:
            key, equals, value = text.partition("=")
            environment[key] = value if equals else os.environ.get(key, "")
        return {
            "options": {**kept, **{key: value for key, value in ON_HOST.items() if key in vars(option)}, **mine},
            "args": [*(part for name in plugins for part in ("-p", name)), *option.unikit_argument, *files],
            "cwd": str(self.config.invocation_params.dir),
            "environment": environment,
        }

    def _frozen_setup(self) -> str:
        """The setup of a guest that collects all files, whatever is selected of them, and is frozen then."""
        setup = self._setup(sorted(self.places.values()))
        setup["options"] = {key: value for key, value in setup["options"].items() if key not in AT_TEST}
        return json.dumps(setup, sort_keys=True)

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

    def _run(self, guest: Guest, test: Test, nextitem: pytest.Item | None) -> None:
        self._say(guest, {"run": self._name(test.item), "next": self._name(nextitem) if nextitem else None})
        end = time.monotonic() + self.limit if self.limit else None
        while True:
            message = self._hear(guest, end)
            kind = message["kind"]
            if kind == "report":
                test.report(message["data"])
            elif kind == "warning":
                self._warn(message, test.item)
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

    def _report(self, data: dict[str, Any]) -> Any:
        return self.config.hook.pytest_report_from_serializable(config=self.config, data=_untagged(data))

    def _warn(self, message: dict[str, Any], item: pytest.Item) -> None:
        if message["when"] != "runtest":  # the others were seen while collecting here
            return
        category = _category(*message["category"])
        told = warnings.WarningMessage(category(message["text"]), category, message["filename"], message["lineno"])
        self.config.hook.pytest_warning_recorded.call_historic(
            kwargs={
                "warning_message": told,
                "when": "runtest",
                "nodeid": item.nodeid,
                "location": message["location"] and tuple(message["location"]),
            }
        )

    def _note(self, text: str) -> None:
        terminal = self.config.pluginmanager.get_plugin("terminalreporter")
        if terminal is not None and self.config.option.verbose >= 0:
            terminal.ensure_newline()
            terminal.write_line(f"unikit: {text}")


class Test:
    """A test under way: hands on its reports, and makes up those that the guest can not send any more."""

    __test__ = False  # not for pytest

    def __init__(self, remote: Remote, item: pytest.Item) -> None:
        self.remote, self.item = remote, item
        self.seen: set[str] = set()
        self.start = time.time()

    def report(self, data: dict[str, Any]) -> None:
        data["nodeid"] = self.item.nodeid
        made = self.remote._report(data)
        made.location = self.item.location
        if made.failed:
            _count_subtest(self.remote.config, made)
        self.seen.add(made.when)
        self.item.ihook.pytest_runtest_logreport(report=made)

    def lost(self, why: str) -> None:
        """The guest is gone: the phase that it was in has failed."""
        when = "teardown" if "call" in self.seen else "call"
        if "setup" not in self.seen:
            self._made("setup", "passed", None)
        self._made(when, "failed", why)
        if when == "call":
            self._made("teardown", "passed", None)

    def absent(self, reports: list[Any]) -> None:
        """The guest has not collected this test: the reason is in what it said of the file, if it said anything."""
        skipped = next((r for r in reports if r.outcome == "skipped"), None)
        failed = next((r for r in reports if r.outcome == "failed"), None)
        if failed is None and skipped is not None:
            self._made("setup", "skipped", skipped.longrepr)
        else:
            why = "Collected on this host, but not in the guest: the test or its name depends on the machine."
            self._made("setup", "failed", failed.longrepr if failed is not None else why)
        self._made("teardown", "passed", None)

    def _made(self, when: Any, outcome: Any, longrepr: Any) -> None:
        duration = time.time() - self.start if outcome == "failed" else 0.0
        item, now = self.item, time.time()
        keywords: Any = dict.fromkeys(item.keywords, 1)
        report = pytest.TestReport(
            item.nodeid, item.location, keywords, outcome, longrepr, when, (), duration, self.start, now
        )
        self.item.ihook.pytest_runtest_logreport(report=report)


def stop(error: Any) -> BaseException:
    """An error of the user's, as an end of the session with its exit code."""
    lines = [*error.details, error.message, *([f"hint: {error.hint}"] if error.hint else [])]
    return pytest.exit.Exception("\n".join(lines), returncode=int(error.code))


def _is_passed_on(option: str) -> bool:
    return not option.startswith("unikit") and option != "file_or_dir"


def _is_plain(value: Any) -> bool:
    """Whether JSON has a form for an option's value."""
    if isinstance(value, (list, tuple)):
        return all(_is_plain(v) for v in value)
    if isinstance(value, dict):
        return all(isinstance(k, str) and _is_plain(v) for k, v in value.items())
    return value is None or isinstance(value, (bool, int, float, str))


def _untagged(value: Any) -> Any:
    """The worker's tuples are tuples again."""
    if isinstance(value, list):
        return [_untagged(v) for v in value]
    if isinstance(value, dict):
        if value.keys() == {"tuple"}:
            return tuple(_untagged(v) for v in value["tuple"])
        return {k: _untagged(v) for k, v in value.items()}
    return value


def _count_subtest(config: pytest.Config, report: Any) -> None:
    """A test that contains failed subtests has failed: pytest (from 9 on) counts them where they run."""
    try:
        from _pytest.subtests import SubtestReport, failed_subtests_key
    except ImportError:
        return
    if isinstance(report, SubtestReport):
        counts: Any = config.stash[failed_subtests_key]
        counts[getattr(report, "id", report.nodeid)] += 1


def _category(module: str, name: str) -> type[Warning]:
    """A warning's class; one that is not loaded here is made up, with its name."""
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    if isinstance(found, type) and issubclass(found, Warning):
        return found
    return type(name.rpartition(".")[2], (Warning,), {"__module__": module})


def _show(data: bytes) -> None:
    """The guest's console where output is not captured."""
    sys.stdout.write(data.decode(errors="replace").replace("\r\n", "\n"))
    sys.stdout.flush()
