"""`pytest --unikit` behaves as pytest does, whatever the tests do. The guest is a process here."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
DEADLINE = 120
# Options of `--unikit`; a process cannot be frozen, but collects as what is to be frozen does, before it is spoken to.
KINDS = pytest.mark.parametrize("kind", [(), ("--freeze",)], ids=["cold", "frozen"])

CONFTEST = """
import pytest

def pytest_addoption(parser):
    parser.addoption("--colour", default="none")

@pytest.fixture(scope="session")
def resource():
    yield 42
    open("torn-down", "w").close()

@pytest.fixture
def broken():
    raise RuntimeError("no setup")

@pytest.fixture
def leaves_badly():
    yield
    raise RuntimeError("no teardown")
"""

OUTCOMES = """
import logging, sys, unittest, warnings
import pytest

def test_pass(resource):
    assert resource == 42
def test_fail():
    print("on stdout"); print("on stderr", file=sys.stderr); logging.warning("logged")
    values = [1, 2]
    assert values == [1, 3]
@pytest.mark.skip(reason="not now")
def test_skip(): ...
@pytest.mark.skipif(sys.platform == "linux", reason="linux")
def test_skipif(): ...
def test_skip_inside(): pytest.skip("inside")
@pytest.mark.xfail(reason="known", strict=True)
def test_xfail(): assert 0
@pytest.mark.xfail
def test_xpass(): ...
@pytest.mark.xfail(strict=True)
def test_xpass_strict(): ...
@pytest.mark.parametrize("value", [1, "\\u00e4 b", None])
def test_many(value): assert value != 1
def test_setup(broken): ...
def test_teardown(leaves_badly): ...
def test_warns(): warnings.warn("careful", DeprecationWarning)
def test_properties(record_property): record_property("colour", "blue")
def test_subtests(subtests):
    for i in range(3):
        with subtests.test(i=i): assert i != 1
@pytest.mark.slow
def test_option(pytestconfig): assert pytestconfig.getoption("--colour") == "none"
def test_files(tmp_path): (tmp_path / "a").write_text("x"); assert (tmp_path / "a").read_text() == "x"
class TestClass:
    def test_method(self, capsys): print("x"); assert capsys.readouterr().out == "x\\n"
class Old(unittest.TestCase):
    def test_old(self):
        self.assertEqual(1, 1)
    def test_old_fail(self): self.fail("old")
    @unittest.skip("old skip")
    def test_old_skip(self): ...
def test_surrogate(): assert "\\udcff" == "x"
def test_writer(pytestconfig): assert not pytestconfig.get_terminal_writer().hasmarkup  # as explanations are made
"""


def session(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "LOCAL_GUEST_CONSOLE": str(folder / "console"),
        "COLUMNS": "120",
    }
    environment.pop("PYTEST_ADDOPTS", None)
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:timeout", "-c", "pytest.ini", *arguments],
        cwd=folder, env=environment, capture_output=True, text=True, errors="replace", timeout=DEADLINE,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip


def remote(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return session(folder, "--unikit", "-p", "tests.unit.testing.local_guest", *arguments)


def project(folder: Path, **files: str) -> Path:
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = slow: takes long\njunit_family = xunit1\n")
    (folder / "conftest.py").write_text(CONFTEST)
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    return folder


def cases(file: Path) -> list[tuple[object, ...]]:
    """What a junit file says of each test, but for times."""
    found = []
    for case in ET.parse(file).getroot().iter("testcase"):
        parts = [(p.tag, p.get("message"), re.sub(r"0x[0-9a-f]+", "0x", p.text or "")) for p in case]
        properties = [(p.get("name"), p.get("value")) for p in case.iter("property")]
        found.append((case.get("classname"), case.get("name"), parts, properties))
    return found


def shown(text: str) -> list[str]:
    """The lines that an ordinary run prints as well."""
    lines = [line for line in text.splitlines() if not line.startswith(("unikit: ", "plugins: ", "cachedir: "))]
    # pytest itself sends the parameters of subtests as repr shows them
    lines = [re.sub(r"i='(\d)'", r"i=\1", re.sub(r" in \d+\.\d+s.*|0x[0-9a-f]+", "", line)) for line in lines]
    cleaned = [re.sub(r" +", " ", line).strip("=_- ") for line in lines]
    return [line for line in cleaned if line]


@KINDS
@pytest.mark.parametrize("arguments", [("-v", "-rA"), ("-q", "--tb=short", "-l")])
def test_a_session_looks_as_on_the_host(tmp_path: Path, kind: tuple[str, ...], arguments: tuple[str, ...]) -> None:
    folder = project(tmp_path, test_outcomes=OUTCOMES)
    here = session(folder, "--junitxml=here.xml", *arguments)
    (folder / "torn-down").unlink()
    there = remote(folder, *kind, "--junitxml=there.xml", *arguments)
    assert here.returncode == there.returncode == 1, there.stdout + there.stderr
    assert cases(folder / "there.xml") == cases(folder / "here.xml")
    ours = [line.replace("there.xml", "here.xml") for line in shown(there.stdout)]
    assert ours == shown(here.stdout)
    assert (folder / "torn-down").exists(), "the session's fixtures were torn down"


@pytest.mark.parametrize(
    "arguments",
    [
        ("-k", "pass or xfail"), ("-m", "slow", "--colour=red"), ("-x",), ("--maxfail=2", "-q"),
        ("-k", "nothing_is_called_so"), ("--collect-only", "-q"), ("test_outcomes.py::test_many[None]", "--runxfail"),
        ("no_such_file.py",),
    ],
)  # fmt: skip
def test_selections(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    folder = project(tmp_path, test_outcomes=OUTCOMES)
    here, there = session(folder, *arguments), remote(folder, *arguments)
    assert there.returncode == here.returncode
    assert shown(there.stdout) == shown(here.stdout)


def test_what_failed_last(tmp_path: Path) -> None:
    folder = project(tmp_path, test_outcomes=OUTCOMES)
    remote(folder, "-q", "-k", "fail or pass")
    again = remote(folder, "--lf", "-v")
    assert again.returncode == 1
    assert "3 failed" in again.stdout or "2 failed" in again.stdout, again.stdout
    assert "test_pass" not in again.stdout and "test_fail FAILED" in again.stdout


def test_output_that_is_not_captured(tmp_path: Path) -> None:
    folder = project(tmp_path, test_a="def test_a(): print('hear me')\n")
    # the local guest's console is a file
    done = remote(folder, "-s")
    assert done.returncode == 0 and "hear me" in (folder / "console").read_text()


CRASH = """
import ctypes, os
def test_before(resource): ...
def test_crash(): print("last words", flush=True); os.abort()
def test_between(resource): ...
def test_exit(): os._exit(5)
def test_after(): ...
"""


@KINDS
def test_a_crash_fails_the_test_and_the_rest_goes_on(tmp_path: Path, kind: tuple[str, ...]) -> None:
    folder = project(tmp_path, test_crash=CRASH)
    done = remote(folder, *kind, "-v", "--junitxml=o.xml")
    assert done.returncode == 1
    for name, outcome in (
        ("before", "PASSED"), ("crash", "FAILED"), ("between", "PASSED"), ("exit", "FAILED"), ("after", "PASSED"),
    ):  # fmt: skip
        assert re.search(rf"::test_{name} {outcome}", done.stdout), done.stdout
    assert "The application ended with status -6." in done.stdout, "the verdict"
    assert 'test_crash.py", line 4 in test_crash' in done.stdout, "the stack"
    assert "_pytest/python.py" not in done.stdout.partition("short test summary")[0], "not pytest's own frames"
    assert [len(parts) for _, _, parts, _ in cases(folder / "o.xml")] == [0, 1, 0, 1, 0]


def test_a_hang_ends_with_the_stacks(tmp_path: Path) -> None:
    hang = "import time\ndef test_hang():\n    time.sleep(1000)\n"
    done = remote(project(tmp_path, test_hang=hang), "--unikit-timeout", "3")
    assert done.returncode == 1 and "longer than 3 s" in done.stdout
    assert "line 3 in test_hang" in done.stdout


@KINDS
def test_the_machine_decides_what_there_is(tmp_path: Path, kind: tuple[str, ...]) -> None:
    """A test that the guest does not have fails; one whose file skips or breaks there says why."""
    differs = 'import os\nif "LOCAL_GUEST" not in os.environ:\n    def test_here(): ...\ndef test_both(): ...\n'
    skips = 'import os, pytest\nif "LOCAL_GUEST" in os.environ: pytest.skip("not there", allow_module_level=True)\n'
    breaks = 'import os\nassert "LOCAL_GUEST" not in os.environ, "cannot be imported there"\n'
    folder = project(
        tmp_path, test_1=differs, test_2=skips + "def test_skipped(): ...\n", test_3=breaks + "def test_broken(): ...\n"
    )
    done = remote(folder, *kind, "-v", "--unikit-env", "LOCAL_GUEST=1", "-rs")
    assert done.returncode == 1
    assert "test_here ERROR" in done.stdout and "depends on the machine" in done.stdout
    assert "test_both PASSED" in done.stdout and "test_skipped SKIPPED" in done.stdout and "not there" in done.stdout
    assert "test_broken ERROR" in done.stdout and "cannot be imported there" in done.stdout


def test_what_is_selected_and_shown_is_no_part_of_what_is_frozen(tmp_path: Path) -> None:
    folder = project(tmp_path, test_outcomes=OUTCOMES)
    frozen = set()
    for arguments in ([], ["-k", "pass", "-x", "-v", "--tb=short", "-l"], ["-m", "slow", "-q", "-rA", "--durations=3"]):
        remote(folder, "--freeze", *arguments)
        frozen.add((folder / "setup.json").read_text())
    assert len(frozen) == 1
    remote(folder, "--freeze", "--colour=red", "-k", "pass")
    assert (folder / "setup.json").read_text() not in frozen, "a test may look at it"


def test_an_error_while_collecting(tmp_path: Path) -> None:
    folder = project(tmp_path, test_outcomes=OUTCOMES, test_broken="import no_such_module\n")
    here, there = session(folder), remote(folder)
    assert here.returncode == there.returncode == 2
    assert shown(there.stdout) == shown(here.stdout)


@pytest.mark.parametrize("call", ["pytest.exit('enough', returncode=7)", "raise KeyboardInterrupt"])
def test_a_test_that_ends_the_session(tmp_path: Path, call: str) -> None:
    text = f"import pytest\ndef test_a(): ...\ndef test_b():\n    {call}\ndef test_c(): ...\n"
    folder = project(tmp_path, test_exit=text)
    here, there = session(folder), remote(folder)
    assert there.returncode == here.returncode
    assert "1 passed" in there.stdout


def test_control_c(tmp_path: Path) -> None:
    text = "import time\ndef test_a(resource): ...\ndef test_b(resource): open('begun', 'w'); time.sleep(1000)\n"
    folder = project(tmp_path, test_long=text)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "LOCAL_GUEST_CONSOLE": str(folder / "console")}
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-p", "no:timeout", "--unikit", "-p", "tests.unit.testing.local_guest"],
        cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background job ignores it
    )  # fmt: skip
    end = time.monotonic() + DEADLINE
    while not (folder / "begun").exists() and time.monotonic() < end:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=DEADLINE)
    assert process.returncode == 2 and "1 passed" in output and "KeyboardInterrupt" in output, output
    assert (folder / "torn-down").exists(), "fixtures are torn down in the guest"


def test_options_that_do_not_go_together(tmp_path: Path) -> None:
    done = remote(project(tmp_path, test_a="def test_a(): ...\n"), "--pdb")
    assert done.returncode == 4 and "--pdb" in done.stderr
    done = session(tmp_path, "--freeze")
    assert done.returncode == 4 and "--unikit" in done.stderr


def test_nothing_is_loaded_for_others(tmp_path: Path) -> None:
    """Without the option the plugin costs an environment next to nothing."""
    text = """
import sys
def test_modules():
    heavy = ("networkx", "jinja2", "elftools", "rich", "unikit.pipeline", "unikit.vm", "unikit.testing.remote")
    assert "unikit.testing.plugin" in sys.modules
    assert not [name for name in heavy if name in sys.modules]
"""
    done = session(project(tmp_path, test_light=text))
    assert done.returncode == 0, done.stdout
