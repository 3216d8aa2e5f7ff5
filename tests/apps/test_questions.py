"""The questions on the command line, asked of a real application and of its image."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from elftools.elf.elffile import ELFFile

from tests.images import SYSTEM_PYTHON
from unikit import cli
from unikit.analysis import lock
from unikit.errors import ExitCode

ASK_VERSION = "import sys; print('%d.%d' % sys.version_info[:2])"
SYSTEM = subprocess.run([SYSTEM_PYTHON, "-c", ASK_VERSION], capture_output=True, text=True, check=True).stdout.strip()
APP = """import ssl
import urllib.request

print(ssl.OPENSSL_VERSION)
"""


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("client")
    (folder / "__main__.py").write_text(APP)
    return folder


def ask(*arguments: str | Path) -> Result:
    more = [] if arguments[-1] == "--help" else ["--python", SYSTEM_PYTHON]
    return CliRunner().invoke(cli.root, [*map(str, arguments), *more])


@pytest.mark.parametrize("node", ["_ssl", "virtio_net", "lwip"])
def test_a_way_leads_from_the_applications_own_line(app: Path, node: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(app)  # without APP: the project here
    asked = ask("why", node)
    assert asked.exit_code == 0, asked.output
    first, second = asked.stdout.splitlines()[:2]
    assert first == "module:__main__" and "[__main__.py:" in second
    assert asked.stdout.splitlines()[-1].split("  [")[0].endswith({"virtio_net": "virtio/net"}.get(node, node))
    value = json.loads(ask("why", node, "--json").stdout)
    assert [step["head"] for step in value["ways"][0]][-1] == value["node"]


def test_without_sockets_nothing_of_the_network_is_in_the_kernel(tmp_path: Path) -> None:
    (tmp_path / "hello.py").write_text("print('hello')\n")
    image = tmp_path / "hello.img"
    assert ask("build", tmp_path / "hello.py", "-o", image).exit_code == 0
    for node in ("lwip", "virtio_net", "network/tcp"):
        assert "is not in the image" in ask("why", node, image).output, node
    with image.open("rb") as stream:
        symbols = ELFFile(stream).get_section_by_name(".symtab")
        names = {symbol.name for symbol in symbols.iter_symbols()}
    assert "sys_write" in names and not {name for name in names if name.startswith(("tcp_", "lwip_", "virtio_net"))}


def test_an_image_answers_as_its_application_does(app: Path, tmp_path: Path) -> None:
    image = tmp_path / "client.img"
    assert ask("build", app, "-o", image).exit_code == 0
    for question in (["why", "_ssl"], ["why-not", "fastapi"], ["drop", "ssl"], ["size", "-d", "3"], ["size", "--json"]):
        one, two = ask(*question, app), ask(*question, image)
        assert one.exit_code == two.exit_code == 0, two.output
        assert one.stdout == two.stdout
    assert json.loads(ask("size", image, "--json").stdout)["size"] == image.stat().st_size
    assert "There is no difference." in ask("diff", app, image).stdout
    assert json.loads(ask("sbom", image).stdout)["bomFormat"] == "CycloneDX"
    assert json.loads(ask("audit", image, "--json").stdout)["certificates"] > 0


def test_the_audit_tells_of_a_lock_that_does_not_fit(tmp_path: Path) -> None:
    (tmp_path / "hello.py").write_text("print('hello')\n")
    known = lock.Lock("hello.py", "3.11", ("",), ("json", "gone_away"), (), ())
    for python, what in (("3.9", "was traced with Python 3.9"), (SYSTEM, "names gone_away, which is no longer there")):
        (tmp_path / "unikit.lock").write_text(lock.dump({"hello": replace(known, python=python)}))
        found = json.loads(ask("audit", tmp_path / "hello.py", "--json").stdout)["findings"]
        assert any(what in finding["what"] for finding in found if finding["where"] == "unikit.lock"), found


def test_what_makes_no_sense_is_told(app: Path, tmp_path: Path) -> None:
    asked = ask("why", "_sll", app)
    assert asked.exit_code == ExitCode.CONFIGURATION and "Did you mean" in asked.stderr and "_ssl" in asked.stderr
    program = tmp_path / "program"
    program.write_bytes(Path("/bin/true").read_bytes())
    for question in (["why", "x"], ["why-not", "x"], ["drop", "x"], ["size"], ["sbom"], ["audit"]):
        asked = ask(*question, program)
        assert asked.exit_code == ExitCode.IMAGE and "not an image" in asked.stderr
        asked = ask(*question, tmp_path / "nothing")
        assert asked.exit_code == ExitCode.NO_SUCH_APP and asked.stderr.startswith("error: ")
    asked = ask("size", app, "--html", tmp_path / "no/such/folder.html")
    assert asked.exit_code == ExitCode.USAGE and "cannot be written" in asked.stderr
