"""`module:attribute`: a WSGI or ASGI object, which a server that is installed then serves, or a function without
parameters, which is called as a console script would call it."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import jinja2

from unikit import paths
from unikit.analysis.interpreter import environment
from unikit.errors import ExitCode, UserError
from unikit.model import AppKind, Interpreter, Module, ModuleKind, Settings

# in order of preference; the last WSGI one is in the standard library
SERVERS = {
    AppKind.ASGI: ("uvicorn", "hypercorn"),
    AppKind.WSGI: ("waitress", "cheroot", "gunicorn", "werkzeug", "wsgiref"),
}
NEEDS = {
    "uvicorn": ("uvicorn",),
    "hypercorn": ("hypercorn.asyncio", "hypercorn.config"),
    "waitress": ("waitress",),
    "cheroot": ("cheroot.wsgi",),
    "gunicorn": ("gunicorn.app.base", "gunicorn.glogging", "gunicorn.sock", "gunicorn.workers.gthread"),
    "werkzeug": ("werkzeug.serving",),
    "wsgiref": ("wsgiref.simple_server", "socketserver"),
}
PORT = 8080
GUNICORN_CONFIG = "gunicorn.conf.py"  # where gunicorn looks for its settings: beside the application
DEADLINE = 60

# calls that make an application; what else a name can mean, importing it tells
MAKERS = {
    **dict.fromkeys(
        ("FastAPI", "Starlette", "Quart", "Litestar", "ProtocolTypeRouter", "get_asgi_application"), AppKind.ASGI
    ),
    **dict.fromkeys(("Flask", "Bottle", "get_wsgi_application", "make_wsgi_app"), AppKind.WSGI),
}


@dataclass(frozen=True)
class Plan:
    """How an application is served: its kind, the launcher's text, the modules that this imports, and those that the
    server loads by their path."""

    kind: AppKind
    program: str
    needs: tuple[str, ...]
    loaded: tuple[Module, ...] = ()


def plan(served: str, folders: tuple[Path, ...], python: Interpreter, options: Settings) -> Plan:
    """Find out what `module:attribute` (or `module:factory()`) is and which installed server fits."""
    module, _, attribute = served.partition(":")
    factory = attribute.endswith("()")
    attribute = attribute.removesuffix("()")
    if not all(p.isidentifier() for p in (*module.split("."), *attribute.split("."))):
        raise UserError(f"{served!r} is not module:attribute.", code=ExitCode.NO_SUCH_APP)
    where = (*folders, *python.site)
    file = _find(module, where)
    if file is None:
        raise UserError(
            f"There is no module {module!r} in {folders[0]} or among the packages of {python.path}.",
            code=ExitCode.NO_SUCH_APP,
            hint="run unikit from the folder that holds the module",
        )
    kind = AppKind(options.interface) if options.interface else _kind(file, attribute, factory, python)
    if kind is None:
        kind = _ask(module, attribute, factory, folders, python)
    if kind is AppKind.FUNCTION:
        return Plan(kind, _program(module, attribute, False, "", 0), ())
    server = _server(served, kind, python, options)
    port = options.ports[0] if options.ports else PORT
    config, loaded = "", tuple[Module, ...]()
    if server == "gunicorn" and (place := folders[0] / GUNICORN_CONFIG).is_file():
        config = f"{GUNICORN_CONFIG}c" if options.sources == "none" else GUNICORN_CONFIG
        loaded = (Module("__config__", ModuleKind.SOURCE, place, "app"),)  # as gunicorn names it
    return Plan(kind, _program(module, attribute, factory, server, port, config), NEEDS[server], loaded)


def _server(served: str, kind: AppKind, python: Interpreter, options: Settings) -> str:
    """The one that the settings name, else the first that is installed."""
    able = SERVERS[kind]
    installed = [s for s in able if s == "wsgiref" or _find(s, python.site)]
    if options.server and options.server not in able:
        raise UserError(
            f"{options.server!r} is not among the servers for a {kind.value.upper()} application.",
            code=ExitCode.CONFIGURATION,
            hint=f"`server` can be {', '.join(able)}; any other is started from a script of the application's own",
        )
    wanted = [s for s in installed if options.server in (None, s)]
    if wanted:
        return wanted[0]
    raise UserError(
        f"{served} is {'an ASGI' if kind is AppKind.ASGI else 'a WSGI'} application, and {python.path} has no "
        f"{options.server or 'server for it'}.",
        code=ExitCode.MODULE_NOT_FOUND,
        hint=f"install {options.server or 'uvicorn (or hypercorn)'} there",
    )


def _program(module: str, attribute: str, factory: bool, server: str, port: int, config: str = "") -> str:
    environment = jinja2.Environment(keep_trailing_newline=True, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string((paths.TEMPLATES / "serve.py.j2").read_text())
    return template.render(module=module, attribute=attribute, factory=factory, server=server, port=port, config=config)


def _find(module: str, folders: tuple[Path, ...]) -> Path | None:
    for folder in folders:
        place = folder.joinpath(*module.split("."))
        for file in (place / "__init__.py", place.with_name(place.name + ".py")):
            if file.is_file():
                return file
    return None


def _kind(file: Path, attribute: str, factory: bool, python: Interpreter) -> AppKind | None:
    """What the source shows: a function's shape, or a call that is known to make an application."""
    try:
        tree = ast.parse(file.read_bytes())
    except SyntaxError as error:
        if python.version[:2] > sys.version_info[:2]:
            return None  # it may well be good Python of that version
        raise UserError(
            f"{file}:{error.lineno}: {error.msg}", code=ExitCode.SYNTAX, details=((error.text or "").rstrip(),)
        ) from error
    except ValueError:
        return None
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name == attribute and not factory:
            parameters = len(node.args.posonlyargs) + len(node.args.args)
            if isinstance(node, ast.AsyncFunctionDef) and parameters == 3:
                return AppKind.ASGI
            if isinstance(node, ast.FunctionDef) and not node.decorator_list:
                required = parameters - len(node.args.defaults)
                return AppKind.WSGI if parameters == 2 else AppKind.FUNCTION if required == 0 else None
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and isinstance(node.value, ast.Call) and not factory:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(t, ast.Name) and t.id == attribute for t in targets):
                return MAKERS.get(ast.unparse(node.value.func).rpartition(".")[2])
    return None


def _ask(module: str, attribute: str, factory: bool, folders: tuple[Path, ...], python: Interpreter) -> AppKind:
    """Import the module with the target interpreter and look at the object."""
    request = json.dumps([[str(f) for f in folders], module, attribute, factory])
    hint = 'say which it is: `interface = "wsgi"` or "asgi" below [tool.unikit]'
    try:
        done = subprocess.run(
            [str(python.path), str(paths.TARGET / "interface.py")], input=request, capture_output=True, text=True,
            timeout=DEADLINE, env=environment(), cwd=folders[0],
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise UserError(
            f"Importing {module} takes more than {DEADLINE} s.", code=ExitCode.NO_SUCH_APP, hint=hint
        ) from error
    answer = done.stdout.rpartition("\n")[2]
    if answer in ("wsgi", "asgi", "function"):
        return AppKind(answer)
    trace = tuple(done.stderr.strip().splitlines()[-12:])
    raise UserError(f"{module}:{attribute} cannot be served.", code=ExitCode.NO_SUCH_APP, hint=hint, details=trace)
