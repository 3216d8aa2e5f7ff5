"""What one file says of its imports."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.stages.conftest import Workshop
from unikit.analysis.scanner import Flag, Scanned, Scanner

CONDITIONAL, GUARDED, LAZY, DYNAMIC = Flag.CONDITIONAL, Flag.GUARDED, Flag.LAZY, Flag.DYNAMIC


def scanned(workshop: Workshop, text: str, kind: str = "app") -> Scanned:
    path = workshop.app(m=text)
    with Scanner(workshop.interpreter, "ssl|token") as scanner:
        return scanner.scan(path, kind)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import a.b as c", [("a.b", None, Flag(0))]),
        ("from a import b, c as d", [("a", ("b", "c"), Flag(0))]),
        ("if x:\n import a\nelse:\n import b", [("a", None, CONDITIONAL), ("b", None, CONDITIONAL)]),
        ("try:\n import a\nexcept ImportError:\n import b", [("a", None, GUARDED), ("b", None, CONDITIONAL)]),
        ("try:\n import a\nexcept (KeyError, ModuleNotFoundError):\n pass", [("a", None, GUARDED)]),
        ("try:\n import a\nexcept KeyError:\n pass", [("a", None, Flag(0))]),
        ("from contextlib import suppress\nwith suppress(ImportError):\n import a", [("a", None, GUARDED)]),
        ("def f():\n import a", [("a", None, LAZY)]),
        ("class C:\n import a", [("a", None, Flag(0))]),
        ("f = lambda: __import__('a.b')", [("a.b", None, LAZY | DYNAMIC)]),
        ("import importlib\nimportlib.import_module('a')", [("a", None, DYNAMIC)]),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n import a", []),
        ("import sys\nif sys.version_info < (3, 8):\n import a\nelse:\n import b", [("b", None, Flag(0))]),
        ("import sys\nif sys.version_info[0] == 2:\n import a", []),
        ("import sys\nif sys.platform == 'win32':\n import a", []),
        ("import sys\nif sys.platform.startswith('linux') or x:\n import a", [("a", None, Flag(0))]),
        ("import os\nif os.name == 'nt' and x:\n import a", []),
        ("while True:\n import a\n break", [("a", None, Flag(0))]),
    ],
)
def test_imports_and_how_they_are_reached(
    workshop: Workshop, text: str, expected: list[tuple[str, tuple[str, ...] | None, Flag]]
) -> None:
    known = {"sys", "os", "typing", "contextlib", "importlib"}
    found = [(i.module, i.names, i.flags) for i in scanned(workshop, text).imports if i.module not in known]
    assert found == expected


@pytest.mark.parametrize(("kind", "flags"), [("main", [Flag.MAIN]), ("app", [])])
def test_the_main_block_counts_in_the_main_module_only(workshop: Workshop, kind: str, flags: list[Flag]) -> None:
    text = "if __name__ == '__main__':\n import a"
    assert [i.flags for i in scanned(workshop, text, kind).imports] == flags


@pytest.mark.parametrize(
    ("call", "level", "module"),
    [
        ("import_module('.x', __package__)", 1, "x"),
        ("import_module('..x.y', 'p.q')", 2, "x.y"),
        ("import_module(__name__ + '.x')", 1, "x"),
        ("import_module(f'{__name__}.x')", 1, "x"),
        ("BASE = 'p.q'\nimport_module(f'{BASE}.x')", 0, "p.q.x"),
        ("import_module('p.' + 'q')", 0, "p.q"),
    ],
)
def test_relative_names_of_computed_imports(workshop: Workshop, call: str, level: int, module: str) -> None:
    found = scanned(workshop, f"from importlib import import_module\n{call}").imports[1]
    assert (found.level, found.module) == (level, module)


def test_an_unknown_name_is_noted_as_computed(workshop: Workshop) -> None:
    text = "import importlib, pkgutil\nimportlib.import_module(x)\npkgutil.iter_modules(p)\n"
    assert scanned(workshop, text).dynamic == (2, 3)


def test_other_facts(workshop: Workshop) -> None:
    found = scanned(
        workshop,
        '''
        """https://docstring.example uses ssl_in_docstring"""
        import a
        __all__ = ["one"] + []
        __all__ += ["two"]
        a.b.c()
        "shop.urls"
        x = ["shop.urls", "web:app"]
        b"".decode("koi8-r"); open("f", encoding="cp1252")
        entry_points(group="plugins")
        use(token_one=1, url="ssl://x")
        ''',
    )
    module = found.scopes[0]
    assert "a.b.c" in module.chains
    assert {"shop.urls"} <= found.strings
    assert {"koi8-r", "cp1252"} <= module.codecs
    assert module.groups == {"plugins"}
    assert found.exports == ("two",)
    assert found.words == {"token_one", "ssl"}


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("def f(): pass", [("f",)]),
        ("class C:\n def m(self): pass", [("@m",)]),
        ("class C:\n def __call__(self): pass", [("C",)]),
        ("class C(B):\n def __call__(self): pass", []),
        ("@route('/')\ndef f(): pass", []),
        ("@functools.lru_cache(None)\ndef f(): pass", [("f",)]),
        ("T = {'a': f}\nT['b'] = (g, 1)\nT.update({'c': h})\nT[k] = make()", [("T",), ("T",), ("T",)]),
        ("def __getattr__(n):\n if n == 'x': import a\n elif n in ('y', 'z'): import b", [(".x",), (".y", ".z")]),
        ("def f():\n def inner(): pass", [("f",)]),
    ],
)
def test_what_runs_together(workshop: Workshop, text: str, keys: list[tuple[str, ...]]) -> None:
    assert [s.keys for s in scanned(workshop, text).scopes] == [(), *keys]


def test_what_a_function_uses(workshop: Workshop) -> None:
    text = """
    import os.path as p
    from .side import thing as t
    def f(x):
        p.join(t.a, x.b.c, local, "word", "two.parts", getattr(x, "attr"))
        "visit_" + x; f"{x}_handler"; "do_%s" % x; globals()
    """
    found = scanned(workshop, text).scopes[1]
    assert {"os.path.join", ".side.thing.a"} <= found.chains
    assert found.names >= {".b", ".c", "~local", "'word", "'two", "'parts", ".attr"}
    assert found.names >= {"visit_*", "*_handler", "do_*", "*"}


def test_errors_have_a_line(workshop: Workshop) -> None:
    found = scanned(workshop, "x = 1\nprint 'a'\n")
    assert found.error is not None and found.error[0] == 2


def test_what_only_the_compiler_sees_is_an_error_too(workshop: Workshop) -> None:
    found = scanned(workshop, "x = 1\nreturn x\n")
    assert found.error is not None and found.error[0] == 2


def test_results_are_remembered_until_the_file_changes(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    path = workshop.app(m="import a")
    with Scanner(workshop.interpreter, "x") as scanner:
        first = scanner.scan(path, "app")
    with Scanner(workshop.interpreter, "x") as scanner:
        monkeypatch.setattr(Scanner, "_ask", lambda *_: pytest.fail("asked again"))
        assert scanner.scan(path, "app") == first
        monkeypatch.undo()
        Path(path).write_text("import abc")
        assert scanner.scan(path, "app") != first
