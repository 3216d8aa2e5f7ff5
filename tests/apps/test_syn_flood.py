"""Ten thousand half-open connections do not stop service.

The guest's network is a tap device in a network namespace of the test's own, so that made-up source addresses reach the
guest and nothing else.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.guest import start

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
GUEST, HOST, MAC, TAP = "10.99.0.2", "10.99.0.1", "52:54:00:12:34:99", "unikit0"

CLIENT = f"""
import json, sys, time
sys.path.insert(0, {str(ROOT)!r})
from tests.apps.load import requests
from tests.apps.test_service_under_load import ANSWER
kept = requests("{GUEST}", 8080, int(sys.argv[1]), 8, ANSWER)
fresh = requests("{GUEST}", 8080, 200, 4, ANSWER, per_connection=1)
print(json.dumps([kept.errors, kept.answers, fresh.errors, fresh.answers, fresh.longest]))
"""


@pytest.fixture
def namespace() -> Iterator[str]:
    name = f"unikit-{os.getpid()}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        for command in (
            f"tuntap add dev {TAP} mode tap",
            f"address add {HOST}/24 dev {TAP}",
            f"link set {TAP} up",
            "link set lo up",
        ):
            subprocess.run(["ip", "-n", name, *command.split()], check=True)
        yield name
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=True)


@pytest.mark.root
def test_half_open_connections_do_not_stop_service(namespace: str) -> None:
    inside = ["ip", "netns", "exec", namespace]
    card = [
        "-netdev", f"tap,id=tap,ifname={TAP},script=no,downscript=no",
        "-device", f"virtio-net-device,netdev=tap,mac={MAC}",
    ]  # fmt: skip
    tokens = [("ip", f"{GUEST}/24,{HOST}")]
    with start(HERE / "guests/service.py", memory=64, tokens=tokens, extra=card, prefix=inside, network=False) as guest:
        guest.wait_listening(8080)
        client = [*inside, sys.executable, "-c", CLIENT]

        def ask(count: int) -> list[object]:
            done = subprocess.run([*client, str(count)], capture_output=True, text=True, timeout=120, check=False)
            assert done.returncode == 0, done.stderr
            answer: list[object] = json.loads(done.stdout)
            return answer

        assert ask(500)[:4] == [[], 500, [], 200]
        before = guest.memory()
        flood = subprocess.Popen(
            [*inside, sys.executable, str(HERE / "syn_flood.py"), TAP, MAC, GUEST, "8080", "10000"],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        during = ask(2000)
        assert flood.communicate(timeout=60)[0].strip() == "10000" and flood.returncode == 0
        assert during[:4] == [[], 2000, [], 200], "requests failed during the flood"
        after = ask(500)
        assert after[:4] == [[], 500, [], 200]
        assert isinstance(after[4], float) and after[4] < 2, "new connections wait behind half-open ones"
        used = guest.memory()["high"] - before["high"]
        assert used < 16 << 20, f"half-open connections took {used >> 20} MiB"
