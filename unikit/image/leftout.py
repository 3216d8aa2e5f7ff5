"""What is installed on the build machine and not in the image, and by which rule: the table that the guest reads when
an import fails (`target/left_out.py`).

Text: a line `# SENTENCE` begins a rule, the names it left out follow, a line each. Of a package that is left out whole
only its own name is there: importing what is below it fails with the package."""

from __future__ import annotations

from collections.abc import Iterator

from unikit.analysis.finder import Finder
from unikit.model import Imports, ModuleKind, Source

TABLE = "/.unikit/left_out"
FINDER = "/.unikit/left_out.pyc"
ADD = 'add "{name}" to `include` below [tool.unikit] in pyproject.toml to keep it'
RULES = {
    "excluded": "left out of this image, because `exclude` below [tool.unikit] names it",
    "option": f"left out of this image by rule: nothing in it seemed to need {{why}}; {ADD}",
    "processes": "left out of this image: it serves to start processes, and a unikernel is one process and starts no "
    "other: use threads or asyncio in it, or run more guests",
    "safe": f"left out of this image: no import that could be seen leads to it; {ADD}",
    "traced": f"left out of this image: prune = traced, and the traced run did not import it; {ADD}, or trace again",
}


def table(imports: Imports) -> str:
    """The table's text, empty where nothing was left out."""
    source = imports.source
    dropped = dict(imports.dropped)
    by_rule: dict[str, list[str]] = {}
    for name in sorted(set(_left_out(imports, Finder(source.python, source.search)))):
        by_rule.setdefault(_rule(name, source, dropped, imports.mode), []).append(name)
    return "".join(f"# {rule}\n" + "".join(f"{name}\n" for name in by_rule[rule]) for rule in sorted(by_rule))


def _rule(name: str, source: Source, dropped: dict[str, str], mode: str) -> str:
    if any(name == e or name.startswith(f"{e}.") for e in source.settings.exclude):
        return RULES["excluded"]
    if name == "concurrent.futures.process" or name.startswith("multiprocessing."):
        return RULES["processes"]
    if name in dropped:
        return RULES["option"].replace("{why}", dropped[name])
    return RULES["traced" if mode == "traced" else "safe"]


def _left_out(imports: Imports, finder: Finder) -> Iterator[str]:
    """The topmost modules that are not in the graph. The file that is run is there, whatever it is called."""
    kept = {m.name for m in imports.modules} | {imports.source.entry.stem if imports.source.entry else ""}
    tops = {stem for folder, _, _ in finder.roots for item in finder.listing(folder) if (stem := _stem(finder, item))}
    queue: list[str] = sorted(tops)
    for name in queue:
        if name not in kept:
            # a folder without modules is no package that anybody misses
            module = finder.find(name)
            if module is not None and (module.kind is not ModuleKind.NAMESPACE or finder.submodules(module)):
                yield name
            continue
        module = finder.find(name)
        if module is not None and module.folders:
            queue += finder.submodules(module)


def _stem(finder: Finder, item: str) -> str | None:
    stem = item.partition(".")[0]
    if not stem.isidentifier() or stem in ("__pycache__", "__init__", "__main__"):
        return None
    known = any(item == stem + suffix for suffix in (*finder.python.suffixes, ".py", ".pyc"))
    return stem if known or item == stem else None
