"""`-v`, and folders that are not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from unikit.errors import ExitCode, UserError
from unikit.vm import machine, volumes
from unikit.vm.machine import Volume


def test_forms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = tmp_path / "with:colon"
    odd.mkdir()
    monkeypatch.chdir(tmp_path)
    assert volumes.parse(f"{tmp_path}:/data") == Volume(tmp_path, "/data")
    assert volumes.parse(f"{odd}:/data/:ro") == Volume(odd, "/data", read_only=True)
    assert volumes.parse(".:/var/lib/./app") == Volume(tmp_path, "/var/lib/app")
    assert volumes.parse("with:colon:/x:rw") == Volume(odd, "/x")


@pytest.mark.parametrize("text", ["", "x", "x:", ":/data", "x:data", "/data", "x:/data:rx"])
def test_nonsense(text: str) -> None:
    with pytest.raises(UserError, match="is no volume") as error:
        volumes.parse(text)
    assert error.value.code == ExitCode.USAGE


def test_a_folder_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not there") as error:
        volumes.parse(f"{tmp_path}/nothing:/data")
    assert error.value.code == ExitCode.CONFIGURATION and f"mkdir -p {tmp_path}/nothing" in str(error.value.hint)
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="is no folder"):
        volumes.parse(f"{tmp_path}/file:/data")


@pytest.mark.parametrize("place", ["/", "/usr", "/app/", "//proc", "/data/../dev"])
def test_what_the_guest_needs_is_not_hidden(tmp_path: Path, place: str) -> None:
    with pytest.raises(UserError, match="cannot appear as"):
        volumes.parse(f"{tmp_path}:{place}")


def test_two_folders_want_two_places(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    pair = [volumes.parse(f"{tmp_path}:/data"), volumes.parse(f"{tmp_path}/other:/data/")]
    with pytest.raises(UserError, match="Two folders would appear as /data"):
        volumes.check(pair)


def test_qemu_gets_a_device_and_the_guest_its_tag() -> None:
    one, two = Volume(Path("/a,b"), "/data"), Volume(Path("/c"), "/fixed", read_only=True)
    guest = machine.Guest(Path("image"), machine.load("q35"), 64, "tcg", "", 3, 4, 5, volumes=(one, two))
    line = machine.command("qemu", guest)
    assert "local,id=volume0,path=/a,,b,security_model=none,multidevs=remap" in line
    assert "local,id=volume1,path=/c,security_model=none,multidevs=remap,readonly=on" in line
    assert "virtio-9p-pci,fsdev=volume1,mount_tag=volume1,disable-legacy=on" in line
    assert machine.volume_tokens((one, two)) == [("volume", "volume0:/data"), ("volume", "volume1:/fixed:ro")]
