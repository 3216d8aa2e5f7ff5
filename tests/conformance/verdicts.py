"""What two sides' results say together: which cases count, and how those that count differ."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.conformance import modules
from tests.conformance.results import Case, Module, Results

PROCESS = "[process] "


@dataclass(frozen=True)
class Difference:
    """A case that passes on the host and not in the guest. `excluded`: why it does not count, or None."""

    module: str
    case: str
    verdict: str
    reason: str
    excluded: str | None


@dataclass
class Compared:
    """One module on both sides. `passed` of the `counted` cases, which pass on the host and need nothing else."""

    name: str
    host: Module
    guest: Module
    differences: list[Difference] = field(default_factory=list)

    @property
    def excluded(self) -> list[Difference]:
        return [d for d in self.differences if d.excluded]

    @property
    def failures(self) -> list[Difference]:
        return [d for d in self.differences if not d.excluded]

    @property
    def counted(self) -> int:
        return self.host.count("pass") - len(self.excluded)

    @property
    def passed(self) -> int:
        return self.counted - len(self.failures)


def compare(host: Results, guest: Results) -> list[Compared]:
    """The modules that ran on both sides."""
    found = []
    for name in sorted(host.modules.keys() & guest.modules.keys()):
        one = Compared(name, host.modules[name], guest.modules[name])
        one.differences += differences(one)
        found.append(one)
    return found


def differences(one: Compared) -> Iterator[Difference]:
    for name, case in one.host.cases.items():
        there = one.guest.cases.get(name)
        if case.verdict != "pass" or (there is not None and there.verdict == "pass"):
            continue
        short = name.removeprefix(f"test.{one.name}.")
        if there is None:
            there = Case("not run", one.guest.end if one.guest.end != "ran" else fixture(one.guest, name))
        why = modules.reason(f"{one.name}.{short}", modules.CASES)
        if there.reason.startswith(PROCESS):
            why = modules.PROCESS
        yield Difference(one.name, short, there.verdict, last_line(there.reason), why)


def fixture(module: Module, case: str) -> str:
    """What the class's or module's set-up said, because of which a case did not begin."""
    owner = case.rpartition(".")[0]
    for name, other in module.cases.items():
        if name.startswith(("setUpClass", "setUpModule")) and (owner in name or "setUpModule" in name):
            return other.reason
    return "it did not begin"


def last_line(reason: str) -> str:
    """The exception's own line."""
    lines = [line for line in reason.strip().splitlines() if line.strip(" ^~?")]
    if stop := [line for line in lines if line.startswith("Timeout (")]:
        return stop[0]
    tops = [line for line in lines if not line.startswith((" ", "Traceback", "During ", "The above ", "Thread 0x"))]
    return (tops or lines or [""])[-1].strip()[:160]


def changed(cold: Results, frozen: Results) -> list[Difference]:
    """The cases whose verdict is another in a frozen guest than in a cold one, with what the frozen one said."""
    found = []
    for name in sorted(cold.modules.keys() & frozen.modules.keys()):
        before, after = cold.modules[name], frozen.modules[name]
        for case in sorted(before.cases.keys() | after.cases.keys()):
            ours, theirs = after.cases.get(case, Case("not run", after.end)), before.cases.get(case, Case("not run"))
            if ours.verdict != theirs.verdict:
                said = f"{theirs.verdict} cold, {ours.verdict} frozen: {last_line(ours.reason)}"
                found.append(Difference(name, case.removeprefix(f"test.{name}."), ours.verdict, said, None))
        if before.end != after.end and "ran" in (before.end, after.end):
            found.append(Difference(name, "(module)", "not run", f"{before.end} cold, {after.end} frozen", None))
    return found
