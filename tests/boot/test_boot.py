"""Guest programs, each in a folder of its own: a real boot, and the program's own verdict as exit status.

A folder holds `main.py` or `main.c`. The programs check themselves and know nothing of this file, so the same program
passes on Linux (with ON_LINUX=1 where the two are meant to differ).
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from tests.guest import run

HERE = Path(__file__).resolve().parent
# Those that measure time: under -icount the guest's clock counts instructions, whatever the host does meanwhile.
STEADY = ("fairness", "time_passes")
# Those whose end is not a plain 0 have tests of their own below.
SPECIAL = {
    *("app_channel", "uncaught", "exit_status", "crash", "memory_error", "writable_code", "missing_call"),
    *("report_words", "one_process", "one_process_uvloop", "host_folder", "suspended", "surroundings", *STEADY),
}
PROGRAMS = sorted(f.name for f in HERE.iterdir() if any(f.glob("main.*")) and f.name not in SPECIAL)


def app(name: str) -> Path:
    folder = HERE / name
    return folder / "main.py" if (folder / "main.py").exists() else folder


@pytest.mark.parametrize("name", PROGRAMS)
def test_program(name: str) -> None:
    result = run(app(name))
    print(result.console)
    assert result.status == 0, result.console
    assert result.log.missing == [] or name == "threads_c", result.log.missing


def test_exit_status_is_the_applications_own() -> None:
    result = run(app("exit_status"))
    assert result.status == 42 and result.qemu_status == 2 * 42 + 1, result.console


def test_an_uncaught_exception_is_told_with_its_traceback() -> None:
    result = run(app("uncaught"))
    assert result.status == 1
    for text in (result.console, result.log.stderr):
        assert "ValueError: a clear message" in text
        assert re.search(r'File ".*main\.py", line 2, in inner\n\s+raise ValueError', text), text


def test_a_crash_in_c_code_is_told() -> None:
    result = run(app("crash"))
    assert result.status == 128 + 11
    crash = result.log.crash
    assert crash and crash["signal"] == 11 and int(str(crash["address"]), 0) & ~0xFFF == 0xDEAD0000, crash
    assert "libc.so.6" in crash["module"] and crash["frames"], crash
    assert "in deep" in result.log.stderr, "the Python stack is missing"


def test_memory_error_and_after() -> None:
    result = run(app("memory_error"), memory=96)
    assert result.status == 0, result.console
    memory = result.log.memory
    assert memory and memory["high"] <= memory["total"] <= 96 << 20
    assert result.log.oom and result.log.oom["wanted"] > 96 << 20


@pytest.mark.parametrize("allowed", [False, True])
def test_writable_code(allowed: bool) -> None:
    options = {"tokens": [("wx", "allow")], "environment": {"EXPECT_ALLOWED": "1"}} if allowed else {}
    result = run(app("writable_code"), **options)
    assert result.status == 0, result.console


def test_missing_calls_are_named_and_counted() -> None:
    result = run(app("missing_call"))
    assert result.status == 0, result.console
    told = {m["number"]: m for m in result.log.missing}
    assert told[425]["name"] == "io_uring_setup" and told[425]["count"] == 3, told
    assert told[9999]["count"] == 1 and "libc.so.6" in told[425]["module"], told


def test_what_starts_a_process_says_why_it_cannot() -> None:
    result = run(app("one_process"))
    assert result.status == 0, result.console
    assert {m["name"] for m in result.log.missing} >= {"fork", "execve"}, result.log.missing
    assert "echo lost: not run: a unikernel is one process" in result.log.stderr


def test_a_loop_that_starts_processes_by_itself_says_why_it_cannot() -> None:
    result = run(app("one_process_uvloop"), python=sys.executable)
    assert result.status == 0, result.console


def test_a_program_and_its_surroundings() -> None:
    result = run(app("surroundings"), python=sys.executable)
    assert result.status == 0, result.console


def test_the_application_speaks_on_the_report_channel() -> None:
    result = run(app("report_words"))
    assert result.status == 0, result.console
    short, accents, *many, long = result.words
    assert short == "first\n" and accents == '{"what": "\u00fc \U0001f40d"}', result.words[:2]
    assert many == [f"word {i}" for i in range(2000)] and long == "x" * 300_000


@pytest.mark.parametrize("name", STEADY)
def test_by_a_steady_clock(name: str) -> None:
    """A thread that computes does not starve the others; sleeps last what they should."""
    result = run(app(name), extra=["-icount", "shift=1,sleep=off", "-rtc", "clock=vm"])
    print(result.console)
    assert result.status == 0, result.console
