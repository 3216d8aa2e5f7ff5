"""What differs between two images, or two lock files: what came, what went, what changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unikit.analysis import lock
from unikit.image.inventory import GROUPS, Inventory, Item
from unikit.questions.subject import Subject

# Kinds in the order in which they are told, and their title.
KINDS = {
    "distribution": "Distributions", "package": "Debian packages", "module": "Modules", "library": "Libraries",
    "file": "Files", "lwip": "lwIP", "zstd": "Zstandard", "lz4": "LZ4", "component": "Kernel components",
    "driver": "Drivers", "call": "System calls", "missing": "Missing names",
}  # fmt: skip
LOCKED = ("commands", "modules", "files", "calls")


@dataclass(frozen=True)
class Change:
    """A thing on both sides, one of them, and what is different about it. Sizes are in bytes, None where it is not."""

    name: str
    before: int | None
    after: int | None
    what: tuple[str, ...] = ()  # `1.0 -> 1.1`, `other content`

    @property
    def growth(self) -> int:
        return (self.after or 0) - (self.before or 0)


@dataclass(frozen=True)
class Difference:
    """By kind: what came, went and changed, each sorted by how much it weighs. `totals` are bytes before and after;
    `settings` are members of the manifest that differ."""

    came: Mapping[str, tuple[Change, ...]]
    went: Mapping[str, tuple[Change, ...]]
    changed: Mapping[str, tuple[Change, ...]]
    totals: tuple[tuple[str, int, int], ...] = ()
    settings: tuple[tuple[str, str, str], ...] = ()

    @property
    def nothing(self) -> bool:
        return not any((*self.came.values(), *self.went.values(), *self.changed.values(), self.settings))


def images(old: Subject, new: Subject) -> Difference:
    """Two images. Content counts: a file of the same size with other bytes has changed."""
    kinds: dict[str, tuple[dict[str, Item], dict[str, Item]]] = {}
    for kind in KINDS:
        kinds[kind] = tuple({i.id: i for i in s.inventory.items(kind)} for s in (old, new))  # type: ignore[assignment]
    came, went, changed = {}, {}, {}
    for kind, (before, after) in kinds.items():
        fresh, lost = after.keys() - before.keys(), before.keys() - after.keys()
        came[kind] = _ordered(Change(after[n].name, None, _size(new.inventory, after[n])) for n in fresh)
        went[kind] = _ordered(Change(before[n].name, _size(old.inventory, before[n]), None) for n in lost)
        both = (_compare(old, item, new, after[node]) for node, item in before.items() if node in after)
        changed[kind] = _ordered(change for change in both if change is not None)
    return Difference(came, went, changed, _totals(old, new), _settings(old, new))


def _compare(old: Subject, before: Item, new: Subject, after: Item) -> Change | None:
    words = []
    for key in ("version", "build_id", "licence", "number"):
        one, two = before.detail.get(key, ""), after.detail.get(key, "")
        if one != two:
            short = 16 if key == "build_id" else None
            words.append(f"{'' if key == 'version' else key.replace('_', ' ') + ' '}{one[:short]} -> {two[:short]}")
    sizes = _size(old.inventory, before), _size(new.inventory, after)
    if not words and sizes[0] == sizes[1] and before.files and _contents(old, before) != _contents(new, after):
        words.append("other content")
    if not words and sizes[0] == sizes[1]:
        return None
    return Change(before.name, *sizes, tuple(words))


def _size(inventory: Inventory, item: Item) -> int:
    """Bytes; of a distribution or package, of all that belongs to it."""
    if item.kind not in GROUPS:
        return item.size
    return sum(other.size for other in inventory.items() if other.owner == item.id)


def _contents(subject: Subject, item: Item) -> list[bytes]:
    return [bytes(subject.files[path].content) for path in item.files if path in subject.files]


def _ordered(changes: Iterable[Change]) -> tuple[Change, ...]:
    return tuple(sorted(changes, key=lambda change: (-abs(change.growth), change.name)))


def _totals(old: Subject, new: Subject) -> tuple[tuple[str, int, int], ...]:
    layers: dict[str, list[int]] = {"image": [old.size, new.size]}
    for side, subject in enumerate((old, new)):
        for item in subject.inventory.items():
            if item.layer:
                layers.setdefault(item.layer, [0, 0])[side] += item.size
    return tuple((name, before, after) for name, (before, after) in layers.items())


SETTINGS = ("name", "entry", "interpreter", "ports", "memory", "network", "frozen", "unikit")


def _settings(old: Subject, new: Subject) -> tuple[tuple[str, str, str], ...]:
    pairs = ((name, *(str(getattr(s.image.manifest, name)) for s in (old, new))) for name in SETTINGS)
    return tuple((name, before, after) for name, before, after in pairs if before != after)


def locks(old: Path, new: Path) -> Difference:
    """Two lock files: the modules, files, calls and commands of every application in them. Raises UserError (LOCK)."""
    sides: list[dict[str, tuple[str, ...]]] = []
    for file in (old, new):
        tables = lock.read(file)
        sides.append({f"{name}: {kind}": getattr(t, kind) for name, t in tables.items() for kind in LOCKED})
    return names(*sides)


def is_lock(path: Path) -> bool:
    """Whether a file is a lock file, by its name or by how it begins."""
    try:
        with path.open("rb") as file:
            return path.suffix == ".lock" or file.read(len(lock.HEAD)) == lock.HEAD.encode()
    except OSError:
        return False


def names(old: Mapping[str, Iterable[str]], new: Mapping[str, Iterable[str]]) -> Difference:
    """Two sets of names by kind, as lock files have them."""
    came, went = {}, {}
    for kind in dict.fromkeys((*old, *new)):
        before, after = set(old.get(kind, ())), set(new.get(kind, ()))
        came[kind] = tuple(Change(name, None, 0) for name in sorted(after - before))
        went[kind] = tuple(Change(name, 0, None) for name in sorted(before - after))
    return Difference(came, went, {})


def jsonable(found: Difference) -> dict[str, Any]:
    def listed(changes: Mapping[str, tuple[Change, ...]]) -> dict[str, list[dict[str, Any]]]:
        return {
            kind: [{"name": c.name, "before": c.before, "after": c.after, "what": list(c.what)} for c in members]
            for kind, members in changes.items()
            if members
        }

    return {
        "totals": {name: {"before": before, "after": after} for name, before, after in found.totals},
        "settings": {name: {"before": before, "after": after} for name, before, after in found.settings},
        "came": listed(found.came),
        "went": listed(found.went),
        "changed": listed(found.changed),
    }
