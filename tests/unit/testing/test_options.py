"""What the plugin's own options say, and how wrong ones are told."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from unikit.testing import options

CLEAN = {"unikit_memory": None, "unikit_port": [], "unikit_machine": None, "unikit_accel": "auto"}


def boot(tmp_path: Path, **given: Any) -> dict[str, Any]:
    image = tmp_path / "image"
    image.write_bytes(bytes(3 << 20))
    return options.boot(SimpleNamespace(**{**CLEAN, **given}), SimpleNamespace(path=image))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "memory"), [(None, 3 + options.MEMORY), ("512", 512), ("96M", 96), ("2 GiB", 2048), ("1g", 1024)]
)
def test_memory_is_what_the_command_line_takes(text: str | None, memory: int, tmp_path: Path) -> None:
    assert boot(tmp_path, unikit_memory=text)["memory"] == memory


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"unikit_memory": "much"}, "--unikit-memory: 'much' is no size. Sizes are"),
        ({"unikit_memory": "0"}, "--unikit-memory: '0' is no size."),
        ({"unikit_port": ["80:"]}, "--unikit-port: '80:' is no port."),
    ],
)
def test_what_is_no_value_is_told_with_the_option(given: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(pytest.UsageError) as caught:
        boot(tmp_path, **given)
    assert str(caught.value).startswith(said)
