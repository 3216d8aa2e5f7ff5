"""Installed distributions: which one a module belongs to, its metadata, its entry points."""

from __future__ import annotations

import configparser
import csv
import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from unikit.model import DataFile, Distribution, Edge, EdgeKind, Module
from unikit.walk import Walk


@dataclass(frozen=True)
class Installed:
    """A distribution found in a folder of packages."""

    distribution: Distribution
    site: Path

    @cached_property
    def files(self) -> frozenset[Path]:
        """What it installed, as far as it says so."""
        record = self.distribution.folder / "RECORD"
        try:
            with record.open(newline="", encoding="utf-8") as file:
                return frozenset(self.site / row[0] for row in csv.reader(file) if row)
        except OSError:
            return frozenset()

    @cached_property
    def tops(self) -> frozenset[str]:
        """Its top-level modules, where it does not list its files."""
        try:
            return frozenset((self.distribution.folder / "top_level.txt").read_text().split())
        except OSError:
            return frozenset({re.sub(r"[-.]+", "_", self.distribution.name).lower()})

    @cached_property
    def entry_points(self) -> dict[str, tuple[str, ...]]:
        """Group -> the modules that it names."""
        parser = configparser.ConfigParser(delimiters=("=",), interpolation=None, strict=False)
        parser.optionxform = str  # type: ignore[assignment,method-assign]
        try:
            parser.read_string((self.distribution.folder / "entry_points.txt").read_text(encoding="utf-8"))
        except (OSError, configparser.Error, UnicodeDecodeError):
            return {}
        modules = {g: tuple(re.split(r"[:\s\[]", v.strip())[0] for v in parser[g].values()) for g in parser.sections()}
        return {g: tuple(m for m in names if m) for g, names in modules.items()}


@dataclass
class Environment:
    """All distributions of the interpreter; the first of a name counts."""

    sites: tuple[Path, ...]
    _by_name: dict[str, Installed] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for site in self.sites:
            for folder in sorted((*site.glob("*.dist-info"), *site.glob("*.egg-info"))):
                name, version = _identity(folder)
                if name and name not in self._by_name:
                    self._by_name[name] = Installed(Distribution(name, version, folder), site)

    @property
    def all(self) -> tuple[Installed, ...]:
        return tuple(self._by_name.values())

    def owner(self, module: Module) -> Installed | None:
        """The distribution that installed a module."""
        if module.path is None:
            return None
        if not hasattr(self, "_owners"):
            self._owners = {file: i for i in reversed(self.all) for file in i.files}
            self._tops = {(i.site, top): i for i in reversed(self.all) if not i.files for top in i.tops}
        if module.path in self._owners:
            return self._owners[module.path]
        site = next((s for s in self.sites if module.path.is_relative_to(s)), None)
        return self._tops.get((site, module.name.partition(".")[0])) if site else None

    def providers(self, group: str) -> dict[Installed, tuple[str, ...]]:
        return {i: i.entry_points[group] for i in self.all if group in i.entry_points}


def _identity(folder: Path) -> tuple[str, str]:
    """Name (normalised) and version from METADATA or PKG-INFO."""
    name = version = ""
    for line in _headers(folder).splitlines():
        key, _, value = line.partition(":")
        if key.lower() == "name":
            name = re.sub(r"[-_.]+", "-", value.strip()).lower()
        elif key.lower() == "version":
            version = value.strip()
    return name, version


def metadata_file(folder: Path) -> Path | None:
    """The file with a distribution's headers; an .egg-info may be that file itself."""
    return next((f for f in (folder / "METADATA", folder / "PKG-INFO", folder) if f.is_file()), None)


def _headers(folder: Path) -> str:
    file = metadata_file(folder)
    return file.read_text(encoding="utf-8", errors="replace").split("\n\n", 1)[0] if file else ""


def add(walk: Walk) -> None:
    """Add the distributions of kept modules to the graph, and the modules behind entry points that kept code asks
    for."""
    environment = Environment(walk.source.python.site)
    outside = {n: s for n, s in walk.scanned.items() if walk.graph.nodes[f"module:{n}"]["node"].layer != "interpreter"}
    for name, scanned in outside.items():
        module: Module = walk.graph.nodes[f"module:{name}"]["node"]
        for group in sorted(scanned.groups):
            for installed, modules in environment.providers(group).items():
                evidence = (f"{installed.distribution.folder}/entry_points.txt",)
                edge = Edge(EdgeKind.IMPORTS, True, True, "hook", evidence)
                for target in modules:
                    if walk.finder.find(target):
                        walk.want(module, target, edge)
    walk.run()
    for module in list(walk.loaded()):
        if module.layer == "dependencies" and (owner := environment.owner(module)):
            node = owner.distribution
            if node.id not in walk.graph:
                walk.graph.add_node(node.id, node=node)
            walk.graph.add_edge(node.id, module.id, edge=Edge(EdgeKind.CONTAINS))


def metadata(walk: Walk) -> list[DataFile]:
    """The metadata of the kept distributions, if anything kept reads such."""
    nodes = walk.graph.nodes
    readers = [n for n, s in walk.scanned.items() if s.metadata]
    if not any(nodes[f"module:{n}"]["node"].layer != "interpreter" for n in readers):
        return []
    found = []
    for name in sorted(nodes):
        node = nodes[name]["node"]
        if isinstance(node, Distribution):
            files = [node.folder / n for n in ("METADATA", "PKG-INFO", "entry_points.txt", "top_level.txt")]
            for file in [f for f in files if f.is_file()] or [node.folder]:
                if file.is_file():
                    name = node.folder.name if file == node.folder else f"{node.folder.name}/{file.name}"
                    guest = f"{walk.source.python.guest_site}/{name}"
                    found.append(DataFile(file, guest, "dependencies", f"metadata of {node.name}"))
    return found
