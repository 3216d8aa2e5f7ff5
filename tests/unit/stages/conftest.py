"""An interpreter with packages of a test's own, and applications to analyse with it."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from unikit.analysis import imports, interpreter, natives, source
from unikit.image import prune
from unikit.model import Imports, Interpreter, Pruned, Source


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def own_cache(shared_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One cache for all: reading the standard library takes a second."""
    monkeypatch.setenv("UNIKIT_CACHE", str(shared_cache))
    return shared_cache


def write(folder: Path, files: dict[str, str]) -> Path:
    """Files below a folder, their texts dedented."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text).lstrip("\n"))
    return folder


@dataclass(frozen=True)
class Workshop:
    """A folder for applications beside an interpreter with its own packages."""

    folder: Path
    python: Path

    @property
    def site(self) -> Path:
        return next((self.python.parent.parent / "lib").glob("python3*")) / "site-packages"

    @property
    def interpreter(self) -> Interpreter:
        return interpreter.probe(str(self.python))

    def app(self, **files: str) -> Path:
        """Modules of the application (`name` for name.py), returns the first."""
        write(self.folder / "app", {f"{name}.py": text for name, text in files.items()})
        return self.folder / "app" / f"{next(iter(files))}.py"

    def packages(self, files: dict[str, str]) -> None:
        write(self.site, files)

    def distribution(self, name: str, version: str = "1.0", modules: str = "", **files: str) -> None:
        """The metadata of an installed distribution; `requires` becomes its Requires-Dist."""
        requires = "".join(f"Requires-Dist: {r}\n" for r in files.pop("requires", "").split())
        folder = f"{name}-{version}.dist-info"
        text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{requires}\nLong description\n"
        metadata = {"METADATA": text, "top_level.txt": modules or name}
        write(self.site, {f"{folder}/{n.replace('__', '.')}": t for n, t in {**metadata, **files}.items()})

    def load(self, app: Path | str) -> Source:
        return source.load(str(app), str(self.python))

    def analyse(self, app: Path | str) -> Imports:
        return imports.analyse(self.load(app))

    def prune(self, app: Path | str) -> Pruned:
        return prune.prune(natives.resolve(self.analyse(app)))

    def names(self, app: Path | str) -> set[str]:
        return {m.name for m in self.analyse(app).modules}


@pytest.fixture
def workshop(tmp_path: Path) -> Iterator[Workshop]:
    environment = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    yield Workshop(tmp_path, environment / "bin" / "python")
    interpreter.probe.cache_clear()
