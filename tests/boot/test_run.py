"""`unikit run` as a user meets it: statuses, signals, input, terminal, deadlines. Each test is a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.images import SYSTEM_PYTHON

ROOT = Path(__file__).resolve().parent.parent.parent
DEADLINE = 120.0
PROGRAM = """
import os, signal, sys, time
match sys.argv[1:]:
    case ["exit", status]: sys.exit(int(status))
    case ["show", *rest]: print(rest, os.environ.get("WORD"), sys.stdin.isatty(), sys.stdout.isatty())
    case ["read"]: print(repr(sys.stdin.read()))
    case ["wait"]:
        print("waiting", flush=True)
        time.sleep(100)
    case ["handle"]:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(9))
        print("waiting", flush=True)
        time.sleep(100)
    case ["deaf"]:
        for number in (signal.SIGINT, signal.SIGTERM): signal.signal(number, lambda *_: print("no", flush=True))
        print("waiting", flush=True)
        while True: time.sleep(100)
    case ["lose"]: os.write(1, b"x" * 300000)
"""


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    (folder / "program.py").write_text(PROGRAM)
    line = ["build", str(folder / "program.py"), "-o", str(folder / "program.img"), "--python", SYSTEM_PYTHON]
    assert unikit(*line).returncode == 0
    return folder / "program.img"


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "unikit", *arguments]


def unikit(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), cwd=ROOT, input=stdin, capture_output=True, text=True, timeout=DEADLINE)


@contextlib.contextmanager
def running(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(command("run", *arguments), cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None and process.stdout.readline() == "waiting\n"
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


@pytest.mark.parametrize("status", [0, 1, 42, 255])
def test_the_status_is_the_applications(image: Path, status: int) -> None:
    assert unikit("run", str(image), "--", "exit", str(status)).returncode == status


def test_arguments_and_environment(image: Path) -> None:
    done = unikit("run", str(image), "-e", "WORD=two words", "--", "show", "a b", "%41", "ä", "-x", "")
    assert done.stdout == "['a b', '%41', 'ä', '-x', ''] two words False False\n"


def test_standard_input_is_the_applications_if_asked_for(image: Path) -> None:
    assert unikit("run", "-i", str(image), "--", "read", stdin="one\ntwo").stdout == "'one\\ntwo'\n"
    assert unikit("run", str(image), "--", "read", stdin="one\ntwo").stdout == "''\n"


def test_much_output_is_whole(image: Path) -> None:
    assert unikit("run", str(image), "--", "lose").stdout == "x" * 300000


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)])
def test_signals_go_to_the_application(image: Path, number: signal.Signals, status: int) -> None:
    with running(str(image), "--", "wait") as process:
        process.send_signal(number)
        assert process.wait(DEADLINE) == (1 if number == signal.SIGINT and status == 1 else status)


def test_a_handler_of_the_application_decides(image: Path) -> None:
    with running(str(image), "--", "handle") as process:
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE) == 9


def test_the_third_signal_ends_a_deaf_guest(image: Path) -> None:
    with running(str(image), "--", "deaf") as process:
        assert process.stdout is not None
        for _ in range(2):
            process.send_signal(signal.SIGINT)
            assert process.stdout.readline() == "no\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(DEADLINE) == 130


def test_qemu_does_not_outlive_us(image: Path) -> None:
    with running(str(image), "--", "wait") as process:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        assert len(children) == 1
        process.kill()
        process.wait()
        end = time.monotonic() + 10
        while Path(f"/proc/{children[0]}").exists() and time.monotonic() < end:
            time.sleep(0.05)
        assert not Path(f"/proc/{children[0]}").exists()


def test_a_guest_whose_reader_left_ends(image: Path) -> None:
    with running(str(image), "--", "deaf") as process:
        assert process.stdout is not None
        process.stdout.close()
        process.send_signal(signal.SIGTERM)  # it says something
        assert process.wait(DEADLINE) == 128 + signal.SIGPIPE


def test_the_run_ends_in_time(image: Path) -> None:
    done = unikit("run", str(image), "--timeout", "4", "--", "wait")
    assert done.returncode == 113 and "still running after 4 s" in done.stderr and done.stdout == "waiting\n"


def test_a_boot_that_takes_too_long_names_its_phase(image: Path) -> None:
    done = unikit("run", str(image), "--boot-timeout", "0.02", "--", "wait")
    assert done.returncode == 113 and "last phase reached" in done.stderr


def test_a_taken_port(image: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = unikit("run", str(image), "-p", f"{port}:80", "--", "wait")
    assert done.returncode == 107 and f"Port {port}" in done.stderr and "hint:" in done.stderr


def test_too_little_memory_is_said_with_what_would_do(image: Path) -> None:
    done = unikit("run", str(image), "-m", "20", "--", "exit", "0")
    assert done.returncode == 114 and "-m " in done.stderr, done.stderr
    amount = done.stderr.rpartition("-m ")[2].split()[0].rstrip(".")
    assert unikit("run", str(image), "-m", amount, "--", "exit", "7").returncode == 7


def test_json(image: Path) -> None:
    done = unikit("run", "--json", str(image), "--", "exit", "3")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert events[-1] == {"event": "exit", "status": 3} and done.returncode == 3
    phases = [e["report"]["phase"] for e in events if e["event"] == "guest" and e["report"]["event"] == "boot"]
    assert phases[0] == "early" and phases[-1] == "exec"


@pytest.mark.parametrize("profile", ["microvm", "q35", "pc"])
def test_every_machine(image: Path, profile: str) -> None:
    assert unikit("run", "--machine", profile, str(image), "--", "exit", "5").returncode == 5


class Terminal:
    """`unikit run -it` on a pseudo terminal."""

    def __init__(self, *arguments: str) -> None:
        self.pid, self.descriptor = pty.fork()
        if self.pid == 0:
            os.chdir(ROOT)
            os.execv(sys.executable, command("run", "-q", "-it", *arguments))
        self.text = ""

    def expect(self, text: str) -> None:
        """Read until `text` has come; what came before it is forgotten."""
        end = time.monotonic() + DEADLINE
        while text not in self.text:
            ready, _, _ = select.select([self.descriptor], [], [], max(0.0, end - time.monotonic()))
            assert ready, f"no {text!r} in {self.text!r}"
            try:
                self.text += os.read(self.descriptor, 4096).decode(errors="replace")
            except OSError as error:
                raise AssertionError(f"ended without {text!r}: {self.text!r}") from error
        self.text = self.text.partition(text)[2]

    def type(self, text: str) -> None:
        os.write(self.descriptor, text.encode())

    def wait(self) -> int:
        with contextlib.suppress(OSError):
            while os.read(self.descriptor, 4096):
                pass
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.descriptor)


def test_a_prompt_on_a_terminal() -> None:
    terminal = Terminal("examples/repl/repl.py", "--python", SYSTEM_PYTHON)
    try:
        terminal.expect(">>> ")
        terminal.type("20 + 3\r")
        terminal.expect("23")
        terminal.expect(">>> ")
        terminal.type("6 * 8\x7f7\r")  # a backspace: the last key is another
        terminal.expect("42")
        terminal.expect(">>> ")
        terminal.type("import time; time.sleep(100)\r")
        terminal.expect("sleep(100)\r\n")
        time.sleep(0.5)  # let it fall asleep
        terminal.type("\x03")
        terminal.expect("KeyboardInterrupt")
        terminal.expect(">>> ")
        terminal.type("import sys; sys.stdin.isatty(), sys.stdout.isatty()\r")
        terminal.expect("(True, True)")
        terminal.expect(">>> ")
        terminal.type("\x04")
        terminal.expect("good bye")
        assert terminal.wait() == 0
    finally:
        terminal.kill()
