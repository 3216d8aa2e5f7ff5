"""`pytest --unikit` with real guests: a project as users have it, here and there with the same result."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from unikit.errors import ExitCode

DEADLINE = 280
FILES = {
    "pyproject.toml": """
[tool.pytest.ini_options]
pythonpath = ["src"]
[tool.unikit]
environment = { MODE = "guest" }
""",
    "src/shop/__init__.py": "from shop.prices import total\n",
    "src/shop/prices.py": """
import importlib, json
from pathlib import Path
PRICES = json.loads((Path(__file__).parent / "prices.json").read_text())
def total(*names): return sum(PRICES[name] for name in names)
def plugin(name): return importlib.import_module("shop.plugins." + name).NAME
""",
    "src/shop/prices.json": '{"apple": 3, "pear": 4}',
    "src/shop/plugins/__init__.py": "",
    "src/shop/plugins/second.py": 'NAME = "second"\n',
    "tests/conftest.py": """
import pytest
@pytest.fixture(scope='session')
def basket(): return ['apple', 'pear']
def pytest_addoption(parser): parser.addoption("--place", default="host")
def pytest_configure(config): assert not hasattr(config, "workerinput")  # plugins expect xdist's controller behind it
""",
    "tests/data/basket.txt": "apple pear",
    "tests/test_shop.py": """
import asyncio, os, socket, sys, threading
from pathlib import Path
import pytest
import shop
from shop import prices

def test_pass(basket): assert shop.total(*basket) == 7
def test_fail(basket): print("a word"); assert shop.total(*basket) == 8
@pytest.mark.skip(reason="not now")
def test_skip(): ...
@pytest.mark.xfail(reason="known")
def test_xfail(): assert 0
@pytest.mark.parametrize("name", ["apple", "plum"])
def test_many(name): shop.total(name)
def test_data(): assert shop.total(*(Path(__file__).parent / "data/basket.txt").read_text().split()) == 7
def test_computed_import(): assert prices.plugin("second") == "second"
def test_patched(monkeypatch, tmp_path):
    monkeypatch.setattr("shop.prices.PRICES", {"apple": 1})
    (tmp_path / "x").write_text("y")
    assert shop.total("apple") == 1
def test_machine():
    assert os.environ.get("MODE") in ("guest", None) and sys.version_info[:2] == (3, int(os.environ["MINOR"]))
def test_argument(pytestconfig):
    assert pytestconfig.getoption("--place") == os.environ.get("MODE", "host")
def test_network():
    async def main():
        server = await asyncio.start_server(lambda r, w: w.close(), "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        assert await reader.read() == b""
    asyncio.run(main())
""",
    "tests/test_end.py": """
import ctypes, os
def test_before(): ...
def test_crash():
    if os.environ.get("MODE") == "guest":
        print("last words", flush=True)
        ctypes.string_at(0)
def test_after(): ...
""",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def session(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "MINOR": str(sys.version_info[1])}
    environment.pop("MODE", None)
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-v", "--junitxml=out.xml", "--unikit-env=MINOR", *arguments],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=DEADLINE, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def outcomes(folder: Path) -> dict[str, str]:
    """What became of each test: the kinds of its results, and the words of a failure but for addresses."""
    found = {}
    for case in ET.parse(folder / "out.xml").getroot().iter("testcase"):
        results = [part for part in case if part.tag in ("failure", "error", "skipped")]
        texts = [re.sub(r"0x[0-9a-f]+", "", f"{part.tag} {part.get('message')} {part.text}") for part in results]
        found[str(case.get("name"))] = "\n".join(texts) or "passed"
    return found


def check_end(found: dict[str, str], ordinary: dict[str, str]) -> None:
    """A session in a guest: the crash costs its own test only, and tells where it was."""
    crash = found.pop("test_crash")
    assert found == {name: outcome for name, outcome in ordinary.items() if name != "test_crash"}
    assert found["test_before"] == found["test_after"] == "passed"
    assert "SIGSEGV" in crash and "string_at" in crash and 'test_end.py", line 7 in test_crash' in crash, crash


@pytest.fixture(scope="module")
def ordinary(folder: Path) -> dict[str, str]:
    """The outcomes on the host."""
    assert session(folder).returncode == 1
    found = outcomes(folder)
    assert found["test_crash"] == "passed"
    return found


def test_the_same_result_and_a_crash_costs_its_own_test_only(folder: Path, ordinary: dict[str, str]) -> None:
    there = session(folder, "--unikit", "--unikit-argument=--place=guest")
    assert there.returncode == 1, there.stdout + there.stderr
    check_end(outcomes(folder), ordinary)
    assert there.stdout.count("unikit: booted") == 2


@pytest.mark.timeout(600)
def test_a_frozen_guest_has_the_same_result(folder: Path, ordinary: dict[str, str]) -> None:
    frozen = session(folder, "--unikit", "--freeze", "--unikit-argument=--place=guest")
    assert frozen.returncode == 1, frozen.stdout + frozen.stderr
    check_end(outcomes(folder), ordinary)
    assert frozen.stdout.count("unikit: booted") == 2 and "unikit: frozen image" in frozen.stdout

    selected = ("-k", "test_f or data", "-x", "--tb=short")
    again = session(folder, "--unikit", "--freeze", "--unikit-argument=--place=guest", *selected)
    assert again.returncode == 1 and "stopping after 1 failures" in again.stdout, again.stdout + again.stderr
    assert [name for name, text in outcomes(folder).items() if text != "passed"] == ["test_fail"]


def test_a_suite_that_cannot_be_frozen_says_why(tmp_path: Path) -> None:
    text = "import threading\ndef wait(): threading.Event().wait()\n"
    text += "threading.Thread(target=wait, daemon=True).start()\n"
    (tmp_path / "test_thread.py").write_text(text + "def test(): ...\n")
    done = session(tmp_path, "--unikit", "--freeze")
    assert done.returncode == ExitCode.FREEZE, done.stdout + done.stderr
    assert "test_thread.py" in done.stdout + done.stderr and "cannot be frozen" in done.stdout + done.stderr


def test_what_failed_is_run_again_in_the_image_of_before(folder: Path) -> None:
    shop = "tests/test_shop.py"
    assert session(folder, "--unikit", shop, "-k", "many or test_fail or data").returncode == 1
    assert outcomes(folder).keys() == {"test_fail", "test_many[apple]", "test_many[plum]", "test_data"}
    done = session(folder, "--unikit", shop, "--lf", "-x")
    assert done.returncode == 1 and "stopping after 1 failures" in done.stdout, done.stdout
    assert list(outcomes(folder)) == ["test_fail"]
    assert "stopping after 1 failures" in done.stdout and "a word" in done.stdout
