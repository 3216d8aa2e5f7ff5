"""Frozen images: what stays, what is each boot's own, what cannot be frozen, and where they resume."""

from __future__ import annotations

import http.client
import itertools
import json
import re
import shlex
import socket
import sys
import time
import urllib.request
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests import images
from tests.guest import run, start
from unikit.errors import ExitCode, UserError
from unikit.image import pack
from unikit.model import digest_file
from unikit.vm import frozen, machine, shared

HERE = Path(__file__).resolve().parent / "frozen"
BOOTS = 5
QEMU_CARD = 0x525400123456  # the hardware address of QEMU's first network card


def build(name: str, **options: Any) -> images.Image:
    return images.build(HERE / f"{name}.py", freeze=True, **options)


def say(name: str, **options: Any) -> Any:
    result = run(build(name), **options)
    assert result.status == 0 and result.log.missing == [], result.console
    phases = [*result.log.phases.values()]
    assert phases == sorted(phases) and phases[0] >= 0 and phases[-1] < 60e9, "since power-on"
    return json.loads(result.words[0])


def test_the_program_goes_on_as_the_child_of_a_fork() -> None:
    environment = {"NAME": "one\ntwo", "GIVEN": ""}
    said = say("state", arguments=["a b", "ä"], environment=environment, tokens=[("hostname", "h")])
    before, now = said["before"], said["now"]
    assert now["pid"] != before["pid"] and said["rings"] == ["before", "child"] and said["kept"] == "from before"
    assert 0 < now["monotonic"] - before["monotonic"] < 60, "the clock goes on"
    assert abs(said["clock"] - time.time()) < 60, "the date is today's"
    assert before["argv"] == [] and now["argv"] == ["a b", "ä"]
    assert now["environment"] == {"BAKED": "set by the program", **environment}
    assert before["host"] == "state" and now["host"] == "h"
    assert before["hash"] == now["hash"]
    seed = b"seed".hex()
    assert before["wiped"] == [seed, seed, 1] and now["wiped"] == ["00000000", seed, 0], "as a fork's child has it"
    arguments, variables = now["started with"]
    assert arguments.endswith("\0a b\0ä\0") and before["started with"][0] == arguments.removesuffix("a b\0ä\0")
    assert variables.endswith("\0NAME=one\ntwo\0GIVEN=\0")


def test_it_can_be_executed_anew() -> None:
    """As on a cold boot: with a hash seed of its own, and everything else that a frozen image has baked in."""
    frozen = say("state")
    fresh = [say("state", arguments=["a"], tokens=[("fresh", "1")]) for _ in range(2)]
    assert len({one["now"]["hash"] for one in [frozen, *fresh]}) == 3
    for one in fresh:
        assert one["rings"] == [] and one["before"]["argv"] == ["a"] and one["kept"] == "from before"
        assert one["before"]["pid"] == one["now"]["pid"]


def test_no_two_boots_have_the_same_random_numbers() -> None:
    boots = [say("state") for _ in range(BOOTS)]
    for kind in boots[0]["now"]["random"]:
        values = [boot["now"]["random"][kind] for boot in boots]
        assert len({boots[0]["before"]["random"][kind], *values}) == BOOTS + 1, f"{kind}: {values}"
    assert len({boot["sequence"] for boot in boots}) > 1 and {boot["now"]["node"] for boot in boots} == {QEMU_CARD}


def test_hooks_run_around_a_freeze_of_the_programs_own() -> None:
    result = run(build("hooks"))
    assert result.status == 0, result.console
    assert result.words == ["True True before 2, before 1, after 1, after 2"]


def test_a_hook_that_fails_in_a_boot_is_the_programs_error() -> None:
    result = run(build("hook_fails"))
    assert result.status == 1, result.console
    assert result.log.stderr.rstrip().endswith("ConnectionRefusedError: no database") and "DEVICE" not in result.console


def test_the_same_program_runs_cold() -> None:
    result = run(images.build(HERE / "hooks.py"))
    assert result.status == 0, result.console
    assert result.words == ["False False "]


@pytest.mark.parametrize(
    ("name", "reason", "detail"),
    [
        # the program's name, or the thread's own from Python 3.14 on
        ("thread", r"thread 101 \((python3\.\d+|worker)\) is running", "(101), started by /app/thread.py:12 is in"),
        ("connected", r"file descriptor 4 is connected to 127\.0\.0\.1:8080", ", made by /app/connected.py:6"),
        ("alarm", r"a timer is running \(setitimer\)", "setitimer: called by /app/alarm.py:5"),
    ],
)
def test_what_cannot_be_frozen_is_named(name: str, reason: str, detail: str) -> None:
    with pytest.raises(UserError) as caught:
        build(name)
    assert caught.value.code == ExitCode.FREEZE and caught.value.hint
    assert re.search(f"cannot be frozen where it is: {reason}", caught.value.message)
    told = "\n".join(caught.value.details)
    assert detail in told, told


def test_a_program_that_ends_too_early_says_why() -> None:
    with pytest.raises(UserError, match="ended with status 1 before") as caught:
        build("ends")
    assert "nothing is configured" in caught.value.details


@pytest.mark.parametrize("profile", machine.names())
@pytest.mark.parametrize(("memory", "free"), [(48, 14), (1024, 900), (6144, 5700)])
def test_resumes_on_every_machine_with_any_memory(profile: str, memory: int, free: int) -> None:
    result = run(build("memory"), profile=profile, memory=memory, environment={"FREE": str(free)})
    assert result.status == 0, result.console
    said = result.log.memory
    assert said and 0.7 * memory < said["total"] / 2**20 <= memory


def test_a_machine_that_is_too_small_is_told() -> None:
    made = build("memory")
    holds = made.path.stat().st_size // 2**20  # its memory, and nothing beside it
    result = run(made, memory=holds, environment={"FREE": "1"})
    said = result.log.error or result.log.oom
    assert result.status != 0 and (said or "memory" in result.console), result


@pytest.mark.parametrize(
    ("level", "lesser", "lacks"),
    [
        ("x86-64", "", []),
        ("x86-64-v2-AES", "max,-aes,-pclmulqdq", [" aes", " pclmulqdq"]),
        ("x86-64-v3", "Nehalem,-spec-ctrl,+rdrand", [" aes", " avx2"]),
    ],
)
def test_other_levels(level: str, lesser: str, lacks: list[str]) -> None:
    image = build("hooks", cpu_level=level)
    assert image.manifest.frozen == level
    result = run(image)
    assert result.status == 0, result.console
    if lesser:
        result = run(image, extra=["-cpu", lesser])
        assert result.log.error and result.status is None
        assert all(name in result.log.error["message"] for name in lacks), result.log.error


def test_a_lesser_cpu_is_refused_with_a_sentence() -> None:
    result = run(build("state"), extra=["-cpu", "qemu64,+rdrand"])
    assert result.log.error and result.log.error["code"] == "cpu" and result.status is None
    assert "sse4.2" in result.log.error["message"]


def test_a_service_answers_on_another_machine() -> None:
    for profile, kind in itertools.product(machine.names(), ["dhcp", "10.0.2.77/24"]):
        with start(build("service"), profile=profile, ports=[8080], tokens=[("ip", kind)]) as guest:
            guest.wait_listening(8080)
            if kind != "dhcp":
                continue  # user-mode networking leads to the address that it gives out
            connection = http.client.HTTPConnection("127.0.0.1", guest.port(8080), timeout=60)
            connection.request("GET", "/")
            assert connection.getresponse().read() == b"1 10.0.2.15"


PYTHON = f"{shlex.quote(sys.executable)} -c "
ASK = "import os, urllib.request; [urllib.request.urlopen(os.environ['UNIKIT_URL']).read() for _ in range(10)]"
TALK = (
    "import os, socket; s = socket.create_connection((os.environ['UNIKIT_HOST'], int(os.environ['UNIKIT_PORT_8080'])));"
    "[(s.sendall(line), s.recv(100)) for line in [b'line\\n', b'thread\\n'] * 5]"
)


def test_a_warm_service_goes_on_where_it_was() -> None:
    """Threads, sockets: what served the requests before the freeze serves those after it."""
    with start(build("service", warm=PYTHON + shlex.quote(ASK)), ports=[8080]) as guest:
        guest.wait_listening(8080)
        with urllib.request.urlopen(f"http://127.0.0.1:{guest.port(8080)}/", timeout=60) as answer:
            assert answer.read() == b"11 10.0.2.15"


def test_a_warm_event_loop_goes_on() -> None:
    with start(build("loop", warm=PYTHON + shlex.quote(TALK)), ports=[8080]) as guest:
        guest.wait_listening(8080)
        with socket.create_connection(("127.0.0.1", guest.port(8080)), timeout=60) as talk:
            for i, text in enumerate(["one", "thread", "two"], 11):
                talk.sendall(f"{text}\n".encode())
                assert talk.recv(100) == f"{i} {text}\n".encode()
        assert guest.stop() == 7


def test_threads_that_wait_for_work_end_before_the_freeze_and_begin_after_it() -> None:
    with start(build("idle", python=sys.executable, warm=PYTHON + shlex.quote(ASK)), ports=[8080]) as guest:
        guest.wait_listening(8080)
        for number in (11, 12):
            with urllib.request.urlopen(f"http://127.0.0.1:{guest.port(8080)}/", timeout=60) as answer:
                assert answer.read() == f"({number}, 2) ('127.0.0.1', 80) uvloop".encode()


def test_a_warming_command_that_fails_is_told() -> None:
    with pytest.raises(UserError, match="ended with status 3") as caught:
        build("service", warm="sleep 90 & echo to the user; exit 3")
    assert caught.value.code == ExitCode.FREEZE and caught.value.details == ("to the user",)


def test_a_warm_program_that_does_not_listen_is_told() -> None:
    with pytest.raises(UserError, match="ended with status 3 and did not listen on a port") as caught:
        build("quiet", warm="true")
    assert caught.value.code == ExitCode.FREEZE and "nothing to serve" in caught.value.details


def test_guests_of_one_image_share_its_memory_and_nothing_else() -> None:
    """Each writes to its own: the file is as it was, and so is what the others see."""
    made = build("memory")
    found = shared.prepare(made, 128)
    before = digest_file(found.memory)
    extra = found.options(128)
    for _ in range(2):
        result = run(replace(made, path=found.entry), memory=128, environment={"FREE": "80"}, extra=extra)
        assert result.status == 0, result.console
    assert digest_file(found.memory) == before


@pytest.mark.parametrize("method", pack.METHODS)
def test_a_compressed_image_resumes_and_shares(method: str) -> None:
    """It unpacks itself, or was unpacked once for all of its guests."""
    made = build("memory", compression=method)
    assert made.path.stat().st_size < 0.6 * build("memory").path.stat().st_size
    result = run(made, memory=128, environment={"FREE": "80"})
    assert result.status == 0, result.console
    for memory in (2, made.manifest.smallest // 2, made.manifest.smallest - frozen.HEADROOM - 1):
        result = run(made, memory=memory)  # there may be none where the unpacker is
        assert result.status is None and result.qemu_status == 2 * 78 + 1
        assert "The memory ends before the unpacked image does" in result.console and "at least" in result.console
    found = shared.prepare(made, 128)
    before = digest_file(found.memory)
    result = run(replace(made, path=found.entry), memory=128, environment={"FREE": "80"}, extra=found.options(128))
    assert result.status == 0, result.console
    assert digest_file(found.memory) == before
