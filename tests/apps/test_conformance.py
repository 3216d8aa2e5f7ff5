"""The telling modules of CPython's own tests in a guest: what passes on the host passes here (docs/conformance.md).

Only what fails in the guest runs on the host too, and once more in a guest of its own: a machine under load is no
difference.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conformance import image, modules
from tests.conformance.results import Module, Results, run
from tests.conformance.sides import GuestSide, HostSide
from tests.conformance.verdicts import Difference, changed, compare
from tests.images import SYSTEM_PYTHON
from unikit.analysis import interpreter


def suspects(found: Results) -> list[str]:
    """The modules with a case that neither passes, nor is skipped on purpose, nor needs another process."""
    return sorted(name for name, module in found.modules.items() if module.end != "ran" or dubious(name, module))


def dubious(name: str, module: Module) -> bool:
    return any(
        case.verdict not in ("pass", "skip") and not case.reason.startswith("[process]") and not allowed(name, key)
        for key, case in module.cases.items()
    )


def allowed(name: str, case: str) -> bool:
    short = f"{name}.{case.removeprefix(f'test.{name}.')}"
    return bool(modules.reason(short, modules.CASES) or modules.reason(short, modules.KNOWN))


def unexplained(host: Results, guest: Results) -> list[Difference]:
    return [d for one in compare(host, guest) for d in one.failures if not allowed(d.module, d.case)]


@pytest.fixture(scope="module")
def cold(tmp_path_factory: pytest.TempPathFactory) -> tuple[GuestSide, Results]:
    """The telling modules in a cold guest."""
    folder = tmp_path_factory.mktemp("cold")
    image.testsuite(interpreter.probe(SYSTEM_PYTHON))
    side = GuestSide("guest", 120, 600, folder / "guest.log", image.build(SYSTEM_PYTHON))
    found = Results(folder / "guest.json")
    run(side, list(modules.TELLING), found, group=len(modules.TELLING))
    return side, found


@pytest.mark.timeout(900)
def test_what_passes_on_the_host_passes_in_the_guest(cold: tuple[GuestSide, Results], tmp_path: Path) -> None:
    guest_side, guest = cold
    assert set(guest.modules) == set(modules.TELLING)
    passed = sum(module.count("pass") for module in guest.modules.values())
    assert passed > 1500, f"only {passed} cases pass"
    if doubtful := suspects(guest):
        host = Results(tmp_path / "host.json")
        run(HostSide("host", 120, 300, tmp_path / "host.log", SYSTEM_PYTHON), doubtful, host, group=1)
        if unexplained(host, guest):
            run(guest_side, doubtful, guest, group=1)
        assert unexplained(host, guest) == []


@pytest.mark.timeout(900)
def test_a_frozen_guest_comes_to_the_same_verdicts(cold: tuple[GuestSide, Results], tmp_path: Path) -> None:
    """What differs runs once more on both sides, alone."""
    cold_side, before = cold
    side = GuestSide("frozen", 120, 600, tmp_path / "frozen.log", image.build(SYSTEM_PYTHON, freeze=True))
    assert side.image.manifest.frozen
    frozen = Results(tmp_path / "frozen.json")
    run(side, list(modules.FROZEN), frozen, group=len(modules.FROZEN))
    assert set(frozen.modules) == set(modules.FROZEN)
    if differing := sorted({one.module for one in changed(before, frozen)}):
        run(side, differing, frozen, group=1)
    if differing := sorted({one.module for one in changed(before, frozen)}):
        run(cold_side, differing, before, group=1)
    assert changed(before, frozen) == []
