"""Which functions of packages can run, and so which of the imports in them are followed."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.unit.stages.conftest import Workshop
from unikit.analysis.scanner import Scanner

LAZY = "def {}(*a):\n    import colorsys\n"
METHOD = "class Thing:\n    def {}(self):\n        import colorsys\n"


@pytest.mark.parametrize(
    ("main", "package", "kept"),
    [
        ("import p", LAZY.format("work"), False),
        ("import p\np.work()", LAZY.format("work"), True),
        ("from p import work", LAZY.format("work"), False),
        ("from p import work\nwork()", LAZY.format("work"), True),
        ("from p import work as w\nmap(w, [])", LAZY.format("work"), True),
        ("from p import *\nwork()", LAZY.format("work"), True),
        ("import p\nq = p\nq.work()", LAZY.format("work"), True),
        ("import p\ngetattr(p, 'work')()", LAZY.format("work"), True),
        ("import p, os\nos.path.work", LAZY.format("work"), False),
        ("import p\nwork = 1\nprint(work)", LAZY.format("work"), False),
        ("import p", LAZY.format("work") + "work()", True),
        ("import p", LAZY.format("work") + "def other():\n    work()\n", False),
        ("import p\np.other()", LAZY.format("work") + "def other():\n    work()\n", True),
        ("import p", LAZY.format("work") + "TABLE = {'a': work}\n", False),
        ("import p\nprint(p.TABLE)", LAZY.format("work") + "TABLE = {}\nTABLE['a'] = work\n", True),
        ("import p", "@keep\n" + LAZY.format("work"), True),
        ("import p", LAZY.format("work") + "__all__ = ['work']\n", False),
        ("import p", LAZY.format("work") + "for f in globals(): f()\n", True),
        ("import p\np.Thing().work()", METHOD.format("work"), True),
        ("import p\np.Thing()", METHOD.format("work"), False),
        ("import p\nk = 'ing'\ngetattr(p.Thing(), 'do_' + k)()", METHOD.format("do_ing"), True),
        ("import p\np.Thing()", METHOD.format("__len__"), True),
        ("import p", METHOD.format("__len__"), False),
        ("import p", METHOD.format("__len__").replace("Thing:", "Thing(Base):"), True),
    ],
)
def test_a_lazy_import_is_followed_if_its_function_can_run(
    workshop: Workshop, main: str, package: str, kept: bool
) -> None:
    workshop.packages({"p.py": package})
    assert ("colorsys" in workshop.names(workshop.app(main=main))) == kept


def test_everything_of_the_application_can_run(workshop: Workshop) -> None:
    assert "colorsys" in workshop.names(workshop.app(main="import helper", helper=LAZY.format("never_named")))


def test_a_name_that_is_passed_on_by_other_modules(workshop: Workshop) -> None:
    workshop.packages(
        {
            "p/__init__.py": "from .a import work as job\nfrom .b import *",
            "p/a.py": LAZY.format("work"),
            "p/b.py": "from .c import *",
            "p/c.py": LAZY.format("deep").replace("colorsys", "antigravity"),
        }
    )
    names = workshop.names(workshop.app(main="import p\np.job()\np.deep()"))
    assert {"colorsys", "antigravity"} <= names
    names = workshop.names(workshop.app(main="import p"))
    assert not {"colorsys", "antigravity"} & names


@pytest.mark.parametrize(
    ("main", "kept"),
    [
        ("import p", {"csv"}),
        ("import p\np.one", {"csv", "p.one"}),
        ("from p import two", {"csv", "p.two"}),
        ("import p as q\nq.three", {"csv", "p.two"}),
        ("import p\ndef f(x): return x.one", {"csv", "p.one"}),
        ("import p, os\nos.one", {"csv"}),
    ],
)
def test_lazy_attributes_of_a_module(workshop: Workshop, main: str, kept: set[str]) -> None:
    lazy = """
    def __getattr__(name):
        import csv
        if name == "one":
            import p.one as one
            return one
        elif name in ("two", "three"):
            from . import two
            return two
    def __dir__():
        return sorted(globals())
    """
    workshop.packages({"p/__init__.py": lazy, "p/one.py": "", "p/two.py": ""})
    assert workshop.names(workshop.app(main=main)) & {"csv", "p.one", "p.two"} == kept


def test_the_interpreter_looks_up_names_of_its_own(workshop: Workshop) -> None:
    """Python/_warnings.c calls warnings._warn_unawaited_coroutine; no Python code does."""
    python = workshop.interpreter
    with Scanner(python, "x") as scanner:
        programs = [python.executable, *python.base_prefix.glob("lib/libpython3*.so.1.0")]
        names = set().union(*(scanner.native_names(program, own=True) for program in programs))
    assert "_warn_unawaited_coroutine" in names
    assert "warn_unawaited_coroutine" not in names


@pytest.mark.parametrize(
    ("call", "kept"),
    [
        ("__import__('p.kinds.' + n)", {"p.kinds.one_x", "p.kinds.two"}),
        ("import_module('p.kinds.one_%s' % n)", {"p.kinds.one_x"}),
        ("import_module(f'.kinds.{n}', __package__)", {"p.kinds.one_x", "p.kinds.two"}),
        ("import_module('.' + n, 'p.kinds')", {"p.kinds.one_x", "p.kinds.two"}),
        ("import_module('p.kinds.{}'.format(n))", {"p.kinds.one_x", "p.kinds.two"}),
        ("import_module(table.NAMES[n])", {"p.kinds.two"}),
        ("print('p.kinds.' + n)", set()),
    ],
)
def test_computed_imports_of_a_package(workshop: Workshop, call: str, kept: set[str]) -> None:
    """By the constant beginning of the name; without one, by the names in strings beside it."""
    load = f"from importlib import import_module\nfrom . import table\ndef load(n):\n    return {call}\n"
    workshop.packages(
        {
            "p/__init__.py": load,
            "p/table.py": "NAMES = {'a': 'p.kinds.two', 'b': 'p.nowhere'}",
            "p/kinds/__init__.py": "",
            "p/kinds/one_x.py": "",
            "p/kinds/two.py": "",
        }
    )
    names = workshop.names(workshop.app(main="import p\np.load('x')"))
    assert names & {"p.kinds.one_x", "p.kinds.two"} == kept
    if kept:
        assert not kept & workshop.names(workshop.app(main="import p"))


def test_the_graph_is_the_same_whatever_the_order_of_sets(workshop: Workshop) -> None:
    app = workshop.app(main="import logging.config, http.client, json\njson.dumps(1)")
    shown = []
    for seed in ("1", "2"):
        words = ["show", "imports", str(app), "--python", str(workshop.python), "--json"]
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        command = [sys.executable, "-m", "unikit", *words]
        shown.append(subprocess.run(command, capture_output=True, check=True, env=environment).stdout)
    assert shown[0] == shown[1] and b"module:logging.config" in shown[0]


def test_what_a_table_takes_from_elsewhere_is_looked_up_at_once(workshop: Workshop) -> None:
    """Nobody uses the tables, and yet q's __getattr__ runs when p is imported; a function is only named."""
    workshop.packages({
        "p.py": "import q\ndef nobody_calls():\n    import csv\nUNUSED_1 = {1: q.lazy}\nUNUSED_2 = [nobody_calls]\n",
        "q.py": "def __getattr__(name):\n    if name == 'lazy':\n        import colorsys\n        return colorsys\n",
    })  # fmt: skip
    names = workshop.names(workshop.app(main="import p"))
    assert "colorsys" in names and "csv" not in names
