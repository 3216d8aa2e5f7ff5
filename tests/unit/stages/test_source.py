"""What APP may be, and how the guest starts it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.unit.stages.conftest import Workshop, write
from unikit.analysis import serving
from unikit.errors import ExitCode, UserError
from unikit.model import AppKind
from unikit.target import freeze_point


def refused(workshop: Workshop, app: Path | str) -> UserError:
    with pytest.raises(UserError) as caught:
        workshop.load(app)
    return caught.value


def test_a_script_starts_as_python_would_start_it(workshop: Workshop) -> None:
    found = workshop.load(workshop.app(hello="print(1)"))
    assert found.kind is AppKind.SCRIPT
    assert (found.name, found.start.guest, found.start.argv0, found.start.paths) == (
        "hello",
        "/app/hello.py",
        "/app/hello.py",
        ("/app",),
    )
    assert found.argv[0] == found.python.guest_program
    assert found.files == ()


def test_a_package_starts_as_dash_m(workshop: Workshop) -> None:
    write(
        workshop.folder / "shop", {"__init__.py": "", "__main__.py": "from . import db", "db.py": "", "schema.sql": "x"}
    )
    found = workshop.load(workshop.folder / "shop")
    assert found.kind is AppKind.PACKAGE
    assert found.start.module == "shop.__main__"
    assert found.start.paths == ("/app",)
    assert [f.guest for f in found.files] == ["/app/shop/schema.sql"]


def test_a_folder_without_init_starts_as_python_folder(workshop: Workshop) -> None:
    write(
        workshop.folder / "tool", {"__main__.py": "", "data/x.json": "{}", ".git/config": "", "__pycache__/a.pyc": ""}
    )
    found = workshop.load(workshop.folder / "tool")
    assert (found.kind, found.start.argv0, found.start.module) == (AppKind.PROJECT, "/app", None)
    assert [f.guest for f in found.files] == ["/app/data/x.json"]


def test_a_project_names_its_entry_and_settings(workshop: Workshop) -> None:
    write(
        workshop.folder / "site",
        {
            "pyproject.toml": """
                [project]
                name = "My.Site"
                [tool.unikit]
                entry = "site_main"
                memory = "96 MiB"
                ports = [8080]
                environment = { MODE = "test", N = 3 }
            """,
            "src/site_main.py": "print(1)",
        },
    )
    found = workshop.load(workshop.folder / "site")
    assert (found.name, found.start.guest, found.start.module) == ("my-site", "/app/src/site_main.py", "site_main")
    assert found.start.paths == ("/app", "/app/src")
    assert (found.settings.memory, found.settings.ports) == (96, (8080,))
    assert found.environment == (("MODE", "test"), ("N", "3"))


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ("memery = 3", "has no key 'memery'"),
        ("memory = 'lots'", "tool.unikit.memory should be"),
        ("memory = true", "tool.unikit.memory should be"),
        ("ports = [0]", "tool.unikit.ports should be"),
        ("include = 'x'", "tool.unikit.include should be"),
        ("environment = { A = true }", "tool.unikit.environment should be"),
        ("sources = 'some'", "tool.unikit.sources should be"),
        ("entry = ", "cannot be read"),
    ],
)
def test_wrong_settings_are_named(workshop: Workshop, table: str, complaint: str) -> None:
    write(workshop.folder / "bad", {"pyproject.toml": f"[tool.unikit]\n{table}\n", "__main__.py": ""})
    error = refused(workshop, workshop.folder / "bad")
    assert error.code is ExitCode.CONFIGURATION
    assert complaint in error.message


def test_no_such_app(workshop: Workshop) -> None:
    error = refused(workshop, workshop.folder / "nothing.py")
    assert error.code is ExitCode.NO_SUCH_APP
    assert "nothing.py" in error.message and error.hint


def test_a_folder_without_entry_says_what_to_add(workshop: Workshop) -> None:
    write(workshop.folder / "empty", {"readme.txt": ""})
    error = refused(workshop, workshop.folder / "empty")
    assert error.code is ExitCode.NO_SUCH_APP
    assert "entry" in (error.hint or "")


def test_a_program_is_not_a_script(workshop: Workshop) -> None:
    (workshop.folder / "program").write_bytes(b"\x7fELF\x02\x01")
    assert refused(workshop, workshop.folder / "program").code is ExitCode.NO_SUCH_APP


@pytest.mark.parametrize("python", ["/bin/sh", "/no/such/python", "not-a-python-at-all"])
def test_an_unusable_interpreter_is_refused(workshop: Workshop, python: str) -> None:
    from unikit.analysis import source

    with pytest.raises(UserError) as caught:
        source.load(str(workshop.app(hello="")), python)
    assert caught.value.code is ExitCode.INTERPRETER


SERVED = {
    "wsgi_function": ("def app(environ, start_response): ...", AppKind.WSGI),
    "asgi_function": ("async def app(scope, receive, send): ...", AppKind.ASGI),
    "asgi_class": (
        "class C:\n    async def __call__(self, scope, receive, send): ...\napp = C()\n",
        AppKind.ASGI,
    ),
    "wsgi_class": ("class C:\n    def __call__(self, environ, start): ...\napp = C()\n", AppKind.WSGI),
}


@pytest.mark.parametrize("case", SERVED)
def test_served_applications_are_told_apart(workshop: Workshop, case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text, kind = SERVED[case]
    workshop.packages({"uvicorn/__init__.py": "def run(*a, **k): ..."})
    monkeypatch.chdir(workshop.app(web=text).parent)
    found = workshop.load("web:app")
    assert found.kind is kind
    assert ("uvicorn" if kind is AppKind.ASGI else "wsgiref.simple_server") in found.needs
    compile(found.launcher, "launcher", "exec")
    assert "from web import app" in found.launcher


@pytest.mark.parametrize("text", ["def run():\n    return 3\n", "from helper import run"])
def test_a_function_without_parameters_is_called(
    workshop: Workshop, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(workshop.app(cli=text, helper="def run(arguments=None): ...").parent)
    found = workshop.load("cli:run")
    assert found.kind is AppKind.FUNCTION
    assert found.needs == ()
    assert "sys.exit(run())" in found.launcher


def test_a_factory_is_called(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "def make():\n    def app(environ, start_response): ...\n    return app\n"
    monkeypatch.chdir(workshop.app(web=text).parent)
    assert "application = make()" in workshop.load("web:make()").launcher


def test_asgi_without_a_server_says_what_to_install(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(workshop.app(web=SERVED["asgi_function"][0]).parent)
    error = refused(workshop, "web:app")
    assert error.code is ExitCode.MODULE_NOT_FOUND
    assert "uvicorn" in (error.hint or "")


@pytest.mark.parametrize(
    ("server", "code", "complaint"),
    [
        ("gunicorn", None, ""),
        ("cheroot", ExitCode.MODULE_NOT_FOUND, "has no cheroot"),
        ("uvicorn", ExitCode.CONFIGURATION, "'uvicorn' is not among the servers for a WSGI application"),
    ],
)
def test_the_settings_choose_the_server(workshop: Workshop, server: str, code: ExitCode | None, complaint: str) -> None:
    workshop.packages({"waitress/__init__.py": "", "gunicorn/__init__.py": "", "uvicorn/__init__.py": ""})
    app = workshop.app(web=SERVED["wsgi_function"][0]).parent
    write(app, {"pyproject.toml": f"[tool.unikit]\nentry = 'web:app'\nserver = '{server}'\n"})
    if code is None:
        assert "ThreadWorker(" in workshop.load(app).launcher
        return
    error = refused(workshop, app)
    assert error.code is code and complaint in error.message and error.hint


@pytest.mark.parametrize(("sources", "name"), [("app", "gunicorn.conf.py"), ("none", "gunicorn.conf.pyc")])
def test_gunicorns_settings_come_from_its_file(workshop: Workshop, sources: str, name: str) -> None:
    workshop.packages({"gunicorn/__init__.py": ""})
    app = workshop.app(web=SERVED["wsgi_function"][0]).parent
    write(app, {"pyproject.toml": f"[tool.unikit]\nentry = 'web:app'\nserver = 'gunicorn'\nsources = '{sources}'\n"})
    assert workshop.load(app).loaded == () and "load_config" not in workshop.load(app).launcher.partition("serve()")[2]
    write(app, {"gunicorn.conf.py": "import colorsys\nthreads = 3\n"})
    found = workshop.load(app)
    assert [(m.name, m.path) for m in found.loaded] == [("__config__", app / "gunicorn.conf.py")]
    assert f'"{name}"' in found.launcher


def test_a_served_module_that_fails_shows_its_traceback(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(workshop.app(web="app = object()\nraise RuntimeError('no database')").parent)
    error = refused(workshop, "web:app")
    assert error.code is ExitCode.NO_SUCH_APP
    assert any("no database" in line for line in error.details)


def test_a_served_module_with_a_syntax_error(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(workshop.app(web="app = (\n").parent)
    error = refused(workshop, "web:app")
    assert error.code is ExitCode.SYNTAX
    assert "web.py:1" in error.message


@pytest.mark.parametrize("server", [server for kind in serving.SERVERS.values() for server in kind])
def test_a_served_application_is_frozen_before_its_server_looks_at_the_boot(server: str) -> None:
    tree = ast.parse(serving._program("web", "make", True, server, 8000))
    freeze_point.insert(tree)
    *before, freezes, serves = [ast.unparse(node) for node in tree.body]
    assert freezes == freeze_point.CALL and serves == "serve()"
    assert "application = make()" in before
    reads = [text for text in before if "environ" in text]
    assert len(reads) == 1 and reads[0].startswith("def serve():"), reads
