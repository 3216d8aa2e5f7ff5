"""The root file system that comes out."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path, PurePosixPath

import pytest

from tests.unit.stages.conftest import Workshop, write
from unikit.analysis import imports
from unikit.analysis.natives import resolve
from unikit.image import layout, leftout
from unikit.image.bytecode import Unit, compile_all
from unikit.model import FileKind, ImageFile, Pruned, Start


def by_path(pruned: Pruned) -> dict[str, ImageFile]:
    return {f.path: f for f in pruned.files}


def test_every_parent_comes_before_what_it_holds(workshop: Workshop) -> None:
    seen = {"/"}
    for file in workshop.prune(workshop.app(main="import json")).files:
        assert file.path not in seen
        assert str(PurePosixPath(file.path).parent) in seen
        seen.add(file.path)


def test_what_is_shipped_as_source(workshop: Workshop) -> None:
    workshop.packages({"p/__init__.py": ""})
    files = by_path(workshop.prune(workshop.app(main="import p, helper, colorsys", helper="")))
    python = workshop.interpreter
    assert {"/app/main.py", "/app/helper.py", f"/app/__pycache__/helper.{python.cache_tag}.pyc"} <= set(files)
    assert {f"{python.guest_site}/p/__init__.pyc", f"{python.guest_stdlib}/colorsys.pyc"} <= set(files)
    assert {p for p in files if p.endswith(".py")} == {"/app/main.py", "/app/helper.py"}
    assert f"{python.guest_stdlib}/os.pyc" in files  # by it the interpreter finds its prefix
    assert f"{python.guest_stdlib}/lib-dynload" in files


@pytest.mark.parametrize(
    ("setting", "app", "package"),
    [("all", True, True), ("app", True, False), ("none", False, False)],
)
def test_sources_are_a_setting(workshop: Workshop, setting: str, app: bool, package: bool) -> None:
    workshop.packages({"p.py": ""})
    main = workshop.app(main="import p, helper", helper="")
    write(main.parent, {"pyproject.toml": f"[tool.unikit]\nsources = '{setting}'\n"})
    files = by_path(workshop.prune(main))
    assert ("/app/helper.py" in files) is app
    assert ("/app/main.py" in files) is app
    assert (f"{workshop.interpreter.guest_site}/p.py" in files) is package


@pytest.mark.parametrize(
    ("package", "shipped"),
    [
        ("import inspect\nTEXT = inspect.getsource(inspect)\n", True),
        ("from inspect import getsourcelines as lines\nimport inspect\nTEXT = inspect.getsourcelines(lines)\n", True),
        ("import inspect\ndef nobody_calls(): return inspect.getsource(nobody_calls)\n", False),
        ("import inspect\ntry:\n    TEXT = inspect.getsource(inspect)\nexcept OSError:\n    TEXT = ''\n", False),
        ("import inspect\ntry:\n    TEXT = inspect.getsource(inspect)\nexcept TypeError:\n    TEXT = ''\n", True),
    ],
)
def test_packages_that_read_source_have_theirs(workshop: Workshop, package: str, shipped: bool) -> None:
    workshop.packages({"p/__init__.py": package, "p/inner.py": "", "q.py": ""})
    files = by_path(workshop.prune(workshop.app(main="import p.inner, q")))
    sources = {path.rpartition("/")[2] for path in files if path.endswith(".py") and "site-packages" in path}
    assert sources == ({"__init__.py", "inner.py"} if shipped else set())


def test_compiled_modules_are_never_checked_against_a_source(workshop: Workshop) -> None:
    pruned = workshop.prune(workshop.app(main="import json"))
    compiled = [f for f in pruned.files if f.path.endswith(".pyc")]
    assert compiled
    for file in compiled:
        content = file.read()
        assert content[:4] == workshop.interpreter.magic
        assert content[4:8] == b"\x01\0\0\0"


def test_tracebacks_name_guest_files(workshop: Workshop) -> None:
    app = workshop.app(main="import helper", helper="def f(): ...")
    files = by_path(workshop.prune(app))
    for file in files.values():
        if file.path.endswith(".pyc"):
            assert str(app.parent).encode() not in file.read()
    assert b"/app/helper.py" in files[f"/app/__pycache__/helper.{workshop.interpreter.cache_tag}.pyc"].read()


def test_the_same_app_gives_the_same_files(workshop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = workshop.app(main="import asyncio, csv")
    first = [(f.path, f.kind, f.mode, f.target, f.read()) for f in workshop.prune(app).files]
    monkeypatch.setenv("UNIKIT_CACHE", str(tmp_path / "another"))
    second = [(f.path, f.kind, f.mode, f.target, f.read()) for f in workshop.prune(app).files]
    assert first == second


def imported(workshop: Workshop, pruned: Pruned, folder: Path, program: str) -> str:
    """What a program prints in the interpreter, with the finder of an image in place of what finds files."""
    files = by_path(pruned)
    (folder / "left_out").write_bytes(files[leftout.TABLE].read())
    (folder / "code").write_bytes(files[leftout.FINDER].read()[16:])
    finder = (
        "import importlib.util, io, marshal, sys, xml\n"
        "class Finder: pass\n"
        f"opened = lambda name, encoding: io.open({str(folder / 'left_out')!r}, encoding=encoding)\n"
        f"code = marshal.loads(open({str(folder / 'code')!r}, 'rb').read())\n"
        "exec(code, {'finder': Finder(), 'open': opened})\n"
        "sys.meta_path[:] = [sys.meta_path[0], Finder]\n"
        "for name in ('json', 'ssl', 'colorsys', 'xml.dom'): sys.modules.pop(name, None)\n"
    )
    done = subprocess.run([str(workshop.python), "-c", finder + program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_an_import_of_what_was_left_out_tells_the_rule_and_the_line(workshop: Workshop, tmp_path: Path) -> None:
    main = workshop.app(main="import asyncio, xml")
    write(main.parent, {"pyproject.toml": "[tool.unikit]\nexclude = ['json']\n"})
    pruned = workshop.prune(main)
    program = """
def tell(statement):
    try: exec(statement)
    except ImportError as error: print(type(error).__name__, error.name, error)
tell("import colorsys")
tell("import ssl")
tell("import json")
tell("import no_such_module")
tell("from xml import dom")
print(importlib.util.find_spec("colorsys"))
"""
    colorsys, ssl, json_, unknown, dom, spec = imported(workshop, pruned, tmp_path, program).splitlines()
    assert colorsys.startswith("ModuleNotFoundError colorsys No module named 'colorsys' (left out of this image: ")
    assert 'add "colorsys" to `include` below [tool.unikit]' in colorsys
    assert "TLS (OpenSSL)" in ssl and 'add "ssl" to `include`' in ssl
    assert "`exclude`" in json_ and "add " not in json_
    assert unknown == "ModuleNotFoundError no_such_module No module named 'no_such_module'"
    assert dom.startswith("ImportError xml.dom ") and 'add "xml.dom"' in dom
    assert spec == "None"


def test_the_table_names_the_top_of_what_is_left_out_alone(workshop: Workshop) -> None:
    workshop.packages({"p/__init__.py": "", "p/a.py": "", "p/b/__init__.py": "", "p/b/c.py": "", "q/__init__.py": ""})
    workshop.packages({"q/d.py": ""})
    imports = workshop.analyse(workshop.app(main="import p.a", other=""))
    names = leftout.table(imports).split("\n")
    assert {"p.b", "q", "other", "xmlrpc", "ssl"} <= set(names)
    assert not {"p", "p.a", "p.b.c", "q.d", "os", "sys", "main"} & set(names)


def test_the_boot_configuration(workshop: Workshop) -> None:
    app = workshop.app(main="")
    write(app.parent, {"pyproject.toml": "[tool.unikit]\nenvironment = { A = 'b c%=d', HOME = '/data' }\n"})
    pruned = workshop.prune(app)
    lines = by_path(pruned)["/.unikit/boot.conf"].read().decode().splitlines()
    assert f"exec={workshop.interpreter.guest_program}" in lines
    assert [x for x in lines if x.startswith("argv=")][-1] == "argv=/.unikit/main.pyc"
    assert "env=A=b%20c%25=d" in lines
    assert "env=HOME=/data" in lines and "env=HOME=/root" not in lines
    assert "cwd=/app" in lines and "hostname=main" in lines
    assert all(" " not in line for line in lines)


@pytest.mark.parametrize(
    ("value", "expected"), [("a b", "a%20b"), ("100%", "100%25"), ("ü\n", "%C3%BC%0A"), ("k=v", "k=v")]
)
def test_values_are_percent_encoded(value: str, expected: str) -> None:
    assert layout.encoded(value) == expected


def test_network_files_come_with_sockets(workshop: Workshop) -> None:
    assert "/etc/hosts" in by_path(workshop.prune(workshop.app(main="import socket")))
    assert "/etc/hosts" not in by_path(workshop.prune(workshop.app(main="print(1)")))


def test_folders_that_programs_expect(workshop: Workshop) -> None:
    files = by_path(workshop.prune(workshop.app(main="")))
    for path in ("/tmp", "/dev", "/proc", "/sys", "/run", "/var/tmp"):
        assert files[path].kind is FileKind.DIRECTORY
    assert files["/tmp"].mode == 0o1777


def test_layers_add_up(workshop: Workshop) -> None:
    workshop.packages({"p.py": "x = 1"})
    pruned = workshop.prune(workshop.app(main="import p"))
    sizes = dict(pruned.sizes)
    assert sum(sizes.values()) == sum(f.size for f in pruned.files)
    assert sizes["dependencies"] > 0 and sizes["app"] > 0


SHOW = """
import json, sys
json.dump([__name__, __file__, __doc__, __package__, bool(__spec__) and __spec__.name, sys.argv[0], sys.path[0],
           sorted(globals())], sys.stdout)
"""


def run_main(workshop: Workshop, text: str, start: Start) -> list[object]:
    source = workshop.app(main=text)
    unit = Unit(source, start.guest, start)
    compiled = compile_all(workshop.interpreter, [unit])
    assert not compiled.failed
    done = subprocess.run([str(workshop.python), str(compiled.files[unit])], capture_output=True, text=True, check=True)
    said: list[object] = json.loads(done.stdout)
    return said


def test_the_main_module_looks_as_if_python_had_run_it(workshop: Workshop) -> None:
    text = '"""About it."""\nfrom __future__ import annotations\n' + SHOW
    said = run_main(workshop, text, Start("/app/m.py", "/app/m.py", ("/app",)))
    assert said[:6] == ["__main__", "/app/m.py", "About it.", None, False, "/app/m.py"]
    names = {n for n in said[7] if not n.startswith("__")}  # type: ignore[attr-defined]
    assert names == {"annotations", "json", "sys"}


def test_a_module_run_by_name_has_its_package(workshop: Workshop) -> None:
    start = Start("/app/email/__main__.py", "/app/email/__main__.py", ("/app",), "email.__main__")
    said = run_main(workshop, SHOW, start)
    assert said[:5] == ["__main__", "/app/email/__main__.py", None, "email", "email.__main__"]


def test_line_numbers_stay(workshop: Workshop) -> None:
    source = workshop.app(main="x = 1\ny = 2\nraise ValueError('here')\n")
    unit = Unit(source, "/app/m.py", Start("/app/m.py", "/app/m.py", ("/app",)))
    path = compile_all(workshop.interpreter, [unit]).files[unit]
    done = subprocess.run([str(workshop.python), str(path)], capture_output=True, text=True)
    assert 'File "/app/m.py", line 3, in <module>' in done.stderr


def test_files_that_do_not_compile_are_reported(workshop: Workshop) -> None:
    good, bad = workshop.app(good="x = 1"), workshop.app(bad="x = = 1")
    units = [Unit(good, "/app/good.py"), Unit(bad, "/app/bad.py")]
    compiled = compile_all(workshop.interpreter, units)
    assert set(compiled.files) == {units[0]}
    assert "SyntaxError" in compiled.failed[units[1]]


@pytest.mark.parametrize("columns", [True, False])
def test_columns_are_kept_for_lines_that_can_be_shown(workshop: Workshop, columns: bool) -> None:
    source = workshop.app(main="def f(x):\n    return x + (1 / x)\ntry:\n    f(0)\nexcept ZeroDivisionError as error:\n"
                               "    last = error.__traceback__.tb_next\n    code = last.tb_frame.f_code\n"
                               "    places = list(getattr(code, 'co_positions', lambda: [])())\n"
                               "    print(last.tb_lineno, any(p[2] is not None for p in places))\n")  # fmt: skip
    path = compile_all(workshop.interpreter, [Unit(source, "/app/m.py", columns=columns)]).files
    done = subprocess.run([str(workshop.python), *map(str, path.values())], capture_output=True, text=True, check=True)
    known = workshop.interpreter.version >= (3, 11)
    assert done.stdout.split() == ["2", str(columns and known)]


def test_what_a_lock_names_is_not_the_applications_own_import(workshop: Workshop) -> None:
    source = workshop.load(workshop.app(main="import json"))
    found = imports.analyse(source, ("locale",))
    assert "module:locale" in found.graph and not layout.wants_locale(resolve(found))
    own = imports.analyse(workshop.load(workshop.app(main="import locale")))
    assert layout.wants_locale(resolve(own)) == (layout.LOCALE / "LC_CTYPE").exists()
