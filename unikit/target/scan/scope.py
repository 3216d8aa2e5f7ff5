"""What runs together, and what it uses."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


class Scope:
    """What runs together: the statements of the module itself, a function, a plain table."""

    def __init__(self, keys: Iterable[str] = ()) -> None:
        self.keys = list(keys)
        self.imports: list[list[Any]] = []
        self.chains: set[tuple[str, str]] = set()
        self.taken: set[tuple[str, str]] = set()
        self.codecs: set[str] = set()
        self.groups: set[str] = set()
        self.names: set[str] = set()
        self.calls: set[tuple[int, str, str, bool]] = set()
        self.computed = self.text = False
        self.computed_imports: set[str] = set()

    def result(self, bound: dict[str, set[str]]) -> dict[str, Any]:
        names, chains = set(self.names), set[str]()
        for name, rest in self.chains:
            for origin in bound.get(name, ()):
                chains.add(f"{origin}.{rest}" if rest else origin)
            if name not in bound:
                names.add(f"~{name}")
                names.update(f".{part}" for part in rest.split(".") if part)
        names.update(f"={origin}.{rest}" for name, rest in self.taken if rest for origin in bound.get(name, ()))
        calls = {
            (line, f"{origin}.{rest}" if rest else origin, now)
            for line, name, rest, now in self.calls
            for origin in bound.get(name, ())
        }
        return {
            "keys": self.keys,
            "imports": self.imports,
            "chains": sorted(chains),
            "codecs": sorted(self.codecs),
            "computed": self.computed,
            "groups": sorted(self.groups),
            "computed_imports": sorted(self.computed_imports),
            "names": " ".join(sorted(names)),
            "text": self.text,
            "calls": sorted(calls),
        }
