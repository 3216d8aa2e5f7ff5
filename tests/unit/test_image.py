"""The image: what is written, what is read back, what is refused."""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from tests.unit import elf
from unikit.errors import ExitCode, UserError
from unikit.image import image
from unikit.image.manifest import Manifest

MANIFEST = Manifest(
    unikit="0", name="app", entry="app.py", interpreter="CPython 3.11.2, glibc 2.36", ports=(80,), memory=64,
    kernel_build_id="ab", libraries=(("/lib/a.so", "cd"),), components=("boot/entry",), kernel_sha256="",
    root_sha256="", network=True,
)  # fmt: skip


def make(folder: Path, content: bytes = b"root" * 3000, more: dict[str, bytes] | None = None) -> image.Image:
    root = folder / "root"
    root.write_bytes(content)
    return image.make(elf.kernel(), root, MANIFEST, folder / "app.img", more)


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    made = make(tmp_path)
    assert image.read(made.path) == made
    assert made.manifest.libraries == (("/lib/a.so", "cd"),) and len(made.manifest.kernel_sha256) == 64


def test_the_root_is_the_last_segment_behind_the_kernel(tmp_path: Path) -> None:
    content = b"root" * 3000
    made = make(tmp_path, content)
    with made.path.open("rb") as stream:
        file = ELFFile(stream)
        last = list(file.iter_segments())[-1]
        assert last["p_type"] == "PT_LOAD" and last["p_paddr"] == 0x103000 and last["p_filesz"] % 4096 == 0
        assert last["p_offset"] % 4096 == 0
        padded = content + bytes(-len(content) % 4096)
        assert last.data() == padded == file.get_section_by_name(".unikit.root").data()
        assert made.manifest.root_sha256 == hashlib.sha256(padded).hexdigest()


def test_the_kernel_learns_where_its_root_is(tmp_path: Path) -> None:
    made = make(tmp_path)
    with made.path.open("rb") as stream:
        first = next(iter(ELFFile(stream).iter_segments("PT_LOAD")))
        assert struct.unpack_from("<QQQ", first.data()) == (image.BOOT_MAGIC, 0x103000, 12288)


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    one = make(tmp_path).path.read_bytes()
    assert make(tmp_path).path.read_bytes() == one


@pytest.mark.parametrize("options", [{"boot_image": False}, {"magic": 1}])
def test_a_kernel_without_its_object_is_refused(tmp_path: Path, options: dict[str, int]) -> None:
    (tmp_path / "root").write_bytes(b"x")
    with pytest.raises(UserError, match="boot_image") as error:
        image.make(elf.kernel(**options), tmp_path / "root", MANIFEST, tmp_path / "out")  # type: ignore[arg-type]
    assert error.value.code == ExitCode.LINK


@pytest.mark.parametrize("where", ["kernel", "root", "manifest", "end", "headers"])
def test_damage_is_found(tmp_path: Path, where: str) -> None:
    path = make(tmp_path).path
    body = bytearray(path.read_bytes())
    if where == "end":
        body = body[:-100]
    elif where == "headers":
        body = body[:40]
    else:
        with path.open("rb") as stream:
            file = ELFFile(stream)
            at = {
                "kernel": 0x1000 + 30,
                "root": file.get_section_by_name(".unikit.root")["sh_offset"] + 5000,
                "manifest": file.get_section_by_name(".unikit.manifest")["sh_offset"],
            }[where]
        body[at] ^= 0x55
    path.write_bytes(body)
    with pytest.raises(UserError, match="damaged") as error:
        image.read(path)
    assert error.value.code == ExitCode.IMAGE


def test_a_file_that_stays_as_it_is_is_checked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make(tmp_path).path
    body = path.read_bytes()
    monkeypatch.setattr(image, "SETTLED", -1.0)
    image.read(path)
    with monkeypatch.context() as patch:
        patch.setattr(image, "segments_hash", lambda *_: pytest.fail("hashed again"))
        image.read(path)
    (tmp_path / "other").write_bytes(bytes(body[:0x1000]) + b"\x55" + bytes(body[0x1001:]))
    (tmp_path / "other").replace(path)
    with pytest.raises(UserError, match="damaged"):
        image.read(path)


def test_what_is_not_ours_is_said_so(tmp_path: Path) -> None:
    for content in (b"", b"hello", elf.kernel()):
        path = tmp_path / "x"
        path.write_bytes(content)
        with pytest.raises(UserError, match="not an image that unikit made") as error:
            image.read(path)
        assert error.value.code == ExitCode.IMAGE and error.value.hint


def test_an_image_from_the_future_is_refused() -> None:
    text = MANIFEST.dump().replace(b'"format": 1', b'"format": 99')
    with pytest.raises(UserError, match="too old"):
        Manifest.load(text)


def test_an_absent_image(tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        image.read(tmp_path / "none")
    assert error.value.code == ExitCode.NO_SUCH_APP
