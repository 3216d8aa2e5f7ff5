"""What benchmarks/suites.py says of a suite: counts of both sides, and every difference with its reason."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(__file__).resolve().parents[2] / "benchmarks/suites.py"


@pytest.fixture(scope="module")
def suites() -> Any:
    spec = importlib.util.spec_from_file_location("suites", PROGRAM)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


JUNIT = """<testsuites><testsuite>
<testcase classname="t.A" name="good"/>
<testcase classname="t" name="bad"><failure message="assert 1 == 2&#10;more">text</failure></testcase>
<testcase classname="t" name="torn"><error message="no teardown"/></testcase>
<testcase classname="t" name="not"><skipped message="why"/></testcase>
<testcase classname="t" name="bad"/>
</testsuite></testsuites>"""


def test_outcomes_of_a_junit_file(suites: Any, tmp_path: Path) -> None:
    (tmp_path / "o.xml").write_text(JUNIT)
    found = suites.outcomes(tmp_path / "o.xml")
    assert {test: outcome for test, (outcome, _) in found.items()} == {
        "t.A::good": "passed", "t::bad": "failed", "t::torn": "failed", "t::not": "skipped",
    }  # fmt: skip
    assert found["t::bad"][1].startswith("assert 1 == 2")


def test_differences_are_named_and_exclusions_are_not_counted(
    suites: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNIKIT_CACHE", str(tmp_path))
    table = {
        "package": "p", "version": "1", "needs": [], "tests": [],
        "exclude": [{"tests": "::forks", "reason": "starts a process"}],
    }  # fmt: skip
    suite = suites.Suite("p", table, "python")
    suite.folder.mkdir(parents=True)
    monkeypatch.setattr(suite, "files", lambda: ["a", "b"])
    host = {"t::a": ["passed", ""], "t::b": ["passed", ""], "t::forks": ["passed", ""], "t::gone": ["passed", ""]}
    host |= {"t::runs": ["passed", ""]}
    host |= {"t::broken": ["failed", "here too"], "t::s": ["skipped", ""]}
    guest = {**host, "t::forks": ["failed", "ENOSYS"], "t::b": ["failed", "no  luck"]}
    guest["t::runs"] = ["failed", "OSError: [Errno 38] a unikernel is one process and starts no other"]
    del guest["t::gone"]
    for side, tests in (("host", host), ("guest", guest)):
        suite.result(["a"], side).write_text(json.dumps({"files": ["a"], "tests": tests}))
    later = {"files": ["b"], "tests": {"t::later": ["passed", ""]}}
    suite.result(["b"], "host").write_text(json.dumps(later))  # one side alone
    row, differences = suites.compare(suite)
    assert row == "| p 1 | 7 | 5, 1, 1 | 1, 4, 1 | 2 | 33.33 % | 1 of 2 |"
    assert differences == [
        "- excluded, 1: starts a process: `forks`",
        "- excluded, 1: starts another process, which the guest refused: `runs`",
        "- `t::b` failed: no luck",
        "- `t::gone` absent: ",
    ]
    suite.table["omit"] = [{"what": "slow tests", "reason": "they are slow"}]
    (suite.folder / "ready").write_text("")
    text = suites.report([suite])
    assert f"\n{row}\n\n## p 1\n\n- left out: slow tests: they are slow\n- excluded, 1: starts a process" in text


def test_results_outlive_the_size_of_slices(suites: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNIKIT_CACHE", str(tmp_path))
    suite = suites.Suite("p", {"package": "p", "version": "1", "needs": [], "slice": 2}, "python")
    suite.folder.mkdir(parents=True)
    monkeypatch.setattr(suite, "files", lambda: ["a", "b", "c", "d", "e"])
    for files, sides in ((["b", "c"], ("host", "guest")), (["d"], ("host",)), (["gone"], ("host", "guest"))):
        for side in sides:
            suite.result(files, side).write_text(json.dumps({"files": files, "tests": {}}))
    assert suite.done() == [["b", "c"]]
    assert suite.slices() == [["a", "d"], ["e"]]
    assert suite.slices(again=True) == [["a", "b"], ["c", "d"], ["e"]]
    suite.table["arguments"] = ["-m", "other"]
    assert suite.done() == []


def test_a_slice_that_does_not_end_is_run_in_halves(
    suites: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNIKIT_CACHE", str(tmp_path))
    suite = suites.Suite("p", {"package": "p", "version": "1", "needs": []}, "python")
    ran = []

    def run_on(side: str, files: list[str]) -> bool:
        ran.append((side, *files))
        return side == "host" or "slow" not in files

    monkeypatch.setattr(suite, "run_on", run_on)
    suite.run(["a", "slow", "b"], fresh=False)
    assert ran == [
        ("host", "a", "slow", "b"), ("guest", "a", "slow", "b"), ("host", "a"), ("guest", "a"),
        ("host", "slow", "b"), ("guest", "slow", "b"), ("host", "slow"), ("guest", "slow"),
        ("host", "b"), ("guest", "b"),
    ]  # fmt: skip


def test_each_side_is_told_where_the_server_is(suites: Any) -> None:
    address = {"arguments": ["--url=redis://{host}:{port}/0"], "environment": {"HOST": "{host}"}}
    suite = suites.Suite("p", {"package": "p", "version": "1", "needs": [], "address": address}, "python")
    assert suite.addressed("10.0.2.2", 7) == (["--url=redis://10.0.2.2:7/0"], {"HOST": "10.0.2.2"})
    del suite.table["address"]
    assert suite.addressed("127.0.0.1", 0) == ([], {})
