"""What a side's runs found, kept in the cache, so that a long series goes on where it was stopped."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.conformance.sides import Side
from unikit import cache

GROUP = 8  # modules a run
MOST_TRIES = 6  # cases of one module that may end the program before the rest of it is given up
BROKEN = ("hang", "crash")


@dataclass
class Case:
    verdict: str  # pass, fail, skip, hang, crash
    reason: str = ""
    seconds: float = 0.0


@dataclass
class Module:
    """`end`: "ran", or why it did not run to its end."""

    end: str = ""
    seconds: float = 0.0
    cases: dict[str, Case] = field(default_factory=dict)

    def count(self, *verdicts: str) -> int:
        return sum(case.verdict in verdicts for case in self.cases.values())


class Results:
    """One side's modules, written after each run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.modules: dict[str, Module] = {}
        if self.path.is_file():
            for key, value in json.loads(self.path.read_text()).items():
                cases = {case: Case(**known) for case, known in value.pop("cases").items()}
                self.modules[key] = Module(**value, cases=cases)

    def save(self) -> None:
        text = json.dumps({name: asdict(module) for name, module in sorted(self.modules.items())})
        cache.store(self.path, text.encode())


@dataclass
class Run:
    """One run of a group: takes the program's messages."""

    found: dict[str, Module]
    module: str | None = None
    case: str | None = None

    def hear(self, message: dict[str, Any]) -> None:
        if "begin" in message:
            self.module, self.case = str(message["begin"]), message.get("case")
            if self.case is None:
                self.found[self.module] = Module()
        elif "case" in message:
            self.found[message["module"]].cases[message["case"]] = Case(
                message["verdict"], message["reason"], message["seconds"]
            )
            self.case = None
        elif "end" in message:
            module = self.found[message["module"]]
            module.end, module.seconds = message["end"], message["seconds"]
            self.module = self.case = None


def run(side: Side, names: list[str], results: Results, say: Callable[[str], None] = print, group: int = GROUP) -> None:
    """Run modules in groups. What ends the program costs the case that was running: the module runs again without."""
    waiting, broken = list(names), dict[str, dict[str, Case]]()
    while waiting:
        together = waiting[:group]
        found: dict[str, Module] = {}
        going = Run(found)
        skip = [*side.left, *(case for name in together for case in broken.get(name, {}))]
        words = side.go({"modules": together, "skip": skip}, going.hear)
        name, again = going.module, False
        if words and name is None and not any(module.end for module in found.values()):
            raise SystemExit(f"error: the {side.name} ran none of {', '.join(together)}: {words}")
        if words and name is not None:
            kind = "hang" if "Timeout (" in words or "still running" in words else "crash"
            if going.case is not None and len(broken.setdefault(name, {})) < MOST_TRIES:
                broken[name][going.case] = Case(kind, words)
                again = True
            else:
                found[name].end = f"{kind}: {words}"
                if going.case is not None:
                    found[name].cases[going.case] = Case(kind, words)
        for done, module in found.items():
            if module.end:
                module.cases.update(broken.get(done, {}))
                results.modules[done] = module
                waiting.remove(done)
                results.save()
                bad = module.count("fail", *BROKEN)
                say(f"{side.name} {done}: {module.count('pass')} pass, {bad} fail, {module.count('skip')} skip, "
                    f"{module.seconds:.0f} s{'' if module.end == 'ran' else ' - ' + module.end[:200]}")  # fmt: skip
        if again:
            say(f"{side.name} {name}: {going.case} ended the run ({list(broken[str(name)].values())[-1].verdict})")
