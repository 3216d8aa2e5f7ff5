"""What is imported without an import statement: by name in a string, from C, as a text encoding.

The functions want modules of a `Walk`; all their edges are conditional and lazy."""

from __future__ import annotations

import re
from encodings import aliases, normalize_encoding
from pathlib import Path
from typing import TYPE_CHECKING

from unikit.analysis.choices import rule_of
from unikit.analysis.live import absolute
from unikit.analysis.scanner import Flag, Import, Scanned, Scope
from unikit.hooks import stdlib
from unikit.model import AppKind, Edge, EdgeKind, Module, ModuleKind

if TYPE_CHECKING:
    from unikit.analysis.walk import Walk

TESTS = re.compile(r"(^|\.)(tests?|testing|conftest|test_[^.]*|[^.]*_test)(\.|$)")


def codecs(walk: Walk, module: Module, scope: Scope) -> None:
    """The encodings that a function names; the common ones once something outside the standard library computes such
    a name."""
    outside = module.layer != "interpreter"
    for codec in sorted(scope.codecs if outside else scope.codecs & {"idna", "punycode"}):
        _want_codec(walk, module, codec)
    if scope.computed and outside and not walk.decodes:
        walk.decodes = True
        for codec in stdlib.COMMON_CODECS:
            _want_codec(walk, module, codec)


def _want_codec(walk: Walk, module: Module, codec: str) -> None:
    name = normalize_encoding(codec).lower()
    name = aliases.aliases.get(name, name)
    if name.isidentifier() and walk.finder.find(f"encodings.{name}"):
        edge = Edge(EdgeKind.IMPORTS, True, True, "static", (str(module.path),))
        walk.want(module, f"encodings.{name}", edge)


def application(walk: Walk, module: Module, scanned: Scanned) -> None:
    """The application's own files say more: names of modules in strings, computed imports, tools."""
    edge = Edge(EdgeKind.IMPORTS, True, True, "static", (str(module.path),))
    for text in sorted(scanned.strings):
        named(walk, module, text.replace(":", "."), edge)
    for word, tool in stdlib.APP_WORDS.items():
        if word in scanned.words:
            walk.want(module, tool, edge)
    if {i.module.partition(".")[0] for i in scanned.imports} & stdlib.PROMPTS:
        _want_stdlib(walk, module, edge)
    if not scanned.dynamic:
        return
    before = len(walk.graph)
    owner = module if module.folders else walk.finder.find(module.name.rpartition(".")[0])
    if owner is not None and owner.layer == "app":
        walk.want_all(module, owner, edge)
    for text in sorted(scanned.constants):
        package = walk.finder.find(text.rstrip(".")) if re.fullmatch(r"[A-Za-z_][\w.]*", text) else None
        if package is None or not package.folders:
            continue
        if package.layer == "app" or (text.endswith(".") and package.layer == "dependencies"):
            walk.want_all(module, package, edge)
    if len(walk.graph) == before and walk.source.kind is not AppKind.SCRIPT:
        walk.warnings.append(
            f"{module.path}:{scanned.dynamic[0]}: the name of an import is computed; "
            "name what it can be in `include` below [tool.unikit]"
        )


def computed(walk: Walk, module: Module, scope: Scope) -> None:
    """An import in a package whose name is computed: all modules that it can be where its beginning is known, else the
    modules of the same package that strings there, or in what is imported there, name."""
    if module.layer != "dependencies" or not scope.computed_imports:
        return
    edge = Edge(EdgeKind.IMPORTS, True, True, "static", (str(module.path),))
    for start in sorted(scope.computed_imports):
        base, dot, first = absolute(module, start).rpartition(".") if start.strip(".") else ("", "", "")
        package = walk.finder.find(base) if dot else walk.finder.find(absolute(module, start)) if start else None
        if package is not None and package.folders:
            for name in walk.finder.submodules(package):
                last = name.rpartition(".")[2]
                if last.startswith(first) and not TESTS.search(last) and last != "__main__":
                    walk.want(module, name, edge)
        elif not start:
            walk.tables.append(module)


def tables(walk: Walk, module: Module) -> None:
    """Modules of the same package that strings of a module name, and those of what it imports from its package."""
    edge = Edge(EdgeKind.IMPORTS, True, True, "static", (str(module.path),))
    top = module.name.partition(".")[0]
    beside = [n.removeprefix("module:") for n in walk.graph.successors(module.id)]
    for name in (module.name, *(n for n in beside if n.partition(".")[0] == top)):
        for text in sorted(walk.scanned[name].strings if name in walk.scanned else ()):
            found = walk.finder.find(text) if text.partition(".")[0] == top else None
            if found is not None and found.kind is not ModuleKind.NAMESPACE:
                walk.want(module, found.name, edge)


def _want_stdlib(walk: Walk, module: Module, edge: Edge) -> None:
    for name in sorted(walk.source.python.stdlib_names):
        found = walk.finder.find(name)
        if found is None or found.layer != "interpreter" or stdlib.NOT_AT_A_PROMPT.fullmatch(name):
            continue
        walk.want(module, name, edge)
        if found.folders:
            walk.want_all(module, found, edge)


def named(walk: Walk, module: Module, text: str, edge: Edge) -> None:
    """A string such as "shop.urls" or "logging.handlers.SysLogHandler" may name a module or something in one."""
    parts = text.split(".")
    best = None
    for end in range(1, len(parts) + 1):
        found = walk.finder.find(".".join(parts[:end]))
        if found is None:
            break
        best = found if found.kind is not ModuleKind.NAMESPACE else best
    if best is None or best.name.partition(".")[0] in stdlib.TOOLS:
        return
    if "." not in best.name and best.layer == "interpreter":
        return
    walk.want(module, best.name, edge)
    if best.layer == "dependencies" and best.folders and best.name == text:
        walk.want_all(module, best, edge)


def extension(walk: Walk, module: Module, path: Path) -> None:
    """What a compiled module imports is not written in Python: names of modules in its constants are taken for
    imports, those of its own package and of the standard library."""
    top = module.name.partition(".")[0]
    edge = Edge(EdgeKind.IMPORTS, True, True, "static", (str(path),))
    content = path.read_bytes()
    for match in sorted(set(re.findall(rb"\b" + re.escape(top.encode()) + rb"(?:\.[A-Za-z_]\w{0,60}){1,8}", content))):
        name = match.decode()
        while name and not walk.has(name):
            found = walk.finder.find(name)
            if found and found.kind is not ModuleKind.NAMESPACE and not TESTS.search(name):
                walk.want(module, name, edge)
                break
            name = name.rpartition(".")[0]
    for match in sorted(set(re.findall(rb"\x00([a-z_][a-z_0-9]{2,30}(?:\.[a-z_][a-z_0-9]{1,30})?)(?=\x00)", content))):
        name = match.decode()
        if name.partition(".")[0] in walk.source.python.stdlib_names and name.partition(".")[0] not in stdlib.TOOLS:
            found = walk.finder.find(name)
            if found is not None and found.layer == "interpreter" and not rule_of(name):
                walk.want(module, name, edge)


def from_c(walk: Walk, module: Module) -> None:
    """What a module of the standard library imports from C, or by a computed name."""
    edge = Edge(EdgeKind.IMPORTS, True, True, "runtime", ("C",))
    if module.layer == "interpreter":
        for name in (*stdlib.FROM_C.get(module.name, ()), *stdlib.WITH.get(module.name, ())):
            if walk.finder.find(name):
                walk.want(module, name, edge)
        if module.name in stdlib.FROM_C_FUNCTION:
            function, name = stdlib.FROM_C_FUNCTION[module.name]
            flags = Flag.CONDITIONAL | Flag.LAZY
            wanted = Scope((function,), imports=(Import(0, 0, name, None, flags, function.lstrip("@")),))
            walk.live.add(module, Scanned(scopes=(wanted,)))
        if module.name == "sysconfig" and walk.finder.find(walk.source.python.sysconfig_data):
            walk.want(module, walk.source.python.sysconfig_data, edge)
        if module.name in stdlib.DECODERS:
            for codec in stdlib.COMMON_CODECS:
                _want_codec(walk, module, codec)
