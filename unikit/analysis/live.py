"""Which functions of the modules can run: the ones that something uses which can run itself.

A function of a module is used by its name there, by what imports it, as an attribute of something unknown, and by a
word in a string; a method by any attribute of its name. Names that are put together count by how they begin or end
(`"visit_" + kind`). The application's own functions can all run; so can what is always alive: a module's own
statements, special methods, and functions that a decorator may hand to others.

What is used is written as a token: `MODULE.NAME`, `.NAME` (an attribute of something unknown), `'NAME` (a word in a
string), `MODULE:NAME` (imported from there, which only matters to the module's __getattr__)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from unikit.analysis.finder import Finder
from unikit.analysis.scanner import Scanned, Scope
from unikit.model import Module


class Live:
    """The scopes of a walk, waiting for somebody to use them."""

    def __init__(self, finder: Finder) -> None:
        self.finder = finder
        self.scopes: dict[str, list[Scope]] = {}  # alive, by module
        self._awake: set[int] = set()  # the scopes among `scopes`, by identity
        self._used: set[str] = set()
        self._of_module: dict[str, set[str]] = {}  # the names of MODULE.NAME among them
        self._waiting: dict[str, list[tuple[Module, Scope]]] = {}
        self._asleep: dict[str, list[Scope]] = {}  # by module
        self._aliases: dict[str, list[str]] = {}  # token -> what else is used with it
        self._stars: dict[str, list[str]] = {}  # module -> the ones whose names it has by `from x import *`
        self._ready: deque[tuple[Module, Scope]] = deque()
        self._starts: tuple[str, ...] = ()
        self._ends: tuple[str, ...] = ()

    def add(self, module: Module, scanned: Scanned) -> None:
        """The scopes of a file; all of an application's are alive."""
        self.scopes[module.name] = []
        asleep = self._asleep[module.name] = []
        for scope in scanned.scopes:
            keys = [key for name in scope.keys for key in _keys(module.name, name)]
            if not keys or module.layer == "app" or any(self._is_used(key) for key in keys):
                self._wake(module, scope)
                continue
            asleep.append(scope)
            for key in keys:
                self._waiting.setdefault(key, []).append((module, scope))
        for name, origin in scanned.aliases:
            target = absolute(module, origin)
            keys = [f"{module.name}.{name}"]
            if target.rpartition(".")[2] != name:
                keys += [f".{name}", f"'{name}"]
            for key in keys if target else ():
                self._aliases.setdefault(key, []).append(target)
                if key in self._used:
                    self._use_chain(target)

    def add_star(self, module: str, source: str) -> None:
        """`module` has the names of `source`."""
        self._stars.setdefault(module, []).append(source)
        self.use([f"{source}.{name}" for name in sorted(self._of_module.get(module, ()))])

    def use(self, tokens: Iterable[str]) -> None:
        """Wake whatever one of the tokens stands for."""
        todo = list(tokens)
        while todo:
            token = todo.pop()
            if token in self._used:
                continue
            self._used.add(token)
            for module, scope in self._waiting.pop(token, ()):
                self._wake(module, scope)
            for target in self._aliases.get(token, ()):
                todo += self._chain(target)
            if token[0] == ".":
                todo.append(f"@{token[1:]}")
            elif token[0] != "'" and token[0] != "@":
                owner, dot, name = token.rpartition(".")
                if dot:
                    self._of_module.setdefault(owner, set()).add(name)
                    todo += [f"{source}.{name}" for source in self._stars.get(owner, ())]

    @property
    def has_news(self) -> bool:
        """Whether `ready` has something to give."""
        return bool(self._ready)

    def ready(self) -> Iterator[tuple[Module, Scope]]:
        """The scopes that came to life since the last time; ends when nothing follows from them."""
        while self._ready:
            module, scope = self._ready.popleft()
            # in a fixed order, so that the graph is the same each time
            for chain in sorted(scope.chains):
                self._use_chain(absolute(module, chain))
            taken = [absolute(module, n[1:]).rpartition(".") for n in sorted(scope.names) if n[0] == "="]
            self.use(f"{owner}:{attribute}" for owner, _, attribute in taken)
            plain = (n for n in sorted(scope.names) if "*" not in n and n[0] != "=")
            self.use(f"{module.name}.{n[1:]}" if n[0] == "~" else n for n in plain)
            self._compute({name for name in scope.names if "*" in name}, module)
            yield module, scope

    def _use_chain(self, chain: str) -> None:
        self.use(self._chain(chain))

    def _chain(self, chain: str) -> list[str]:
        """What `a.b.c.d` uses, where `a.b` is a module: a's b, b's c, and the attribute d of something unknown."""
        parts, owner, tokens = chain.split("."), "", list[str]()
        for end in range(len(parts)):
            if owner:
                tokens.append(f"{owner}.{parts[end]}")
            found = self.finder.find(".".join(parts[: end + 1])) if parts[0] else None
            if found is None:
                return tokens + [f".{part}" for part in parts[end + 1 :]]
            owner = found.name
        return tokens

    def _is_used(self, key: str) -> bool:
        if key in self._used:
            return True
        return key[0] == "'" and (key.startswith(self._starts, 1) or key.endswith(self._ends))

    def _wake(self, module: Module, scope: Scope) -> None:
        if id(scope) not in self._awake:
            self._awake.add(id(scope))
            self.scopes[module.name].append(scope)
            self._ready.append((module, scope))

    def _compute(self, forms: set[str], module: Module) -> None:
        """Names that are computed: `visit_*`, `*_handler`; `*`: any of the module (the standard library looks up names
        that stand there as words)."""
        if "*" in forms and module.layer != "interpreter":
            for scope in self._asleep.get(module.name, ()):
                if scope.keys[0][0] not in ".@":  # what __getattr__ makes is in no table of names
                    self._wake(module, scope)
        starts = {f[:-1] for f in forms if f.endswith("*") and f != "*"}.difference(self._starts)
        ends = {f[1:] for f in forms if f.startswith("*") and f != "*"}.difference(self._ends)
        if starts or ends:
            begin, finish = tuple(sorted(starts)), tuple(sorted(ends))
            self._starts, self._ends = (*self._starts, *begin), (*self._ends, *finish)
            self.use([k for k in self._waiting if k[0] == "'" and (k.startswith(begin, 1) or k.endswith(finish))])


def absolute(module: Module, name: str) -> str:
    """A name as a module means it: `.x` is beside it, or in it if it is a package. Empty where there is none."""
    level = len(name) - len(name.lstrip("."))
    if not level:
        return name
    package = module.name.split(".") if module.folders else module.name.split(".")[:-1]
    if len(package) < level:
        return ""
    return ".".join([*package[: len(package) - level + 1], name[level:]])


def _keys(module: str, key: str) -> tuple[str, ...]:
    """The tokens that bring a scope to life."""
    if key.startswith("."):
        return (key, f"{module}{key}", f"{module}:{key[1:]}")
    if key.startswith("@"):
        return (key, f"'{key[1:]}", f"{module}.{key[1:]}")
    return (f"{module}.{key}", f".{key}", f"'{key}")
