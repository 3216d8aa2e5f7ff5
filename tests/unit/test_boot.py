"""What a run's end means, without a run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.unit.test_image import MANIFEST, make
from unikit.errors import ExitCode, UserError
from unikit.progress import Progress
from unikit.vm import boot, machine
from unikit.vm.boot import Options
from unikit.vm.machine import Forward
from unikit.vm.report import Log
from unikit.vm.supervisor import Ended


class Listening(Progress):
    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def alert(self, first: str, *rest: str) -> None:
        self.said += [first, *rest]


def ended(log: Log | None = None, status: int | None = 1, text: str = "", late: str | None = None) -> Ended:
    return Ended(status, text, log or Log(), late)


def conclude(value: Ended, options: Options | None = None) -> int:
    return boot.conclude(value, MANIFEST, options or Options(), Progress())


def refused(value: Ended, options: Options | None = None) -> UserError:
    with pytest.raises(UserError) as error:
        conclude(value, options)
    return error.value


def test_the_applications_status_is_ours() -> None:
    assert conclude(ended(Log(status=0))) == 0
    assert conclude(ended(Log(status=143), status=None)) == 143


def test_deadlines() -> None:
    error = refused(ended(Log(phase="memory"), None, late="boot"), Options(boot_limit=5))
    assert error.code == ExitCode.DEADLINE and "5 s" in error.message and "memory" in error.message
    error = refused(ended(Log(phase="exec"), None, late="run"), Options(run_limit=9))
    assert error.code == ExitCode.DEADLINE and "still running after 9 s" in error.message


def test_memory() -> None:
    oom = {"total": 64 << 20, "wanted": 4096, "enough": 90 << 20}
    error = refused(ended(Log(oom=oom)))
    assert error.code == ExitCode.MEMORY and "64 MiB" in error.message and error.hint == "Try -m 90."
    progress = Listening()
    assert boot.conclude(ended(Log(oom=oom, status=1)), MANIFEST, Options(), progress) == 1
    assert "Try -m 90." in progress.said[0]


def test_the_guests_own_reasons() -> None:
    error = refused(ended(Log(error={"code": "no-entropy", "message": "There is no source of entropy."})))
    assert error.code == ExitCode.GUEST and error.message == "There is no source of entropy."
    error = refused(ended(Log(panic={"message": "x does not hold", "frames": [{"ip": "0xffffffff80101000"}]})))
    assert error.code == ExitCode.GUEST and "x does not hold" in error.message and "(kernel)" in error.details[0]


def test_what_qemu_says() -> None:
    options = Options(forwards=(Forward(80, 8080),), memory=5)
    text = "qemu: -netdev user: Could not set up host forwarding rule 'tcp:127.0.0.1:80-:8080'"
    assert refused(ended(text=text), options).code == ExitCode.PORT_TAKEN
    text = "cannot set up guest memory 'pc.ram': Cannot allocate memory"
    assert refused(ended(text=text), options).code == ExitCode.MEMORY
    error = refused(ended(text="qemu: no such device"))
    assert error.code == ExitCode.NO_QEMU and error.details == ("qemu: no such device",)
    assert refused(ended(status=-9)).message == "QEMU was ended by SIGKILL."


def test_a_guest_without_a_word() -> None:
    error = refused(ended(Log(phase="threads"), status=0))
    assert error.code == ExitCode.GUEST and "threads" in error.message
    assert "status 70" in refused(ended(status=141)).message


def test_the_address_is_known_where_the_network_is_ours_alone() -> None:
    assert boot.with_address(Options()).tokens == (machine.USER_ADDRESS,)
    for own in (Options(tokens=(("ip", "dhcp"),)), Options(extra=("-netdev", "tap,id=lan"))):
        assert boot.with_address(own) == own


def test_tokens() -> None:
    text = boot.tokens(Options(environment=(("A", "1 2"),), arguments=("x",), tokens=(("verbose", "1"),)), "kvm")
    assert text == "env=A=1%202 arg=x verbose=1"
    assert "GLIBC_TUNABLES=" in boot.tokens(Options(), "tcg")
    own = boot.tokens(Options(environment=(("GLIBC_TUNABLES", "mine"),)), "tcg").split()
    assert "env=GLIBC_TUNABLES=mine" in own and len(own) == len(boot.TCG_ENVIRONMENT)
    with pytest.raises(UserError, match="too long"):
        boot.tokens(Options(arguments=("x" * 20000,)), "kvm")


def test_without_qemu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("UNIKIT_QEMU", raising=False)
    with pytest.raises(UserError, match="QEMU is missing") as error:
        boot.run(make(tmp_path), Options(), Progress())
    assert error.value.code == ExitCode.NO_QEMU and "apt install" in str(error.value.hint)


def test_less_memory_than_the_image_is_refused_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNIKIT_QEMU", "/bin/true")
    with pytest.raises(UserError, match="too little") as error:
        boot.run(make(tmp_path), Options(memory=8), Progress())
    assert error.value.code == ExitCode.MEMORY


def test_an_unknown_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNIKIT_QEMU", "/bin/true")
    with pytest.raises(UserError, match="machine profile"):
        boot.run(make(tmp_path), Options(machine="vax"), Progress())


def test_a_qemu_that_only_complains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "qemu"
    program.write_text("#!/bin/sh\necho 'qemu: this is broken' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("UNIKIT_QEMU", str(program))
    with pytest.raises(UserError, match="QEMU does not start") as error:
        boot.run(make(tmp_path), Options(accelerator="tcg"), Progress(), output=lambda data: None)
    assert error.value.details == ("qemu: this is broken",)


def test_reports_and_console_reach_us(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program in QEMU's place writes to the descriptors that it finds on its command line."""
    program = tmp_path / "qemu"
    program.write_text(
        "#!/usr/bin/env python3\n"
        "import os, re, sys\n"
        "fds = dict(re.findall(r'socket,id=(\\w+),fd=(\\d+)', ' '.join(sys.argv)))\n"
        "os.write(int(fds['console']), b'hello\\r\\n')\n"
        'line = b\'{"event":"boot","phase":"exec","ns":1}\\n\'\n'
        'os.write(int(fds[\'report\']), line + b\'{"event":"exit","status":7}\\n\')\n'
        "sys.exit(15)\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("UNIKIT_QEMU", str(program))
    seen: list[bytes] = []
    outcome = boot.run(make(tmp_path), Options(accelerator="tcg"), Progress(), output=seen.append)
    assert outcome.status == 7 and b"".join(seen) == b"hello\r\n" and outcome.ended.qemu_status == 15


def test_the_boot_deadline_ends_a_silent_guest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "qemu"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)
    monkeypatch.setenv("UNIKIT_QEMU", str(program))
    options = Options(accelerator="tcg", boot_limit=0.3)
    with pytest.raises(UserError, match=r"longer than 0.3 s; the last phase reached: none") as error:
        boot.run(make(tmp_path), options, Progress(), output=lambda data: None)
    assert error.value.code == ExitCode.DEADLINE


def test_a_pipe_gets_plain_line_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()

    class Out:
        def fileno(self) -> int:
            return writer

        def flush(self) -> None: ...

    monkeypatch.setattr(boot.sys, "stdout", Out())
    write = boot.console_writer(interactive=False)
    for piece in (b"a\r\nb\r", b"\nc\rd"):
        write(piece)
    os.close(writer)
    assert os.read(reader, 100) == b"a\nb\nc\rd"
    os.close(reader)


def test_every_profile_names_its_machine() -> None:
    assert all(machine.load(name).machine for name in machine.names())
