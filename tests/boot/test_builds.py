"""Builds that repeat: the same bytes elsewhere and later, and little to do after a small change."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests import guest, images
from unikit import cache, pipeline, progress
from unikit.analysis import recording, scanner
from unikit.image import bytecode
from unikit.kernel import compiler, link, runtime
from unikit.native import elf

MAIN = """
import asyncio, json, sqlite3
import helper, package
NAMES = {"one", "two", "three", "four", "five"}
print(sorted(NAMES), helper.KINDS, package.WORDS)
"""
FILES = {
    "shop/main.py": MAIN,
    "shop/helper.py": "import csv\nKINDS = frozenset({'a', 'b', 'c', 'd'})\n",
    "shop/templates/page.html": "<p>",
    "shop/pyproject.toml": '[tool.unikit]\nentry = "main.py"\ninclude = ["wave"]\n',
    "packages/package/__init__.py": "import package.inner\nWORDS = {'x', 'y', 'z'}\n",
    "packages/package/inner.py": "import colorsys\n",
    "packages/package/data.json": "{}",
    "packages/package-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: package\nVersion: 1.0\n\n",
    "packages/package-1.0.dist-info/RECORD": "package/__init__.py,,\npackage/inner.py,,\npackage/data.json,,\n",
}


def write(folder: Path, seconds: int) -> Path:
    """The application with an environment of its own; returns the application's folder."""
    subprocess.run([images.SYSTEM_PYTHON, "-m", "venv", "--without-pip", str(folder / "venv")], check=True)
    site = next((folder / "venv/lib").glob("python3*")) / "site-packages"
    for name, text in FILES.items():
        path = site / name.removeprefix("packages/") if name.startswith("packages/") else folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        os.utime(path, (seconds, seconds))
    return folder / "shop"


def fresh_cache(folder: Path) -> Path:
    """A cache with nothing in it but the runtime's objects, which take a minute."""
    link.compile_all(runtime.Runtime())
    folder.mkdir()
    for kind in ("objects", "sources"):
        shutil.copytree(cache.folder(kind), folder / kind, copy_function=_link)
    return folder


def _link(source: str, target: str) -> None:
    with contextlib.suppress(FileNotFoundError):  # another build's, under way
        os.link(source, target)


def test_the_same_application_elsewhere_and_later_is_the_same_image(tmp_path: Path) -> None:
    hashes = []
    for place, seconds, seed in (("here", 1_000_000_000, "1"), ("some where/else", 1_600_000_000, "2")):
        app = write(tmp_path / place, seconds)
        own = fresh_cache(tmp_path / place / "cache")
        environment = {**os.environ, "UNIKIT_CACHE": str(own), "PYTHONHASHSEED": seed, "TZ": f"UTC{seed}"}
        out = tmp_path / place / "shop.img"
        line = [sys.executable, "-m", "unikit", "build", str(app), "--python", str(app.parent / "venv")]
        done = subprocess.run(
            [*line, "-o", str(out)], env=environment, capture_output=True, text=True, timeout=280, umask=int(seed) << 3
        )
        assert done.returncode == 0, done.stderr
        hashes.append(hashlib.sha256(out.read_bytes()).hexdigest())
        assert str(tmp_path).encode() not in out.read_bytes()
    assert hashes[0] == hashes[1]


class Work:
    """What is really done, noted instead of timed."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.done: Counter[str] = Counter()
        self.compiled: list[str] = []
        self.scanned: list[str] = []
        self.lines: list[list[str]] = []
        begin, ask, slim, run = bytecode._begin, scanner.Scanner._ask, elf.slim, subprocess.run

        def begins(python, units, files):  # type: ignore[no-untyped-def]
            self.compiled += [unit.source.name for unit in units]
            return begin(python, units, files)

        def asks(own, path, kind):  # type: ignore[no-untyped-def]
            self.scanned.append(path.name)
            return ask(own, path, kind)

        def slims(content):  # type: ignore[no-untyped-def]
            self.done["slim"] += 1
            return slim(content)

        def runs(line, **options):  # type: ignore[no-untyped-def]
            program = Path(line[0]).name
            if program in ("gcc", "ld") and "-c" not in line and "-T" not in line:
                program = "query"
            if any("record.py" in str(word) for word in line):
                program = "record"
            self.done[program] += 1
            self.lines.append(line)
            return run(line, **options)

        patch.setattr(bytecode, "_begin", begins)
        patch.setattr(scanner.Scanner, "_ask", asks)
        patch.setattr(elf, "slim", slims)
        for module in (compiler, runtime, recording):
            patch.setattr(module.subprocess, "run", runs)


def test_after_a_change_of_one_line_only_that_is_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = write(tmp_path, 1_000_000_000)
    monkeypatch.setenv("UNIKIT_CACHE", str(fresh_cache(tmp_path / "cache")))
    request = pipeline.Request(str(app), str(tmp_path / "venv"))
    first = pipeline.run(request, progress.Progress())
    contents = {f.path: f.read() for f in first.pruned.files}
    (app / "main.py").write_text(MAIN + "print('more')\n")
    work = Work(monkeypatch)
    second = pipeline.run(request, progress.Progress())
    assert work.compiled == ["main.py"] and work.scanned == ["main.py"]
    assert not work.done.keys() & {"gcc", "slim", "record"}, work.lines
    assert first.values["image"].path != second.values["image"].path
    changed = {f.path for f in first.pruned.files} ^ {f.path for f in second.pruned.files}
    changed |= {f.path for f in second.pruned.files if contents.get(f.path) != f.read()}
    assert changed == {"/app/main.py", "/.unikit/main.pyc"}
    assert first.values["link"].path == second.values["link"].path


TIMES = """
import json, os
with open("/dev/unikit/report", "w") as report:
    json.dump([os.stat(path).st_mtime for path in ("style.css", "/usr/lib", "/etc/passwd")], report)
"""


def test_a_changed_file_has_another_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By time and size web servers and browsers tell whether a file is another; by SOURCE_DATE_EPOCH how old it is."""
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    (tmp_path / "main.py").write_text(TIMES)
    (tmp_path / "pyproject.toml").write_text('[tool.unikit]\nentry = "main.py"\ninclude = ["style.css"]\n')
    said = []
    for content, date in (("body {}", ""), ("head {}", ""), ("body {}", ""), ("body {}", "1700000000")):
        (tmp_path / "style.css").write_text(content)
        monkeypatch.setenv("SOURCE_DATE_EPOCH", date)
        result = guest.run(tmp_path)
        assert result.status == 0, result.console
        said.append(json.loads(result.words[0]))
    first, second, third, dated = said
    assert first == third and dated == [1_700_000_000] * 3
    assert first[0] != second[0] and 946684800 <= first[0] < 1577836800 and first[1:] == second[1:] == [315_619_200] * 2


def test_nothing_changed_nothing_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = write(tmp_path, 1_000_000_000)
    request = pipeline.Request(str(app), str(tmp_path / "venv"))
    first = pipeline.image_of(request, progress.Progress())
    monkeypatch.setattr(pipeline, "run", lambda *_: pytest.fail("it was built again"))
    assert pipeline.image_of(request, progress.Progress()).path == first.path
    shutil.rmtree(app / "templates")
    with pytest.raises(pytest.fail.Exception, match="built again"):
        pipeline.image_of(request, progress.Progress())
