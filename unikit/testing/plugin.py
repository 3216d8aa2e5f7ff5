"""The pytest plugin of unikit (entry point `pytest11`): `--unikit` runs the tests in a guest, and fixtures boot images
for tests on the host. docs/testing.md.

Every pytest of an environment with unikit in it loads this file, so it imports nothing before it is asked to.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from unikit.image.image import Image
    from unikit.testing.guest import Guest


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("unikit", "tests in a unikernel")
    add = group.addoption
    add("--unikit", action="store_true", help="Run the tests inside a unikernel built of them and what they test.")
    add("--unikit-freeze", "--freeze", action="store_true", dest="unikit_freeze",
        help="With --unikit: collect once, when the image is made, and boot what was in memory then.")  # fmt: skip
    add("--unikit-memory", metavar="SIZE", help="Memory of the guest: MiB, or with a unit (512M, 2G).")
    add("--unikit-port", metavar="HOST:GUEST", action="append", default=[],
        help="Lead a port of this host into the guest; may be repeated.")  # fmt: skip
    add("--unikit-env", metavar="KEY[=VALUE]", action="append", default=[],
        help="Set an environment variable in the guest, without a value to this host's; may be repeated.")  # fmt: skip
    add("--unikit-argument", metavar="ARGUMENT", action="append", default=[],
        help="A further argument of pytest in the guest (--unikit-argument=--url=X); may be repeated.")  # fmt: skip
    add("--unikit-file", metavar="PATH", action="append", default=[],
        help="A further file or folder that the tests read, beside the project's own; may be repeated.")  # fmt: skip
    add("--unikit-timeout", metavar="SECONDS", type=float, default=600.0,
        help="A test that takes longer fails, with the stacks of its threads (default 600; 0: no limit).")  # fmt: skip
    add("--unikit-machine", metavar="NAME", default=None, help="The machine profile: microvm, q35, pc.")
    add("--unikit-accel", choices=["auto", "kvm", "tcg"], default="auto", help="How QEMU runs the guest.")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--unikit"):
        from unikit.testing.remote import Remote

        config.pluginmanager.register(Remote(config), "unikit-remote")
    elif config.getoption("unikit_freeze"):
        raise pytest.UsageError("--freeze is about the guest of --unikit: give both")


@pytest.fixture(scope="session")
def unikit_image() -> Callable[..., Image]:
    """Builds images: `unikit_image(APP)`, APP as for `unikit build`; `python=` names the interpreter."""
    from unikit.testing import guest

    return guest.build


@pytest.fixture
def unikit_guest(unikit_image: Callable[..., Image]) -> Iterator[Callable[..., Guest]]:
    """Boots guests that end with the test: `unikit_guest(APP or Image, ports=[8080], memory=96, ...)`.

    The options are those of `unikit.testing.guest.boot`; what comes back is a `Guest`.
    """
    from unikit.image.image import Image
    from unikit.testing import guest

    with contextlib.ExitStack() as stack:

        def boot(app: Any, *, python: str | None = None, **options: Any) -> Guest:
            image = app if isinstance(app, Image) else unikit_image(app, python)
            return stack.enter_context(guest.boot(image, **options))

        yield boot
