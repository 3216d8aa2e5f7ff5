"""The walk over the imports: what is kept, what is left out, what is an error."""

from __future__ import annotations

import pytest

from tests.unit.stages.conftest import Workshop, write
from unikit.analysis import imports, source
from unikit.errors import ExitCode, UserError
from unikit.model import Edge, Imports


def edge(found: Imports, start: str, end: str) -> Edge:
    value: Edge = found.graph.edges[f"module:{start}", end if ":" in end else f"module:{end}"]["edge"]
    return value


def test_absolute_relative_and_parent_packages(workshop: Workshop) -> None:
    workshop.packages(
        {
            "p/__init__.py": "",
            "p/a.py": "from . import b\nfrom .sub import thing\nfrom .. import nothing",
            "p/b.py": "import json.tool",
            "p/sub/__init__.py": "from .. import c",
            "p/sub/thing.py": "",
            "p/c.py": "",
            "p/unused.py": "import antigravity",
        }
    )
    names = workshop.names(workshop.app(main="import p.a"))
    assert {"p", "p.a", "p.b", "p.c", "p.sub", "p.sub.thing", "json", "json.tool"} <= names
    assert not {"p.unused", "antigravity"} & names


def test_layers_and_evidence(workshop: Workshop) -> None:
    workshop.packages({"q.py": ""})
    app = workshop.app(main="import q\nimport helper\n\ndef f():\n    import csv\n", helper="")
    found = workshop.analyse(app)
    layers = {m.name: m.layer for m in found.modules}
    assert (layers["q"], layers["helper"], layers["csv"]) == ("dependencies", "app", "interpreter")
    assert edge(found, "__main__", "q").evidence[0] == f"{app}:1"
    assert edge(found, "__main__", "csv").lazy


def test_stars_reach_submodules_named_in_all(workshop: Workshop) -> None:
    workshop.packages({"p/__init__.py": "__all__ = ['x']", "p/x.py": "", "p/y.py": ""})
    names = workshop.names(workshop.app(main="from p import *"))
    assert "p.x" in names and "p.y" not in names


def test_namespace_packages(workshop: Workshop) -> None:
    workshop.packages({"ns/a.py": "", "ns/deep/b.py": ""})
    assert {"ns", "ns.a", "ns.deep.b"} <= workshop.names(workshop.app(main="import ns.a, ns.deep.b"))


def test_attributes_of_an_imported_package(workshop: Workshop) -> None:
    workshop.packages({"p/__init__.py": "def __getattr__(n): ...", "p/x.py": "import colorsys"})
    assert "colorsys" in workshop.names(workshop.app(main="import p\np.x.run()"))


def test_the_app_shadows_the_standard_library_and_packages(workshop: Workshop) -> None:
    workshop.packages({"helper.py": "import antigravity"})
    found = workshop.analyse(workshop.app(main="import helper, colorsys", helper="", colorsys=""))
    layers = {m.name: m.layer for m in found.modules}
    assert (layers["helper"], layers["colorsys"]) == ("app", "app")


def test_a_missing_module_is_an_error_with_its_importer(workshop: Workshop) -> None:
    app = workshop.app(main="import helper", helper="x = 1\nimport nowhere.at_all")
    with pytest.raises(UserError) as caught:
        workshop.analyse(app)
    assert caught.value.code is ExitCode.MODULE_NOT_FOUND
    assert "'nowhere'" in caught.value.message
    assert f"{app.parent}/helper.py:2" in caught.value.message


@pytest.mark.parametrize(
    "text",
    [
        "try:\n    import nowhere\nexcept ImportError:\n    nowhere = None",
        "def f():\n    import nowhere",
        "import os\nif os.environ.get('X'):\n    import nowhere",
    ],
)
def test_a_missing_module_that_may_fail_is_a_warning(workshop: Workshop, text: str) -> None:
    found = workshop.analyse(workshop.app(main=text))
    assert [m.name for m in found.missing if m.name == "nowhere"] == ["nowhere"]
    assert any("nowhere" in w and "main.py:" in w for w in found.warnings)


def test_what_a_package_misses_is_no_warning(workshop: Workshop) -> None:
    workshop.packages({"p.py": "try:\n    import nowhere\nexcept ImportError: pass"})
    found = workshop.analyse(workshop.app(main="import p"))
    assert not found.warnings
    assert "missing:nowhere" in found.graph


def test_a_package_that_is_certain_to_fail_is_an_error(workshop: Workshop) -> None:
    workshop.packages({"p.py": "import nowhere"})
    with pytest.raises(UserError) as caught:
        workshop.analyse(workshop.app(main="import p"))
    assert "p.py:1" in caught.value.message


def test_a_syntax_error_shows_its_line(workshop: Workshop) -> None:
    app = workshop.app(main="import helper", helper="x = 1\ndef f(:\n")
    with pytest.raises(UserError) as caught:
        workshop.analyse(app)
    assert caught.value.code is ExitCode.SYNTAX
    assert caught.value.message.startswith(f"{app.parent}/helper.py:2: ")
    assert "def f(:" in caught.value.details[0]


def test_a_syntax_error_in_a_package_is_left_to_its_importer(workshop: Workshop) -> None:
    workshop.packages({"p/__init__.py": "try:\n    from . import old\nexcept SyntaxError: pass", "p/old.py": "print 1"})
    assert "p.old" in workshop.names(workshop.app(main="import p"))


def test_the_standard_library_is_not_copied_whole(workshop: Workshop) -> None:
    names = workshop.names(workshop.app(main="print('hello')"))
    assert {"encodings.utf_8", "os", "warnings"} <= names
    assert not {"unittest", "pydoc", "tkinter", "asyncio", "email", "http.client", "ssl"} & names
    assert len(names) < 90


def test_start_up_modules_imported_from_c(workshop: Workshop) -> None:
    names = workshop.names(workshop.app(main="import datetime, socket, asyncio, decimal"))
    assert {"encodings.idna", "asyncio.base_futures", "numbers"} <= names
    assert "_strptime" not in names
    assert "_strptime" in workshop.names(workshop.app(main="import time\ntime.strptime('1', '%d')"))


# -- optional heavy modules


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("import asyncio\nasyncio.run(main())", False),
        ("import http.client", False),
        ("import http.client\nhttp.client.HTTPSConnection('x')", True),
        ("import asyncio\nasyncio.open_connection('x', 443, ssl=True)", True),
        ("import urllib.request", True),
        ("import smtplib\ns = smtplib.SMTP('x')\ns.starttls()", True),
        ("import asyncio\nURL = 'https://example.org'", True),
        ("import asyncio, ssl", True),
        ("import tlspackage", True),
        ("import asyncio\nimport tlsguarded", True),
        ("import hashlib", False),
    ],
)
def test_tls_is_kept_when_something_can_use_it(workshop: Workshop, text: str, kept: bool) -> None:
    workshop.packages(
        {"tlspackage.py": "import ssl", "tlsguarded.py": "try:\n    import ssl\nexcept ImportError:\n    ssl = None"}
    )
    found = workshop.analyse(workshop.app(main=text))
    assert ("ssl" in {m.name for m in found.modules}) is kept
    assert (not kept and "import hashlib" not in text) is ("ssl" in dict(found.dropped))


def test_include_keeps_what_a_rule_leaves_out(workshop: Workshop) -> None:
    app = workshop.app(main="import asyncio")
    write(app.parent, {"pyproject.toml": "[tool.unikit]\ninclude = ['ssl']\n"})
    assert "ssl" in workshop.names(app)


def test_scrypt_needs_openssl(workshop: Workshop) -> None:
    assert "_hashlib" in workshop.names(workshop.app(main="import hashlib\nhashlib.scrypt(b'')"))
    assert "_hashlib" not in workshop.names(workshop.app(main="import hashlib\nhashlib.sha256(b'')"))


# -- settings


def test_exclude_leaves_a_module_out(workshop: Workshop) -> None:
    app = workshop.app(main="import csv, json")
    write(app.parent, {"pyproject.toml": "[tool.unikit]\nexclude = ['json']\n"})
    found = workshop.analyse(app)
    assert "json" not in {m.name for m in found.modules}
    assert [m.why for m in found.missing if m.name == "json"] == ["left out by `exclude`"]


def test_include_takes_what_is_in_the_program(workshop: Workshop) -> None:
    app = workshop.app(main="")
    write(app.parent, {"pyproject.toml": "[tool.unikit]\ninclude = ['_abc', '_sre', 'zipimport']\n"})
    assert {"_abc", "_sre", "zipimport"} <= workshop.names(app)


def test_include_takes_packages_whole_and_files(workshop: Workshop) -> None:
    workshop.packages(
        {"p/__init__.py": "", "p/a.py": "", "p/sub/__init__.py": "", "p/sub/b.py": "", "p/tests/__init__.py": ""}
    )
    app = workshop.app(main="")
    write(app.parent, {"pyproject.toml": "[tool.unikit]\ninclude = ['p.*', 'data/*.txt', 'more']\n"})
    write(app.parent, {"data/a.txt": "", "data/b.bin": "", "more/c/d.txt": ""})
    found = workshop.analyse(app)
    assert {"p", "p.a", "p.sub", "p.sub.b"} <= {m.name for m in found.modules}
    assert "p.tests" not in {m.name for m in found.modules}
    assert {d.guest for d in found.data} == {"/app/data/a.txt", "/app/more/c/d.txt"}


@pytest.mark.parametrize("item", ["no_such_module", "no/such/*.txt", "/etc/passwd", "../up.txt"])
def test_include_of_nothing_is_an_error(workshop: Workshop, item: str) -> None:
    app = workshop.app(main="")
    write(app.parent, {"pyproject.toml": f"[tool.unikit]\ninclude = ['{item}']\n"})
    write(app.parent.parent, {"up.txt": ""})
    with pytest.raises(UserError) as caught:
        workshop.analyse(app)
    assert caught.value.code is ExitCode.CONFIGURATION
    assert item in caught.value.message


# -- imports that are computed


def test_strings_of_the_app_name_modules(workshop: Workshop) -> None:
    app = workshop.app(
        main="import importlib\nfor n in ['plugins.one', 'logging.handlers.SysLogHandler']: importlib.import_module(n)"
    )
    write(app.parent, {"plugins/__init__.py": "", "plugins/one.py": "", "plugins/two.py": ""})
    names = workshop.names(app)
    assert {"plugins.one", "logging.handlers"} <= names


def test_a_package_of_plugins_is_kept_whole(workshop: Workshop) -> None:
    app = workshop.app(main="import plugins\nplugins.load('x')")
    loader = "import importlib\ndef load(n): return importlib.import_module(f'plugins.{n}')"
    write(app.parent, {"plugins/__init__.py": loader, "plugins/one.py": "import colorsys", "plugins/two.py": ""})
    assert {"plugins.one", "plugins.two", "colorsys"} <= workshop.names(app)


def test_the_recorded_run_finds_computed_imports_of_packages(workshop: Workshop) -> None:
    workshop.packages(
        {
            "p/__init__.py": "import importlib\nimportlib.import_module(''.join(['p', '.hidden']))",
            "p/hidden.py": "import colorsys",
        }
    )
    found = workshop.analyse(workshop.app(main="import p"))
    assert {"p.hidden", "colorsys"} <= {m.name for m in found.modules}
    recorded = edge(found, "p", "p.hidden")
    assert recorded.origin == "recorded"
    assert recorded.evidence[0].endswith("p/__init__.py:2")


def test_the_app_itself_is_not_run(workshop: Workshop) -> None:
    workshop.packages({"p.py": ""})
    app = workshop.app(main="import p, helper\nopen('ran', 'w')", helper="open('helper-ran', 'w')")
    workshop.analyse(app)
    assert not list(workshop.folder.rglob("*ran"))


def test_a_package_that_fails_on_import_is_a_warning_at_most(workshop: Workshop) -> None:
    workshop.packages({"p.py": "import os\nos._exit(3)"})
    found = workshop.analyse(workshop.app(main="import p"))
    assert any("exit status 3" in w for w in found.warnings)


def test_entry_points_that_kept_code_asks_for(workshop: Workshop) -> None:
    workshop.packages({"host.py": "from importlib.metadata import entry_points\nentry_points(group='host.plugins')"})
    workshop.packages({"plug.py": "", "other.py": ""})
    workshop.distribution("plug", entry_points__txt="[host.plugins]\na = plug:A\n")
    workshop.distribution("other", entry_points__txt="[else]\na = other\n")
    names = workshop.names(workshop.app(main="import host"))
    assert "plug" in names and "other" not in names


def test_what_a_framework_finds_by_convention(workshop: Workshop) -> None:
    """Settings that a variable names, and what lies in the application's packages where the framework looks."""
    workshop.packages({"django/__init__.py": ""})
    app = workshop.app(main="import django")
    write(
        app.parent,
        {
            "pyproject.toml": """
                [tool.unikit]
                entry = "main.py"
                environment = {SETTINGS = "site_of.settings", WAY = "/a.b"}
            """,
            "site_of/settings.py": "INSTALLED_APPS = ['shop']",
            "shop/__init__.py": "",
            "shop/models.py": "",
            "shop/migrations/0001_initial.py": "",
            "shop/management/commands/tidy.py": "",
            "shop/other.py": "",
        },
    )
    names = {m.name for m in workshop.analyse(app.parent).modules}
    assert {"site_of.settings", "shop.models", "shop.migrations.0001_initial", "shop.management.commands.tidy"} <= names
    assert "shop.other" not in names


def test_hooks_that_packages_ship(workshop: Workshop) -> None:
    hook = """
        from PyInstaller.utils.hooks import collect_submodules, copy_metadata, is_module_satisfies
        from PyInstaller.compat import is_win
        hiddenimports = collect_submodules('p.more', filter=lambda n: not n.endswith('.no'))
        hiddenimports += ['nowhere'] if is_win else ['p.yes']
        datas = copy_metadata('p')
        assert is_module_satisfies('p >= 1.0') and not is_module_satisfies('p > 1.0')
    """
    workshop.packages(
        {"p/__init__.py": "", "p/yes.py": "", "p/more/__init__.py": "", "p/more/a.py": "", "p/more/no.py": ""}
    )
    workshop.packages({"p/_pyinstaller/__init__.py": "def dirs(): ...", "p/_pyinstaller/hook-p.py": hook})
    workshop.distribution("p", entry_points__txt="[pyinstaller40]\nhook-dirs = p._pyinstaller:dirs\n")
    found = workshop.analyse(workshop.app(main="import p"))
    names = {m.name for m in found.modules}
    assert {"p.yes", "p.more", "p.more.a"} <= names
    assert not {"p.more.no", "p._pyinstaller"} & names
    assert any(d.guest.endswith("p-1.0.dist-info/METADATA") for d in found.data)


# -- distributions and data


def test_undeclared_options_of_packages_stay_out(workshop: Workshop) -> None:
    text = "def f():\n    import declared, extra, undeclared, shared\n"
    workshop.packages({"p.py": text, **{f"{n}.py": "" for n in ("declared", "extra", "undeclared", "shared")}})
    workshop.distribution("p", requires="declared extra;extra=='x'")
    for name in ("declared", "extra", "undeclared", "shared"):
        workshop.distribution(name)
    found = workshop.analyse(workshop.app(main="import p, shared\ndef later():\n    p.f()"))
    names = {m.name for m in found.modules}
    assert {"declared", "extra", "shared"} <= names
    assert "undeclared" not in names
    assert dict(found.dropped)["undeclared"] == "an option of p"


def test_distributions_of_kept_modules(workshop: Workshop) -> None:
    workshop.packages({"p/__init__.py": "from importlib.metadata import version\nversion('p')", "q.py": ""})
    workshop.distribution("p")
    workshop.distribution("q")
    found = workshop.analyse(workshop.app(main="import p"))
    assert "distribution:p" in found.graph and "distribution:q" not in found.graph
    guests = {d.guest.rpartition("site-packages/")[2] for d in found.data}
    assert "p-1.0.dist-info/METADATA" in guests and "q-1.0.dist-info/METADATA" not in guests


def test_data_files_of_packages(workshop: Workshop) -> None:
    workshop.packages(
        {
            "p/__init__.py": "",
            "p/template.html": "x",
            "p/static/style.css": "x",
            "p/tests/data.txt": "x",
            "p/source.pyx": "x",
            "p/types.pyi": "x",
            "p/unkept/__init__.py": "",
            "p/unkept/big.bin": "x",
        }
    )
    found = workshop.analyse(workshop.app(main="import p"))
    guests = {d.guest.rpartition("site-packages/")[2] for d in found.data}
    assert guests == {"p/template.html", "p/static/style.css"}


def test_data_files_that_a_script_names(workshop: Workshop) -> None:
    app = workshop.app(main="open('schema.sql')\nX = 'assets'\nY = 'missing.txt'\nZ = '..'")
    write(app.parent, {"schema.sql": "", "assets/logo.png": "", "other.txt": "", "assets/.hidden": ""})
    assert {d.guest for d in workshop.analyse(app).data} == {"/app/schema.sql", "/app/assets/logo.png"}


def test_six_moves(workshop: Workshop) -> None:
    workshop.packages({"six.py": "", "p.py": "from six.moves.urllib.parse import quote\nfrom six.moves import queue"})
    names = workshop.names(workshop.app(main="import p"))
    assert {"six", "urllib.parse", "queue"} <= names


def test_the_result_is_the_same_every_time(workshop: Workshop) -> None:
    app = workshop.app(main="import json, csv, asyncio")
    python = str(workshop.python)
    one, two = (imports.analyse(source.load(str(app), python)) for _ in range(2))
    assert one.modules == two.modules
    assert set(one.graph.edges) == set(two.graph.edges)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("import asyncio, concurrent.futures", False),
        ("from concurrent.futures import ProcessPoolExecutor", True),
        ("import concurrent.futures as c\nc.ProcessPoolExecutor()", True),
        ("from concurrent.futures import *", True),
        ("import p", True),
    ],
)
def test_pools_of_processes_are_kept_when_named(workshop: Workshop, text: str, kept: bool) -> None:
    workshop.packages({"p.py": "from concurrent import futures\nX = futures.ProcessPoolExecutor"})
    assert ("multiprocessing" in workshop.names(workshop.app(main=text))) is kept


def test_fallbacks_of_what_is_there_are_left_out(workshop: Workshop) -> None:
    names = workshop.names(workshop.app(main="import decimal, datetime, threading"))
    assert {"_decimal", "_datetime"} <= names
    assert not {"_pydecimal", "_pydatetime", "_threading_local"} & names


def test_a_prompt_has_the_standard_library(workshop: Workshop) -> None:
    names = workshop.names(workshop.app(main="import code\ncode.interact()"))
    assert {"json", "email.message", "http.server", "pydoc", "unittest.mock", "ssl"} <= names
    assert not {n for n in names if n.partition(".")[0] in ("test", "idlelib", "tkinter")}
