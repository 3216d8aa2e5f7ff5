"""`pytest --unikit`: reports and warnings from the guest, handed to pytest's hooks as if the test had run here."""

from __future__ import annotations

import sys
import time
import warnings
from typing import Any

import pytest


class Test:
    """A test under way: hands on its reports, and makes up those that the guest can not send any more."""

    __test__ = False  # not for pytest

    def __init__(self, item: pytest.Item) -> None:
        self.item = item
        self.seen: set[str] = set()
        self.start = time.time()

    def report(self, data: dict[str, Any]) -> None:
        data["nodeid"] = self.item.nodeid
        made = report(self.item.config, data)
        made.location = self.item.location
        if made.failed:
            _count_subtest(self.item.config, made)
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


def report(config: pytest.Config, data: dict[str, Any]) -> Any:
    """A report as the guest sent it."""
    return config.hook.pytest_report_from_serializable(config=config, data=_untagged(data))


def warn(message: dict[str, Any], item: pytest.Item) -> None:
    """A warning that a test gave."""
    if message["when"] != "runtest":  # the others were seen while collecting here
        return
    category = _category(*message["category"])
    told = warnings.WarningMessage(category(message["text"]), category, message["filename"], message["lineno"])
    item.config.hook.pytest_warning_recorded.call_historic(
        kwargs={
            "warning_message": told,
            "when": "runtest",
            "nodeid": item.nodeid,
            "location": message["location"] and tuple(message["location"]),
        }
    )


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
