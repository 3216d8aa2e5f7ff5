"""What a frozen guest gets from its boot, how it fails, and frozen images beside other features."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests import images
from tests.guest import run
from unikit.errors import ExitCode, UserError
from unikit.vm.machine import Volume

HERE = Path(__file__).resolve().parent / "frozen"
DEADLINE = 280


def build(name: str) -> images.Image:
    return images.build(HERE / f"{name}.py", freeze=True)


def unikit(*arguments: str, folder: Path, **options: Any) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "unikit", *arguments]
    return subprocess.run(line, capture_output=True, text=True, timeout=DEADLINE, cwd=folder, **options)


@pytest.mark.parametrize("profile", ["microvm", "q35"])
def test_folder_arguments_environment(tmp_path: Path, profile: str) -> None:
    (tmp_path / "given").write_text("of this boot")
    volumes = [Volume(tmp_path, "/data")]
    result = run(
        build("boots"), arguments=["work", "a"], environment={"WORD": "w"}, volumes=volumes, profile=profile
    )  # fmt: skip
    assert result.status == 0 and result.log.missing == [], result.console
    said = json.loads(result.words[0])
    assert said == {"before": [False, "", [], None], "now": ["of this boot", "", ["a"], "w"]}
    with sqlite3.connect(tmp_path / "database") as database:
        assert database.execute("select word from words").fetchall() == [("of this boot",)]


def test_a_folder_that_is_read_only(tmp_path: Path) -> None:
    (tmp_path / "given").write_text("x")
    volumes = [Volume(tmp_path, "/data", read_only=True)]
    result = run(build("boots"), arguments=["work"], volumes=volumes)
    assert result.status == 1 and "sqlite3.OperationalError" in result.log.stderr, result.console
    assert [file.name for file in tmp_path.iterdir()] == ["given"]


def test_input_and_all_else_from_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "given").write_text("g")
    image = str(build("boots").path)
    line = ["run", image, "-i", "-e", "WORD=w", "-v", f"{tmp_path}:/data", "--json", "--", "work", "a b"]
    done = unikit(*line, folder=tmp_path, input="typed")
    assert done.returncode == 0, done.stderr
    assert json.dumps(["g", "typed", ["a b"], "w"])[1:-1] in done.stdout.replace('\\"', '"'), done.stdout


def test_a_traceback_and_a_crash_are_told_as_in_a_cold_guest() -> None:
    image = build("boots")
    raised = run(image, arguments=["raise"])
    assert raised.status == 1 and raised.log.stderr.rstrip().endswith("ValueError: on purpose")
    assert "in inner" in raised.log.stderr and 'raise ValueError("on purpose")' in raised.log.stderr
    fault = run(image, arguments=["fault"])
    crash = fault.log.crash
    assert crash and crash["signal"] == 11 and int(crash["address"], 16) == 8 and fault.status == 139
    assert "libc.so.6" in str(crash["module"]) and "_ctypes" in str(crash["stack"])


def test_a_freeze_inside_a_coroutine() -> None:
    """The loop, its tasks and its signal handlers go on."""
    result = run(build("coroutine"))
    assert result.status == 0, result.console
    assert result.words == ["True [0, 1, 2]"]


def test_threads_that_wait_for_work_are_not_missed() -> None:
    result = run(build("pools"))
    assert result.status == 0, result.console
    assert result.words == ["[[0, 1, 2], [0, 1, 2]] 4"]


def test_threads_that_begin_anew_after_a_fork_are_not_missed() -> None:
    result = run(images.build(HERE / "restarts", freeze=True))
    assert result.status == 0, result.console
    assert result.words == ["2 2"], "the main thread, and one that sleeps"


@pytest.mark.parametrize(
    ("name", "reason", "detail"),
    [
        ("in_thread", "is running", "worker.join()"),
        ("posix_timer", "a timer is running (timer_settime)", ""),
        ("connected6", "is connected to port 8080 (IPv6)", "raddr=('::1', 8080"),
    ],
)
def test_what_cannot_be_frozen_is_named(name: str, reason: str, detail: str) -> None:
    with pytest.raises(UserError) as caught:
        build(name)
    told = "\n".join([caught.value.message, *caught.value.details])
    assert caught.value.code == ExitCode.FREEZE and reason in told and detail in told, told


def test_a_traced_image_is_frozen(tmp_path: Path) -> None:
    """The trace was of a cold guest, which never froze."""
    (tmp_path / "main.py").write_text("import sys, csv\ndef main(): print(sys.argv[1:], csv.QUOTE_ALL)\nmain()\n")
    line = ["build", "main.py", "--python", images.SYSTEM_PYTHON, "--prune", "traced"]
    traced = unikit(*line, "--trace", "", "--freeze", "-o", "made.img", folder=tmp_path)
    assert traced.returncode == 0, traced.stderr
    done = unikit("run", "made.img", "--", "a", folder=tmp_path)
    assert (done.returncode, done.stdout) == (0, "['a'] 1\n"), done.stderr
