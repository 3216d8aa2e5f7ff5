"""The report channel's events."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from tests.unit import elf
from tests.unit.test_image import MANIFEST
from unikit.image.image import KERNEL_VIRTUAL
from unikit.native import symbols
from unikit.vm import report
from unikit.vm.report import Log


def feed(*events: object) -> Log:
    log = Log()
    log.feed("".join(json.dumps(event) + "\n" for event in events).encode())
    return log


def test_lines_may_come_in_pieces_and_with_rubbish() -> None:
    log = Log()
    assert log.feed(b'{"event":"bo') == []
    (event,) = log.feed(b'ot","phase":"memory","ns":5}\nrubbish\n[1]\n{"event"')
    assert event["phase"] == "memory" and log.phase == "memory" and log.phases == {"memory": 5}


def test_status() -> None:
    assert feed({"event": "exit", "status": 3, "stderr": "x"}).status == 3
    assert feed({"event": "exit", "signal": 15}).status == 143
    assert feed({"event": "boot", "phase": "exec", "ns": 1}).status is None


def test_what_is_noted() -> None:
    log = feed(
        {"event": "listen", "port": 80, "proto": "tcp"},
        {"event": "missing", "kind": "syscall", "name": "bpf", "number": 321, "count": 2},
        {"event": "oom", "total": 1, "wanted": 2, "enough": 3},
        {"event": "new in the future"},
    )
    assert log.listening == [80] and log.oom and log.oom["enough"] == 3 and log.missing[0]["name"] == "bpf"


def test_missing_calls_as_sentences() -> None:
    one = {"name": "bpf", "count": 1}
    two = {"number": 9999, "count": "2", "module": "/lib/x.so", "offset": "0x10"}
    refused = {"kind": "wx", "name": "wx", "count": 2}
    assert report.missing([one, two, refused], MANIFEST) == [
        "system call bpf is not there; called 1 time",
        "system call number 9999 is not there; called 2 times, from 0x10 (/lib/x.so)",
        "memory both writable and executable was refused 2 times (writable_code = true allows it)",
    ]


def test_a_call_that_a_trace_left_out_comes_with_the_line_that_keeps_it() -> None:
    manifest = replace(MANIFEST, uncalled=("memfd_create",))
    said, other = report.missing([{"name": "memfd_create", "count": 3}, {"name": "bpf", "count": 1}], manifest)
    assert "called 3 times: left out" in said and "prune = traced" in said
    assert 'add "call:memfd_create" to `include`' in said
    assert other == "system call bpf is not there; called 1 time"


def test_a_crash_names_module_and_reason() -> None:
    event = {
        "signal": 11, "code": 1, "address": "0x10", "ip": "0x7f0000001234", "module": "/lib/x.so", "offset": "0x1234",
        "frames": [{"ip": "0x7f0000001234", "module": "/lib/x.so", "offset": "0x1234"}, {"ip": "0x1"}],
    }  # fmt: skip
    head, first, second = report.crash(event, MANIFEST)
    assert "SIGSEGV (nothing is mapped there) at address 0x10, in 0x1234 (/lib/x.so)" in head
    assert "#0" in first and second.endswith("?")


def test_an_illegal_instruction_in_a_frozen_guest_may_be_of_a_later_cpu() -> None:
    event = {"signal": 4, "code": 2, "address": "0x10", "ip": "0x10", "module": "/lib/x.so", "offset": "0x10"}
    assert len(report.crash(event, MANIFEST)) == 1
    said = report.crash(event, replace(MANIFEST, frozen="x86-64-v2"))
    assert "frozen for CPUs of x86-64-v2" in said[1] and "--cpu-level x86-64-v2-AES or x86-64-v3" in said[1]
    assert len(report.crash(event, replace(MANIFEST, frozen="x86-64-v3"))) == 1  # there is no later one


def test_kernel_frames_have_names_if_the_kernel_is_here(tmp_path: Path) -> None:
    address = KERNEL_VIRTUAL + elf.TEXT + 0x40
    path = elf.write(tmp_path / "kernel", extra=(("panic", address, 32, 2),))
    found = symbols._read(path, "")
    assert found and found.at(address + 4) == "panic+0x4" and found.at(address + 32) is None
    assert found.at_offset(0x1000 + 0x44) == "panic+0x4" and found.at_offset(1) is None
    assert report.where(address, None, None, MANIFEST) == "? (kernel)"  # no file with that build id


def test_a_crash_shows_the_return_addresses_on_the_stack() -> None:
    word = {"ip": "0x7f0000001234", "module": "/lib/libx.so.1", "offset": "0x1234"}
    event = {"event": "crash", "signal": 11, "code": 2, "address": "0x10", "ip": "0x7f0000001000", "stack": [word] * 40}
    lines = report.crash(event, MANIFEST)
    assert len(lines) == 2 + report.MOST_WORDS and "on the stack" in lines[1]
    assert lines[2].endswith("0x1234 (/lib/libx.so.1)") and "the page does not allow it" in lines[0]
