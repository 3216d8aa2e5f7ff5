"""What a frozen image would keep from its build where each boot should have its own, told when the image is built."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from unikit.analysis import impossible
from unikit.analysis.walk import MAIN, Walk
from unikit.errors import ExitCode, UserError
from unikit.model import Module
from unikit.target import freeze_point

VARIABLE = "the variable's value is that of the build, in every boot"
VARIABLES = "its values are those of the build's environment, in every boot; make it in a function, or after_thaw"
CONNECTION = (
    "the connection would be frozen, and the build ends; open it in a function registered with unikit.after_thaw"
)
GENERATOR = (
    "its numbers are the same in every boot; make it, or seed it, in a function registered with unikit.after_thaw"
)
SECRET = "it is the same in every boot, and known to whoever has the image; make it in a function, or after_thaw"
HOST = "the answer is that of the machine that builds the image, in every boot"
ENVIRONMENT_MODULE = "module:pydantic_settings"
ENVIRONMENT = ("get", "__getitem__", "__contains__", "copy", "items")  # what is asked of os.environ
CALLS = {
    "os.getenv": VARIABLE,
    "os.getenvb": VARIABLE,
    **{f"os.{name}.{how}": VARIABLE for name in ("environ", "environb") for how in ENVIRONMENT},
    "decouple.config": VARIABLE,
    **{f"secrets.{name}": SECRET for name in ("token_bytes", "token_hex", "token_urlsafe", "randbits", "choice")},
    **{f"random.{name}": SECRET for name in ("random", "randint", "randrange", "getrandbits", "choice", "choices")},
    "os.urandom": SECRET,
    "django.core.management.utils.get_random_secret_key": SECRET,
    "django.utils.crypto.get_random_string": SECRET,
    "werkzeug.security.gen_salt": SECRET,
    "cryptography.fernet.Fernet.generate_key": SECRET,
    "nacl.utils.random": SECRET,
    "bcrypt.gensalt": SECRET,
    "uuid.uuid1": SECRET,
    "uuid.uuid4": SECRET,
    "socket.gethostname": HOST,
    "socket.getfqdn": HOST,
    "platform.node": HOST,
    "socket.create_connection": CONNECTION,
    "psycopg.connect": CONNECTION,
    "psycopg2.connect": CONNECTION,
    "pymysql.connect": CONNECTION,
    "MySQLdb.connect": CONNECTION,
    "pika.BlockingConnection": CONNECTION,
    "random.Random": GENERATOR,
    "numpy.random.default_rng": GENERATOR,
    "numpy.random.RandomState": GENERATOR,
}


def check(walk: Walk) -> list[str]:
    """A sentence for each such call that the application makes before it is frozen.

    Raises UserError (FREEZE) if a module of the application hides unikit's own."""
    source = walk.source
    if not source.settings.freeze:
        return []
    own = walk.finder.find("unikit")
    if own is not None and own.layer == "app":
        raise UserError(
            f"{own.path or 'A folder of the application'} hides the module unikit, by which a program is frozen.",
            code=ExitCode.FREEZE,
            hint="Give it another name, or build the image without --freeze.",
        )
    if source.settings.warm:
        return []
    return impossible.first(_calls(walk), "before the freeze are like these")


def _calls(walk: Walk) -> Iterator[str]:
    main: Module = walk.graph.nodes[f"module:{MAIN}"]["node"]
    end = _freeze_line(main)
    made = _factory(walk)
    classes = dict(_settings(walk))
    for module, line, called, now in walk.calls():
        late = module is main and end is not None and line >= end
        early = now or (module.name == made[0] and line in made[1])
        if called in {*CALLS, *classes} and early and module.layer == "app" and not late:
            yield f"{module.path}:{line}: {_shown(called)} before the freeze: {CALLS.get(called, VARIABLES)}"
    for name, lines in classes.items():
        module = walk.graph.nodes[f"module:{name.rpartition('.')[0]}"]["node"]
        for line in lines:
            if module is not main or end is None or line < end:
                yield f"{module.path}:{line}: {_shown(name)} before the freeze: {VARIABLES}"


def _settings(walk: Walk) -> Iterator[tuple[str, list[int]]]:
    """The application's classes whose objects are made of environment variables, each with the lines on which its own
    module makes some when it is imported."""
    graph = walk.graph
    for name in sorted(graph.predecessors(ENVIRONMENT_MODULE)) if ENVIRONMENT_MODULE in graph else ():
        module = graph.nodes[name]["node"]
        if not isinstance(module, Module) or module.layer != "app" or not module.path:
            continue
        body = ast.parse(module.path.read_bytes()).body
        classes = [node for node in body if isinstance(node, ast.ClassDef)]
        for found in classes:
            if any(ast.unparse(base).rpartition(".")[2] == "BaseSettings" for base in found.bases):
                made = [node for statement in body for node in _now(statement) if isinstance(node, ast.Call)]
                lines = [c.lineno for c in made if isinstance(c.func, ast.Name) and c.func.id == found.name]
                yield f"{module.name}.{found.name}", lines


def _now(node: ast.AST) -> Iterator[ast.AST]:
    """What runs when a statement does."""
    if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
        yield node
        for child in ast.iter_child_nodes(node):
            yield from _now(child)


def _factory(walk: Walk) -> tuple[str, range]:
    """The module and the lines of the function that makes a served application, `module:function()`."""
    name, _, function = (walk.source.served or "").partition(":")
    found = walk.finder.find(name) if function.endswith("()") else None
    if found and found.path:
        for node in ast.parse(found.path.read_bytes()).body:
            if isinstance(node, ast.FunctionDef) and f"{node.name}()" == function:
                return name, range(node.lineno, (node.end_lineno or node.lineno) + 1)
    return "", range(0)


def _shown(called: str) -> str:
    """What the program does there: some calls are written as operators."""
    owner, _, method = called.rpartition(".")
    match method:
        case "__getitem__":
            return f"reads {owner}[...]"
        case "__contains__":
            return f"looks into {owner}"
    return f"calls {called}"


def _freeze_line(module: Module) -> int | None:
    """Where the main module is frozen, if it has a file."""
    if module.path is None:
        return None
    tree = freeze_point.insert(ast.parse(module.path.read_bytes()))
    lines = [
        node.lineno for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node) == freeze_point.CALL
    ]
    return min(lines, default=None)
