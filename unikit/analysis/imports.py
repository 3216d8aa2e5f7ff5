"""The second stage: every module that the application reaches."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from unikit.analysis import baked, datafiles, distributions, impossible, knowledge, opened, recording, sickness
from unikit.analysis.finder import Finder
from unikit.analysis.installed import Environment
from unikit.analysis.scanner import Scanner
from unikit.analysis.walk import MAIN, Walk, hard
from unikit.errors import ExitCode, UserError
from unikit.hooks import optional, stdlib
from unikit.model import CALL, DataFile, Edge, EdgeKind, Imports, Interpreter, Missing, Module, ModuleKind, Source
from unikit.native import elf
from unikit.native.libraries import Resolver

IN_PROGRAM = (ModuleKind.BUILTIN, ModuleKind.FROZEN)  # no file of theirs is needed


def analyse(source: Source, traced: Iterable[str] = ()) -> Imports:
    """Walk the imports from the entry, follow what a recorded run of the packages' imports adds and the modules that a
    traced run has used, and collect the data files of the packages that are kept.

    Raises `UserError`: SYNTAX for a file of the application that does not compile, MODULE_NOT_FOUND for an import that
    is certain to fail."""
    finder = Finder(source.python, source.search)
    with Scanner(source.python, optional.WORDS) as scanner:
        environment = Environment(source.python.site)
        walk = Walk(source, finder, scanner, environment)
        entry = _enter(walk)
        walk.run()
        _check_syntax(walk)
        record = recording.record(walk) if source.settings.record else recording.Record()
        if record.error:
            walk.warnings.append(record.error)
        recording.add(walk, record)
        walk.run()
        hooked = knowledge.apply(walk, environment)
        data, included = [*hooked.data], _include(walk, entry)
        for name in traced:
            if walk.finder.find(name):
                walk.want(entry, name, Edge(EdgeKind.IMPORTS, True, True, "recorded", ("unikit.lock",)))
        walk.run()
        distributions.add(walk, environment)
        walk.run()
    _check_missing(walk, record.loaded)
    walk.warnings += [*sickness.broken(walk), *sickness.twice(walk, environment), *impossible.check(walk)]
    walk.warnings += baked.check(walk)
    data += [*datafiles.collect(walk), *distributions.metadata(walk, hooked.metadata)]
    return Imports(
        source=source,
        graph=walk.graph,
        data=tuple({d.guest: d for d in (*data, *included)}.values()),  # of several reasons the user's own counts
        warnings=tuple(walk.warnings),
        dropped=tuple(walk.choices.dropped()),
        with_text=_with_text(walk),
        opened=tuple(dict.fromkeys(opened.libraries(walk))),
    )


def _enter(walk: Walk) -> Module:
    """The roots: the entry, what every start of the interpreter imports, and what the settings name."""
    source = walk.source
    start = Module(MAIN, ModuleKind.SOURCE, source.entry, "app")
    walk.add(start)
    for program in _programs(source.python):
        walk.use_words(program, own=True)
    runtime = Edge(EdgeKind.IMPORTS, origin="runtime", evidence=("start of the interpreter",))
    later = stdlib.RUNTIME_313 if source.python.version >= (3, 13) else ()
    for name in (*stdlib.START, *stdlib.RUNTIME, *later):
        if walk.finder.find(name):
            walk.want(start, name, runtime if name in stdlib.START else Edge(EdgeKind.IMPORTS, True, True, "runtime"))
    custom = walk.finder.find("sitecustomize")
    if custom is not None and custom.layer != "interpreter":  # a distribution's own reports crashes to the distribution
        walk.want(start, "sitecustomize", runtime)
    launcher = Edge(EdgeKind.IMPORTS, origin="static", evidence=(source.served or "",))
    if source.served:
        walk.want(start, source.served.partition(":")[0], launcher)
    for name in source.needs:
        walk.want(start, name, launcher)
    setting = Edge(EdgeKind.IMPORTS, True, True, "setting", ("environment",))
    for _, value in source.environment:  # frameworks are told by a variable which module has their settings
        found = walk.finder.find(value) if all(p.isidentifier() for p in value.split(".")) else None
        if found is not None and found.layer == "app":
            walk.want(start, value, setting)
    if source.settings.freeze:
        walk.want(start, "unikit", replace(runtime, evidence=("freeze",)))
    for loaded in source.loaded:
        walk.add(loaded)
        walk.graph.add_edge(start.id, loaded.id, edge=Edge(EdgeKind.IMPORTS, True, True, "static", ("by its path",)))
    module = source.start.module
    if module and "." in module:
        walk.want(start, module.rpartition(".")[0], launcher)
    return start


def _programs(python: Interpreter) -> list[Path]:
    """The interpreter and, where it is one, its shared library: both look up names of Python modules."""
    found = [python.executable]
    resolver = Resolver.of_this_machine()
    for name in elf.read(python.executable).needed:
        if name.startswith("libpython") and (library := resolver.find(name, (python.executable,))):
            found.append(library.path)
    return found


def _include(walk: Walk, entry: Module) -> list[DataFile]:
    """`include`: modules (`name`, or `name.*` for all below it), else patterns of files below the application's
    folder."""
    edge = Edge(EdgeKind.IMPORTS, origin="setting", evidence=("include",), lazy=True)
    data: list[DataFile] = []
    for item in walk.source.settings.include:
        if item.startswith(CALL):
            continue
        if item.startswith("/"):
            data.append(_guest_file(walk, item))
            continue
        name = item.removesuffix(".*")
        module = walk.finder.find(name) if all(p.isidentifier() for p in name.split(".")) else None
        if module is not None and (module.path or module.kind in IN_PROGRAM or walk.finder.submodules(module)):
            walk.want(entry, name, edge)
            if item.endswith(".*"):
                walk.want_all(entry, module, edge)
            continue
        files = datafiles.matching(walk.source.root, item)
        if not files:
            raise UserError(
                f"include: {item!r} is neither a module nor a file below {walk.source.root}.",
                code=ExitCode.CONFIGURATION,
            )
        data += [DataFile(f, g, "app", f"include {item}") for f, g in files]
    return data


def _guest_file(walk: Walk, guest: str) -> DataFile:
    """A file of the standard library or of a package, named by its place in the guest."""
    for folder, root, layer in walk.finder.roots:
        if guest.startswith(f"{root}/") and (folder / guest[len(root) + 1 :]).is_file():
            return DataFile(folder / guest[len(root) + 1 :], guest, layer, f"include {guest}")
    raise UserError(f"include: there is no file for {guest} on this machine.", code=ExitCode.CONFIGURATION)


def _with_text(walk: Walk) -> frozenset[str]:
    """The modules of packages that ask for the source of code, which is that of their own functions: the application's
    is there anyway."""
    modules = [m for m in walk.loaded() if m.layer == "dependencies"]
    asking = {_top(m) for m in modules if any(scope.text for scope in walk.live.scopes.get(m.name, ()))}
    return frozenset(m.name for m in modules if _top(m) in asking)


def _top(module: Module) -> str:
    return module.name.partition(".")[0]


def _check_syntax(walk: Walk) -> None:
    for name, scanned in walk.scanned.items():
        module: Module = walk.graph.nodes[f"module:{name}"]["node"]
        if scanned.error and module.layer == "app":
            line, message, text = scanned.error
            details = (f"    {text.strip()}",) if text.strip() else ()
            raise UserError(f"{module.path}:{line}: {message}", code=ExitCode.SYNTAX, details=details)


def _check_missing(walk: Walk, loaded: frozenset[str]) -> None:
    """An import that is certain to fail is an error; one of the application that may fail, a warning."""
    graph = walk.graph
    certain = hard(graph, [f"module:{MAIN}"])
    for name in sorted(graph.nodes):
        node = graph.nodes[name]["node"]
        if not isinstance(node, Missing):
            continue
        for importer, _, edge_data in graph.in_edges(node.id, data=True):
            edge: Edge = edge_data["edge"]
            module: Module = graph.nodes[importer]["node"]
            where = edge.evidence[0] if edge.evidence else module.name
            if node.why != "no such module":
                continue
            if node.id in certain and importer in certain and not edge.conditional and not edge.lazy:
                if module.name in loaded or module.layer == "interpreter":
                    continue  # it was imported all the same: the name is made at run time
                raise UserError(
                    f"Module {node.name!r} is not there; {where} imports it.",
                    code=ExitCode.MODULE_NOT_FOUND,
                    hint=_hint(walk, node.name),
                )
            if module.layer == "app":
                kind = "its failure is handled" if edge.conditional else "when a function runs"
                walk.warnings.append(f"{where}: imports {node.name}, which is not there ({kind})")


def _hint(walk: Walk, name: str) -> str:
    python = walk.source.python.path
    top = name.partition(".")[0]
    if top in walk.source.python.stdlib_names:
        return f"{python} was built without it"
    if other := sickness.foreign(walk, name):
        return f"{other}: install one for {python} on x86-64 Linux with glibc (manylinux)"
    beside = [f for f in _neighbours(walk.source.root) if (f / top).is_dir() or (f / f"{top}.py").is_file()]
    if beside:
        return f"{beside[0]} holds a {top}: build from there, or name the folder as the project"
    return f"install it for {python}, or name another interpreter with --python"


def _neighbours(root: Path) -> list[Path]:
    return [p for p in (root.parent, root / "src", root / "lib") if p.is_dir()]
