"""The distributions that an interpreter has installed (core metadata, RECORD and entry points, as packaging.python.org
specifies them)."""

from __future__ import annotations

import configparser
import csv
import email.parser
import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from unikit.model import Distribution, Module

LICENCE_LENGTH = 80  # more is the licence itself


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
    def requirements(self) -> frozenset[str]:
        """The names of the distributions that it requires, those of extras too."""
        lines = [h for h in _headers(self.distribution.folder).splitlines() if h.lower().startswith("requires-dist:")]
        names = (re.match(r"\s*([\w.-]+)", h.partition(":")[2]) for h in lines)
        return frozenset(_normal(n[1]) for n in names if n)

    @cached_property
    def needed(self) -> frozenset[str]:
        """The names of the distributions that it cannot do without."""
        lines = [h for h in _headers(self.distribution.folder).splitlines() if h.lower().startswith("requires-dist:")]
        names = (re.match(r"\s*([\w.-]+)", h.partition(":")[2]) for h in lines if not re.search(r"\bextra\s*==", h))
        return frozenset(_normal(n[1]) for n in names if n)

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

    def declares(self, user: Module, target: Module) -> bool:
        """Whether the distribution of `user` names that of `target` as a requirement, be it of an extra. What
        belongs to no distribution is taken for declared."""
        mine, other = self.owner(user), self.owner(target)
        if mine is None or other is None or mine is other:
            return True
        return other.distribution.name in mine.requirements

    def providers(self, group: str) -> dict[Installed, tuple[str, ...]]:
        return {i: i.entry_points[group] for i in self.all if group in i.entry_points}


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _identity(folder: Path) -> tuple[str, str]:
    """Name (normalised) and version from METADATA or PKG-INFO."""
    name = version = ""
    for line in _headers(folder).splitlines():
        key, _, value = line.partition(":")
        if key.lower() == "name":
            name = _normal(value.strip())
        elif key.lower() == "version":
            version = value.strip()
    return name, version


def licence(distribution: Distribution) -> str:
    """An SPDX expression or the words of its metadata: License-Expression, else License if it is short, else the
    classifiers' (core metadata 2.4)."""
    headers = email.parser.HeaderParser().parsestr(_headers(distribution.folder))
    words = headers.get("License-Expression") or headers.get("License", "").strip()
    if words and len(words) <= LICENCE_LENGTH and "\n" not in words and words.upper() != "UNKNOWN":
        return str(words)
    classifiers = [c.rpartition(" :: ")[2] for c in headers.get_all("Classifier", []) if c.startswith("License ::")]
    return ", ".join(classifiers)


def metadata_file(folder: Path) -> Path | None:
    """The file with a distribution's headers; an .egg-info may be that file itself."""
    return next((f for f in (folder / "METADATA", folder / "PKG-INFO", folder) if f.is_file()), None)


def _headers(folder: Path) -> str:
    file = metadata_file(folder)
    return file.read_text(encoding="utf-8", errors="replace").split("\n\n", 1)[0] if file else ""
