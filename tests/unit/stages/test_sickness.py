"""What is told of broken packages, of foreign builds and of calls that cannot work in a guest."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tests.unit.stages import elves
from tests.unit.stages.conftest import Workshop, write
from unikit.analysis import natives
from unikit.errors import ExitCode, UserError
from unikit.native import holders


def warnings(workshop: Workshop, **files: str) -> list[str]:
    return list(workshop.analyse(workshop.app(**files)).warnings)


def test_a_module_that_does_not_compile_is_a_warning(workshop: Workshop) -> None:
    workshop.packages(
        {"p/__init__.py": "def old():\n    from . import two", "p/two.py": "x = 1\nprint 'a'", "p/unused.py": "print 1"}
    )
    said = warnings(workshop, main="import p\np.old()")
    assert len(said) == 1 and f"{workshop.site}/p/two.py:2: p.two does not compile" in said[0]


def test_circular_imports(workshop: Workshop) -> None:
    workshop.packages({"p/__init__.py": "from .a import x", "p/a.py": "from . import b\nx = 1", "p/b.py": "import p.a"})
    found = workshop.analyse(workshop.app(main="import helper, p", helper="import main"))
    assert {"p", "p.a", "p.b", "helper"} <= {m.name for m in found.modules} and not found.warnings


def test_two_distributions_with_one_module(workshop: Workshop) -> None:
    workshop.packages({"shared/__init__.py": "", "shared/one.py": ""})
    for name in ("first", "second"):
        workshop.distribution(name, RECORD="shared/__init__.py,,\nshared/one.py,,\n", modules="shared")
    said = warnings(workshop, main="import shared.one")
    assert len(said) == 1 and "first and second both install the module shared " in said[0]


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        ("cpython-311-aarch64-linux-gnu.so", "is for aarch64-linux-gnu"),
        ("cpython-311-x86_64-linux-musl.so", "is for musl"),
        ("cpython-36m-x86_64-linux-gnu.so", "is for Python 3.6"),
        ("cp311-win_amd64.pyd", "is for another operating system"),
    ],
)
def test_a_build_for_something_else_is_named(workshop: Workshop, file: str, reason: str) -> None:
    workshop.packages({"p/__init__.py": "from . import core\nfrom .core import x", f"p/core.{file}": ""})
    with pytest.raises(UserError) as caught:
        workshop.analyse(workshop.app(main="import p"))
    assert caught.value.code is ExitCode.MODULE_NOT_FOUND
    assert f"{workshop.site}/p/core.{file} {reason}" in (caught.value.hint or "")


def program(folder: Path, name: str, *lines: str) -> None:
    path = write(folder, {name: "#!/bin/sh\n" + "\n".join(lines) + "\n"}) / name
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is the only one on PATH, apart from the shell's."""
    folder = tmp_path / "tools"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/nowhere")
    return folder


def test_the_package_of_a_library(tools: Path) -> None:
    assert holders.package_of("libpq.so.5") is None
    program(tools, "apt-cache", "echo libpq5")
    assert holders.package_of("libpq.so.5") == "libpq5"
    program(tools, "apt-file", "echo 'libpq5-from-file: /usr/lib/x86_64-linux-gnu/libpq.so.5'")
    assert holders.package_of("libpq.so.5") == "libpq5-from-file"
    program(tools, "dpkg-query", "echo 'libpq5-installed:amd64: /opt/lib/libpq.so.5'")
    assert holders.package_of("libpq.so.5") == "libpq5-installed"


@pytest.mark.parametrize(
    ("library", "package"),
    [("libGL.so.1", "libgl1"), ("libgcc-9.so.2", "libgcc-9-2"), ("libdb-5.3.so", "libdb-5.3"), ("odd.so", None)],
)
def test_names_by_policy(library: str, package: str | None) -> None:
    assert next(iter(holders.policy_names(library)), None) == package


def test_a_missing_library_is_named_with_its_package(workshop: Workshop, tools: Path) -> None:
    program(tools, "apt-cache", "echo libnot-there7")
    suffix = workshop.interpreter.suffixes[0]
    elves.write(workshop.site / f"fast{suffix}", needed=["libnot_there.so.7"])
    with pytest.raises(UserError) as caught:
        natives.resolve(workshop.analyse(workshop.app(main="import fast")))
    assert "libnot_there.so.7" in caught.value.message
    assert caught.value.hint == "apt install libnot-there7"


@pytest.mark.parametrize(
    ("text", "function", "when"),
    [
        ("import os\npid = os.fork()", "os.fork", True),
        ("import subprocess as s\ndef f(): s.run(['ls'])", "subprocess.run", False),
        ("from subprocess import Popen as P\nP('ls')", "subprocess.Popen", True),
        ("import multiprocessing as m\nif __name__ == '__main__':\n    m.Pool(2)", "multiprocessing.Pool", True),
        ("import os\ndef f(): os.execv('/bin/sh', [])", "os.execv", False),
        ("import asyncio as a\nasync def f(): a.create_subprocess_exec('ls')", "asyncio.create_subprocess_exec", False),
    ],
)  # fmt: skip
def test_calls_of_the_application_that_cannot_work(workshop: Workshop, text: str, function: str, when: bool) -> None:
    line = 1 + next(i for i, t in enumerate(text.splitlines()) if "(" in t and "import" not in t and "if " not in t)
    said = warnings(workshop, main=text)
    assert len(said) == 1 and f"main.py:{line}: calls {function}" in said[0] and "which cannot work: a guest" in said[0]
    assert ("when a function runs" not in said[0]) == when


def test_calls_of_packages_count_when_they_are_imported(workshop: Workshop) -> None:
    workshop.packages(
        {
            "p.py": "import subprocess\nVERSION = subprocess.check_output(['git'])\ndef f(): subprocess.run(['a'])",
            "q.py": "import subprocess\ntry:\n    subprocess.run(['a'])\nexcept Exception: pass",
        }
    )
    said = warnings(workshop, main="import p, q\np.f()")
    assert len(said) == 1 and f"{workshop.site}/p.py:2: calls subprocess.check_output, which" in said[0]


def test_pre_forking_servers(workshop: Workshop) -> None:
    workshop.packages({"gunicorn/__init__.py": "", "gunicorn/app/base.py": ""})
    said = warnings(workshop, main="from gunicorn.app.base import Thing")
    assert any("main.py:1: imports gunicorn, which cannot work: its workers are processes" in s for s in said)


def test_a_pre_forking_servers_worker_alone_works(workshop: Workshop) -> None:
    workshop.packages({"gunicorn/__init__.py": "", "gunicorn/app/base.py": "", "gunicorn/workers/gthread.py": ""})
    main = "from gunicorn.app.base import Thing\nfrom gunicorn.workers.gthread import ThreadWorker"
    assert warnings(workshop, main=main) == []


def test_not_everything_is_told(workshop: Workshop) -> None:
    text = "import os\n" + "os.system('x')\n" * 30
    said = warnings(workshop, main=text)
    assert len(said) < 12 and said[-1].startswith("22 more calls need another process")
