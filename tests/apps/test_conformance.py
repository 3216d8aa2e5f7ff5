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
from tests.conformance.verdicts import Difference, compare
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


@pytest.mark.timeout(900)
def test_what_passes_on_the_host_passes_in_the_guest(tmp_path: Path) -> None:
    image.testsuite(interpreter.probe(SYSTEM_PYTHON))
    guest_side = GuestSide("guest", 120, 600, tmp_path / "guest.log", image.build(SYSTEM_PYTHON))
    guest = Results(tmp_path / "guest.json")
    run(guest_side, list(modules.TELLING), guest, group=len(modules.TELLING))
    assert set(guest.modules) == set(modules.TELLING)
    passed = sum(module.count("pass") for module in guest.modules.values())
    assert passed > 1500, f"only {passed} cases pass"
    if doubtful := suspects(guest):
        host = Results(tmp_path / "host.json")
        run(HostSide("host", 120, 300, tmp_path / "host.log", SYSTEM_PYTHON), doubtful, host, group=1)
        if unexplained(host, guest):
            run(guest_side, doubtful, guest, group=1)
        assert unexplained(host, guest) == []
