"""What erofs.py writes, rootfs.py reads."""

from __future__ import annotations

import io

import pytest

from unikit.errors import UserError
from unikit.image import erofs, rootfs
from unikit.model import FileKind, ImageFile


def written(*files: ImageFile) -> bytes:
    out = io.BytesIO()
    erofs.write(files, out)
    return out.getvalue()


def test_everything_is_read_back() -> None:
    many = [ImageFile(f"/many/file-with-long-name-{i:04}", FileKind.FILE, 0o644, "app", b"%d" % i) for i in range(500)]
    files = [
        ImageFile("/bin/tool", FileKind.FILE, 0o755, "app", b"x" * 10000),
        ImageFile("/bin/same", FileKind.FILE, 0o644, "app", b"x" * 10000),
        ImageFile("/sparse", FileKind.FILE, 0o644, "app", b"y" + bytes(40000) + b"z"),
        ImageFile("/sparse too", FileKind.FILE, 0o644, "app", b"y" + bytes(40000) + b"z"),
        ImageFile("/empty", FileKind.FILE, 0o644, "app"),
        ImageFile("/link", FileKind.SYMLINK, 0o777, "app", target="bin/tool"),
        ImageFile("/tmp", FileKind.DIRECTORY, 0o1777, "app"),
        *many,
    ]
    found = {entry.path: entry for entry in rootfs.read(written(*files))}
    assert set(found) == {"/", "/bin", "/many", *(file.path for file in files)}
    for file in files:
        entry = found[file.path]
        expected = file.target.encode() if file.kind is FileKind.SYMLINK else file.content
        content = b"" if file.kind is FileKind.DIRECTORY else bytes(entry.content)
        assert (entry.kind, entry.mode, content) == (file.kind, file.mode, expected)
    assert sorted(found[p].taken for p in ("/bin/tool", "/bin/same")) == [0, 12288]  # one content, counted once
    assert sorted(found[p].taken for p in ("/sparse", "/sparse too")) == [0, 8192]


@pytest.mark.parametrize("content", [b"", b"\0" * 8192])
def test_what_is_no_root_is_refused(content: bytes) -> None:
    with pytest.raises(UserError, match="damaged"):
        rootfs.read(content)


def test_any_cut_is_refused_or_read() -> None:
    whole = written(*[ImageFile(f"/{i}", FileKind.FILE, 0o644, "app", b"%d" % i * 999) for i in range(40)])
    for end in range(1024, len(whole) - erofs.BLOCK, 517):
        with pytest.raises(UserError, match="damaged"):
            rootfs.read(whole[:end])
