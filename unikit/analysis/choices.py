"""Which imports are not followed: what `unikit/hooks` says of the standard library, of heavy optional modules, and of
packages that others could use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from unikit.hooks import optional, packages, stdlib
from unikit.model import Edge, Module

if TYPE_CHECKING:
    from unikit.analysis.walk import Walk


def rule_of(name: str) -> optional.Optional | None:
    """The rule for a heavy module, if it is one."""
    return next((r for r in optional.RULES if name in r.modules), None)


class Choices:
    """The imports of a walk that were not followed so far. Some are after all, when more is known (`wake`)."""

    def __init__(self, walk: Walk) -> None:
        self.walk = walk
        self._deferred: list[tuple[optional.Optional, Module, str, Edge]] = []
        self._undeclared: list[tuple[Module, str, Edge]] = []
        self._active: set[str] = set()

    def leave_out(self, importer: Module, name: str, edge: Edge) -> bool:
        """Whether an import is not followed, for now or for good."""
        if self._is_cut(importer, name, edge):
            return True
        if rule := self._optional(importer, name, edge):
            self._deferred.append((rule, importer, name, edge))
            return True
        if self._is_undeclared(importer, name, edge):
            self._undeclared.append((importer, name, edge))
            return True
        return False

    def dropped(self) -> list[tuple[str, str]]:
        """The optional modules that were left out, and what they are for."""
        heavy = {(n, r.why) for r, _, n, _ in self._deferred if not self.walk.has(n)}
        others = {(n.partition(".")[0], f"an option of {m.name.partition('.')[0]}") for m, n, _ in self._undeclared}
        return sorted(heavy | others)

    def _is_cut(self, importer: Module, name: str, edge: Edge) -> bool:
        own, top = importer.name.partition(".")[0], name.partition(".")[0]
        if importer.layer != "interpreter":
            cuts = [cut for user, cut in packages.CUT if user == importer.name]
            return edge.lazy and any(name == cut or name.startswith(f"{cut}.") for cut in cuts)
        if {(importer.name, top), (importer.name, name)} & stdlib.CUT:
            return True
        if name in stdlib.FALLBACKS and (edge.conditional or edge.lazy):
            return self.walk.finder.find(stdlib.FALLBACKS[name]) is not None
        return edge.lazy and top in stdlib.TOOLS and own != top and edge.origin == "static"

    def _optional(self, importer: Module, name: str, edge: Edge) -> optional.Optional | None:
        """The rule by which this import is not followed for now."""
        rule = rule_of(name)
        if rule is None or rule.why in self._active or edge.origin == "setting":
            return None
        if importer.layer == "interpreter" and importer.name not in rule.modules:
            return rule if edge.conditional or edge.lazy else None
        return rule if edge.conditional and any(importer.name == m for m, _ in rule.options) else None

    def _is_undeclared(self, importer: Module, name: str, edge: Edge) -> bool:
        """Whether a package can make use of another one that it does not require, not even for an extra, and that
        nothing else uses: it is there for somebody else, and the importer does without."""
        top = name.partition(".")[0]
        if importer.layer != "dependencies" or edge.origin != "static" or not (edge.conditional or edge.lazy):
            return False
        if top == importer.name.partition(".")[0] or self.walk.has(top):
            return False
        target = self.walk.finder.find(top)
        if target is None or target.layer != "dependencies":
            return False
        return top in packages.DEVELOPMENT or not self.walk.installed.declares(importer, target)

    def wake(self) -> bool:
        """Follow the deferred imports of rules whose condition has come true; whether there were any."""
        woken = False
        for rule in optional.RULES:
            if rule.why in self._active or not self._is_used(rule):
                continue
            self._active.add(rule.why)
            mine = [d for d in self._deferred if d[0] is rule]
            self._deferred = [d for d in self._deferred if d[0] is not rule]
            for _, importer, name, edge in mine:
                self.walk.want(importer, name, edge)
                woken = True
        undeclared, self._undeclared = self._undeclared, []
        for importer, name, edge in undeclared:
            if self.walk.has(name.partition(".")[0]):
                self.walk.want(importer, name, edge)
                woken = True
            else:
                self._undeclared.append((importer, name, edge))
        return woken

    def _is_used(self, rule: optional.Optional) -> bool:
        if any(self.walk.has(m) for m in rule.modules) or (rule.modules == ("_hashlib",) and self.walk.has("ssl")):
            return True
        options = dict(rule.options)
        for name, scanned in self.walk.scanned.items():
            module: Module = self.walk.graph.nodes[f"module:{name}"]["node"]
            if module.layer == "interpreter":
                continue
            wanted = rule.app_words if module.layer == "app" else rule.package_words
            words = scanned.words | self.walk.star_words.get(name, set())
            if name not in options and any(wanted.search(w) for w in words):
                return True
            if module.layer != "app" and name.partition(".")[0] in {o.partition(".")[0] for o in options}:
                continue  # these offer the option to others
            for owner, pattern in options.items():
                if self.walk.has(owner) and any(pattern.search(w) for w in scanned.words):
                    return True
        return any(self._importers_outside_stdlib(user) for user in rule.users if self.walk.has(user))

    def _importers_outside_stdlib(self, name: str) -> bool:
        nodes = (self.walk.graph.nodes[n]["node"] for n in self.walk.graph.predecessors(f"module:{name}"))
        return any(isinstance(n, Module) and n.layer != "interpreter" for n in nodes)
