"""A few of the corpus (`benchmarks/corpus.py` has them all): packages from the registry, pure and compiled, do their
work in an image of the script alone."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests import images
from tests.guest import run
from unikit.analysis import imports, source

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

CORPUS = Path(__file__).parent / "corpus.toml"
# pure Python; C with a choice between the two; Cython; Rust
CHOSEN = ("attrs", "jinja2", "yaml", "msgpack", "orjson")
IMPORTED = re.compile(r"import time:\s+\d+ \|\s+\d+ \| +(\S+)")
PROPORTION = 3.0  # kept modules to imported ones; the corpus as a whole does better than 2


def script(name: str) -> Path:
    return CORPUS.with_suffix("") / f"use_{name}.py"


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A virtual environment with all of them."""
    table = tomllib.loads(CORPUS.read_text())
    wanted = [package for name in CHOSEN for package in table[name].get("install", [name])]
    folder = tmp_path_factory.mktemp("corpus")
    base = images.SYSTEM_PYTHON if Path(images.SYSTEM_PYTHON).exists() else sys.executable
    subprocess.run([base, "-m", "venv", "--without-pip", str(folder)], check=True)
    python = str(folder / "bin/python")
    subprocess.run([sys.executable, "-m", "pip", "--python", python, "install", "--quiet", *wanted], check=True)
    return python


@pytest.mark.parametrize("name", CHOSEN)
def test_it_works_and_little_else_is_there(name: str, python: str) -> None:
    kept = {m.name for m in imports.analyse(source.load(str(script(name)), python)).modules if m.path}
    done = run(script(name), python=python, environment={"PYTHONPROFILEIMPORTTIME": "1"})
    assert done.status == 0, done.console
    imported = kept & set(IMPORTED.findall(done.console))
    assert imported and len(kept) / len(imported) <= PROPORTION, sorted(kept - imported)


@pytest.mark.parametrize("name", ["jinja2", "orjson"])
def test_it_works_frozen(name: str, python: str) -> None:
    made = images.build(script(name), python, freeze=True)
    assert made.manifest.frozen
    done = run(made)
    assert done.status == 0, done.console


def test_every_entry_has_its_script() -> None:
    table = tomllib.loads(CORPUS.read_text())
    names = set(table)
    assert all({*entry} <= {"install", "memory", "cpu_level", "frozen"} for entry in table.values())
    assert names == {p.stem.removeprefix("use_") for p in CORPUS.with_suffix("").glob("use_*.py")}
    assert len(names) >= 40
