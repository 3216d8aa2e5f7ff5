"""docs/conformance.md from two sides' results."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from tests.conformance import modules
from tests.conformance.results import Module, Results
from tests.conformance.verdicts import Compared, Difference, changed, compare

HEAD = """# Conformance

CPython's own regression tests, run in a guest and on the Linux host by the same program with the same interpreter
(CPython {version}). Made by `python -m tests.conformance report` from what `python -m tests.conformance run` found; do
not edit. Resources that need a network, much time or much memory are off on both sides, as in a plain `python -m test`.

| | |
|---|---|
| modules run on both sides | {modules} |
| cases that pass on the host | {host} |
| of these, cases that need another process | {excluded} |
| the rest | {counted} |
| of the rest, pass in the guest | {passed} ({ratio:.2f} %) |
| modules not run, with the reason below | {left} |

## Modules
Pass, fail and skip on each side; `counted` are the cases that pass on the host and do not need another process.

| module | host | guest | counted | pass in the guest |
|---|---|---|---|---|
"""


def write(version: str, host: Results, guest: Results, frozen: Results, left: dict[str, str]) -> str:
    found = compare(host, guest)
    counted, passed = sum(one.counted for one in found), sum(one.passed for one in found)
    text = HEAD.format(
        version=version,
        modules=len(found),
        host=sum(one.host.count("pass") for one in found),
        excluded=sum(len(one.excluded) for one in found),
        counted=counted,
        passed=passed,
        ratio=100 * passed / max(counted, 1),
        left=len(left),
    )
    sections = (_rows(found), _differences(found), _excluded(found), _frozen(guest, frozen), _left(left))
    return text + "\n".join(line for section in sections for line in section) + "\n"


def _rows(found: list[Compared]) -> Iterator[str]:
    for one in found:
        yield f"| {one.name} | {_counts(one.host)} | {_counts(one.guest)} | {one.counted} | {one.passed} |"


def _counts(module: Module) -> str:
    bad = module.count("fail", "hang", "crash")
    counts = f"{module.count('pass')} / {bad} / {module.count('skip')}"
    return counts if module.end == "ran" else f"{counts} ({_plain(module.end.strip().splitlines()[0][:80])})"


def _differences(found: list[Compared]) -> Iterator[str]:
    yield "\n## Differences\nCases that pass on the host and not in the guest, with what the guest said.\n"
    for one in found:
        if one.failures:
            yield f"- **{one.name}**"
            for reason, cases in _grouped(one.failures).items():
                yield f"  - {cases}: {_plain(reason)}"


def _grouped(differences: list[Difference]) -> dict[str, str]:
    """Cases by what is said of them."""
    by_reason: dict[str, list[str]] = defaultdict(list)
    for one in differences:
        said = f"{one.verdict}: {one.reason}" if one.verdict != "fail" else one.reason
        known = modules.reason(f"{one.module}.{one.case}", modules.KNOWN)
        by_reason[f"{known} ({said})" if known else said].append(one.case)
    return {reason: ", ".join(f"`{case}`" for case in cases) for reason, cases in by_reason.items()}


def _excluded(found: list[Compared]) -> Iterator[str]:
    yield "\n## Cases that do not count"
    reasons: dict[str, list[Difference]] = defaultdict(list)
    for one in found:
        for case in one.excluded:
            reasons[str(case.excluded)].append(case)
    for reason, cases in reasons.items():
        yield f"\n{reason}\n"
        by_module: dict[str, list[str]] = defaultdict(list)
        for case in cases:
            by_module[case.module].append(f"`{case.case}`")
        for module, names in by_module.items():
            yield f"- **{module}** ({len(names)}): {', '.join(names)}"


def _frozen(cold: Results, frozen: Results) -> Iterator[str]:
    both = cold.modules.keys() & frozen.modules.keys()
    found = changed(cold, frozen)
    cases = sum(len(frozen.modules[name].cases) for name in both)
    yield "\n## Frozen\n"
    yield "The same in a frozen guest (docs/freeze.md), which imports common modules before the freeze, tests after it:"
    yield f"{len(both)} modules, {cases} cases, {len(found)} with another verdict than in a cold guest."
    yield f"Modules: {', '.join(sorted(both))}."
    if found:
        yield ""
        yield from (f"- `{one.module}.{one.case}`: {_plain(one.reason)}" for one in found)


def _left(left: dict[str, str]) -> Iterator[str]:
    yield "\n## Modules that are not run\n"
    reasons: dict[str, list[str]] = defaultdict(list)
    for name, why in left.items():
        reasons[why].append(name)
    for why, names in reasons.items():
        yield f"- It {why}: {', '.join(names)}."


def _plain(text: str) -> str:
    """Text that means nothing to Markdown."""
    return text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*").replace("_", "\\_")
