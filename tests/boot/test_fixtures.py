"""The fixtures that unikit's pytest plugin gives to tests of images, as docs/testing.md shows them."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from unikit.image.image import Image
from unikit.testing.guest import Guest, GuestFailed

WEB = Path(__file__).resolve().parents[2] / "examples/web"
HELLO = WEB.parent / "hello/hello.py"


def test_a_service(unikit_guest: Callable[..., Guest]) -> None:
    guest = unikit_guest(WEB, ports=[8080], memory=96)
    guest.wait_listening(8080)
    with urllib.request.urlopen(f"http://127.0.0.1:{guest.port(8080)}/", timeout=60) as answer:
        assert json.load(answer)["hello"] == "from a unikernel"
    used = guest.memory()
    assert 0 < used["free"] < used["total"] <= 96 << 20
    assert guest.stop() == 0  # SIGTERM: it closes its connections and ends


def test_an_image_for_many_boots(
    unikit_image: Callable[..., Image], unikit_guest: Callable[..., Guest], tmp_path: Path
) -> None:
    script = tmp_path / "status.py"
    script.write_text("import os, sys\nprint(os.environ['WORD'])\nsys.exit(int(sys.argv[1]))\n")
    image = unikit_image(script)
    for status in (0, 7):
        result = unikit_guest(image, arguments=[str(status)], environment={"WORD": "said"}).wait()
        assert result.status == status and result.console == "said\n"
        assert result.log.phases.keys() >= {"early", "exec"}


def test_a_folder_of_the_host(unikit_guest: Callable[..., Guest], tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "data").mkdir()
    (tmp_path / "app/write.py").write_text("open('/data/note', 'w').write('kept')")
    assert unikit_guest(tmp_path / "app/write.py", volumes=[f"{tmp_path}/data:/data"]).wait().status == 0
    assert (tmp_path / "data/note").read_text() == "kept"


def test_waiting_for_what_does_not_come(unikit_guest: Callable[..., Guest]) -> None:
    guest = unikit_guest(HELLO)
    with pytest.raises(GuestFailed, match=r"did not listen on port 80 .*ended with 0"):
        guest.wait_listening(80)
    assert guest.wait().status == 0 and guest.verdict() == ["The application ended with status 0."]
