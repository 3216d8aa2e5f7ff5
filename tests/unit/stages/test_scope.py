"""`prune`: all of it, or only what a traced run used."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.stages.conftest import Workshop, write
from unikit import pipeline
from unikit.analysis import imports, lock, scope
from unikit.analysis.lock import Lock
from unikit.analysis.natives import resolve
from unikit.errors import ExitCode, UserError
from unikit.image import prune
from unikit.model import Module, ModuleKind
from unikit.pipeline import Build, Request


def locked(*modules: str, files: tuple[str, ...] = (), python: str = "") -> Lock:
    return Lock("main.py", python, (), modules, files, ())


def test_traced_keeps_what_the_lock_saw_and_what_is_included(workshop: Workshop) -> None:
    workshop.packages({"p/__init__.py": "import p.a, p.b", "p/a.py": "", "p/b.py": ""})
    workshop.packages({"p/seen.txt": "", "p/not.txt": ""})
    main = workshop.app(main="import p, csv, hello", hello="", wanted="import wave")
    write(main.parent, {"pyproject.toml": "[tool.unikit]\ninclude = ['wanted']\n"})
    found = imports.analyse(workshop.load(main))
    python = workshop.interpreter
    seen = locked("p", "p.a", "encodings", "encodings.utf_8", files=(f"{python.guest_site}/p/seen.txt",))
    names = {m.name for m in scope.traced(found, seen).modules}
    assert {"__main__", "p", "p.a", "wanted", "wave", "encodings.utf_8", "sys"} <= names
    assert not {"p.b", "csv", "hello"} & names
    files = {f.path for f in prune.prune(resolve(scope.traced(found, seen))).files}
    assert f"{python.guest_site}/p/seen.txt" in files and f"{python.guest_site}/p/not.txt" not in files
    assert scope.traced(found, seen).unseen == (f"{python.guest_site}/p/not.txt",)
    write(main.parent, {"pyproject.toml": f"[tool.unikit]\ninclude = ['{python.guest_site}/p/not.txt']\n"})
    assert not scope.traced(imports.analyse(workshop.load(main)), seen).unseen


def test_traced_keeps_what_is_loaded_by_its_path(workshop: Workshop) -> None:
    main = workshop.app(main="", settings="import wave")
    by_path = Module("__config__", ModuleKind.SOURCE, main.parent / "settings.py", "app")
    source = replace(workshop.load(main), loaded=(by_path,))
    kept = scope.traced(imports.analyse(source), locked())
    assert {"__config__", "wave"} <= {m.name for m in kept.modules}
    assert "/app/settings.py" in {f.path for f in prune.prune(resolve(kept)).files}


def test_none_keeps_the_rest_of_the_standard_library_and_of_the_distributions(workshop: Workshop) -> None:
    workshop.packages({"p/__init__.py": "", "p/deep/__init__.py": "", "p/deep/x.py": "import broken("})
    workshop.packages({"p/tests/data.txt": ""})
    workshop.packages({"needed/__init__.py": "", "option/__init__.py": "", "stranger/__init__.py": ""})
    record = "p/__init__.py,,\np/deep/__init__.py,,\np/deep/x.py,,\np/tests/data.txt,,\n"
    workshop.distribution("p", RECORD=record)
    for name in ("needed", "option", "stranger"):
        workshop.distribution(name, RECORD=f"{name}/__init__.py,,\n")
    metadata = workshop.site / "p-1.0.dist-info/METADATA"
    more = "Requires-Dist: needed\nRequires-Dist: option; extra == 'more'\n\n"
    metadata.write_text(metadata.read_text().replace("\n\n", "\n" + more, 1))
    source = workshop.load(workshop.app(main="import p"))
    found = imports.analyse(source)
    whole = scope.whole(found, but=["ssl"])
    names = {m.name for m in whole.modules}
    assert {"p.deep.x", "needed", "colorsys", "wave", "xml.dom.minidom"} <= names
    assert not {"option", "stranger", "ssl"} & names
    assert f"{workshop.interpreter.guest_site}/p/tests/data.txt" in {d.guest for d in whole.data}
    assert "ssl" in {m.name for m in scope.whole(found).modules}


def build(workshop: Workshop, main: object, **options: object) -> Build:
    made = Build(Request(str(main), str(workshop.python), **options))  # type: ignore[arg-type]
    made.values["source"] = workshop.load(str(main))
    made.values["imports"] = pipeline._imports(made)
    return made


def test_the_lock_is_a_root_of_a_safe_build_too(workshop: Workshop) -> None:
    main = workshop.app(main="", plugin="import wave")
    source = workshop.load(main)
    assert "plugin" not in build(workshop, main).modules
    lock.write(source, locked("plugin", "gone", python=source.python.short))
    made = build(workshop, main)
    assert {"plugin", "wave"} <= made.modules
    assert any("gone" in text for text in made.values["imports"].warnings)


@pytest.mark.parametrize(
    ("given", "message", "hint"),
    [
        (None, "There is no", "unikit build --trace"),
        (locked("gone"), "no longer there: gone", "unikit build --trace"),
        (locked("os", python="3.1"), "traced with Python 3.1", "--python"),
    ],
)
def test_a_lock_that_does_not_fit_ends_a_traced_build(
    workshop: Workshop, given: Lock | None, message: str, hint: str
) -> None:
    main = workshop.app(main="")
    source = workshop.load(main)
    if given is not None:
        python = given.python or source.python.short
        lock.write(source, Lock(given.entry, python, (), given.modules, (), ()))
    with pytest.raises(UserError, match=message) as caught:
        build(workshop, main, prune="traced")
    assert caught.value.code is ExitCode.LOCK and hint in str(caught.value.hint)
    build(workshop, main)  # a safe build goes on


def test_a_lock_of_another_application_is_told(workshop: Workshop) -> None:
    main, other = workshop.app(main=""), workshop.app(other="")
    source = workshop.load(main)
    lock.write(source, locked("os", python=source.python.short))
    with pytest.raises(UserError, match="knows only main"):
        build(workshop, other, prune="traced")
    lock.write(source, Lock("else.py", source.python.short, (), (), (), ()))
    with pytest.raises(UserError, match=r"entry else.py; now it is main.py"):
        build(workshop, main, prune="traced")
