"""The EROFS writer, read back by a reader of the tests' own."""

from __future__ import annotations

import io
import random
import struct
from dataclasses import dataclass
from pathlib import Path

import pytest

from unikit.image import erofs
from unikit.model import FileKind, ImageFile

FILE, DIRECTORY, SYMLINK = FileKind.FILE, FileKind.DIRECTORY, FileKind.SYMLINK


@dataclass(frozen=True)
class Inode:
    mode: int
    links: int
    size: int
    layout: int
    address: int
    number: int
    data: bytes
    time: int


class Reader:
    """Reads what the format's description says (fs/erofs/erofs_fs.h), nothing the writer has told it."""

    def __init__(self, image: bytes) -> None:
        self.image = image
        (self.magic, self.checksum, self.compat, bits, _, self.root, self.inodes) = struct.unpack_from(
            "<IIIBBHQ", image, 1024
        )
        self.time = struct.unpack_from("<Q", image, 1024 + 24)[0]
        self.blocks, self.meta = struct.unpack_from("<II", image, 1024 + 36)
        self.incompat = struct.unpack_from("<I", image, 1024 + 80)[0]
        assert bits == 12

    def inode(self, nid: int) -> Inode:
        at = self.meta * 4096 + nid * 32
        form, xattrs, mode = struct.unpack_from("<HHH", self.image, at)
        assert xattrs == 0
        if form & 1:
            size, address, number = struct.unpack_from("<QII", self.image, at + 8)
            time, _, links = struct.unpack_from("<QII", self.image, at + 32)
            head = 64
        else:
            links, size, _, address, number = struct.unpack_from("<HIIII", self.image, at + 6)
            time, head = self.time, 32
        layout = form >> 1 & 7
        if layout == 2:
            whole = size // 4096 * 4096
            assert (at + head) // 4096 == (at + head + size - whole - 1) // 4096, "inline data crosses a block"
            data = self.image[address * 4096 : address * 4096 + whole] if whole else b""
            data += self.image[at + head : at + head + size - whole]
        elif layout == 4:
            assert address == 0, "chunks of one block, no indexes"
            places = struct.unpack_from(f"<{-(-size // 4096)}I", self.image, at + head)
            blocks = (bytes(4096) if p == 0xFFFFFFFF else self.image[p * 4096 : (p + 1) * 4096] for p in places)
            data = b"".join(blocks)[:size]
        else:
            assert layout == 0
            data = self.image[address * 4096 : address * 4096 + size]
        return Inode(mode, links, size, layout, address, number, data, time)

    def entries(self, inode: Inode) -> list[tuple[str, int, int]]:
        found = []
        for start in range(0, len(inode.data), 4096):
            block = inode.data[start : start + 4096]
            first = struct.unpack_from("<QHBB", block, 0)[1]
            heads = [struct.unpack_from("<QHBB", block, i) for i in range(0, first, 12)]
            for index, (nid, offset, kind, _) in enumerate(heads):
                end = heads[index + 1][1] if index + 1 < len(heads) else len(block)
                found.append((block[offset:end].rstrip(b"\0").decode(), nid, kind))
        return found

    def walk(self, nid: int | None = None, path: str = "") -> dict[str, Inode]:
        inode = self.inode(self.root if nid is None else nid)
        found = {path or "/": inode}
        if inode.mode & 0o170000 == 0o040000:
            for name, child, _ in self.entries(inode):
                if name not in (".", ".."):
                    found |= self.walk(child, f"{path}/{name}")
        return found


def file(path: str, content: bytes = b"", mode: int = 0o644) -> ImageFile:
    return ImageFile(path, FILE, mode, "app", content)


def folder(path: str, mode: int = 0o755) -> ImageFile:
    return ImageFile(path, DIRECTORY, mode, "app")


def link(path: str, target: str) -> ImageFile:
    return ImageFile(path, SYMLINK, 0o777, "app", target=target)


def image(*files: ImageFile, date: int | None = None) -> bytes:
    out = io.BytesIO()
    size = erofs.write(files, out, date)
    assert size == len(out.getvalue()) and size % 4096 == 0
    return out.getvalue()


def test_everything_comes_back() -> None:
    files = [
        folder("/etc"),
        file("/etc/hosts", b"127.0.0.1 localhost\n"),
        folder("/tmp", 0o1777),
        file("/bin/python", bytes(range(256)) * 50, 0o755),
        link("/bin/python3", "python"),
        file("/empty"),
        file("/" + "n" * 255, b"x"),
        file("/ünïcode", b"y"),
    ]
    found = Reader(image(*files)).walk()
    assert set(found) == {f.path for f in files} | {"/", "/bin"}
    types = {FILE: 0o100000, DIRECTORY: 0o040000, SYMLINK: 0o120000}
    for expected in files:
        inode = found[expected.path]
        assert inode.mode == types[expected.kind] | expected.mode
        if expected.kind is not DIRECTORY:
            assert inode.data == (expected.target.encode() if expected.target else expected.content)


def test_the_superblock() -> None:
    content = image(file("/a", b"x" * 5000))
    reader = Reader(content)
    assert (reader.magic, reader.incompat, reader.inodes) == (0xE0F5E1E2, 0, 2)
    assert reader.blocks * 4096 == len(content)
    assert reader.compat & 1
    block = bytearray(content[1024:4096])
    block[4:8] = bytes(4)
    assert reader.checksum == erofs.crc32c(bytes(block))


def test_the_checksum_is_castagnoli() -> None:
    assert erofs.crc32c(b"123456789") ^ 0xFFFFFFFF == 0xE3069283


ELF = b"\x7fELF"


def test_data_of_mapped_files_is_page_aligned_and_padded_with_zeros() -> None:
    content = image(file("/a", ELF + b"a" * 5000), file("/b", b"b" * 4096), file("/c", ELF), file("/d", b"d" * 10))
    found = Reader(content).walk()
    for path in ("/a", "/b", "/c"):
        inode = found[path]
        assert inode.layout == 0
        rest = content[inode.address * 4096 + inode.size : -(-(inode.address * 4096 + inode.size) // 4096) * 4096]
        assert not rest.strip(b"\0")


def test_ends_of_other_files_are_packed_together() -> None:
    sizes = [1, 100, 2000, 3000, 4063, 4064, 4065, 4095, 4097, 4096 + 2000, 8192 + 4064, 8192 + 4065] + [700] * 40
    contents = {f"/{i:02}": random.Random(i).randbytes(size) for i, size in enumerate(sizes)}
    made = image(*(file(path, content) for path, content in contents.items()))
    reader = Reader(made)
    found = reader.walk()
    assert {path: found[path].data for path in contents} == contents
    for path, content in contents.items():
        assert found[path].layout == (2 if 0 < len(content) % 4096 <= 4064 else 0), "behind the inode where it fits"
    stored = sum(map(len, contents.values())) + 32 * len(sizes)
    assert reader.blocks * 4096 <= stored * 1.1 + 4096, "little is lost between them"


def test_ends_are_not_stored_twice() -> None:
    twins = [file(f"/{i}", b"twin" * 1500) for i in range(50)]
    assert len(image(*twins)) == len(image(*twins[:2]))


@pytest.mark.parametrize(
    "pattern", ["x..x", "..xx....x", "....", "x" * 40 + "." * 3 + "x", "x" * 1500 + "." * 10], ids=len
)
@pytest.mark.parametrize("tail", [0, 1, 4095])
def test_blocks_of_zeros_are_not_stored(pattern: str, tail: int) -> None:
    content = b"".join(bytes([n % 255 + 1]) * 4096 if c == "x" else bytes(4096) for n, c in enumerate(pattern))
    content += b"t" * tail
    made = image(file("/before", b"b"), file("/sparse", content), file("/twin", content), file("/zz", b"after"))
    reader = Reader(made)
    found = reader.walk()
    assert found["/sparse"].data == found["/twin"].data == content
    assert (found["/before"].data, found["/zz"].data) == (b"b", b"after")
    assert reader.incompat == 4 and found["/sparse"].layout == 4
    stored = pattern.count("x") + (tail > 0) + 2
    assert reader.blocks <= stored + 1 + 2 * (-(-len(pattern) // 1024) + 1), "metadata, and each block once"


def test_a_single_block_of_zeros_stays_with_its_file() -> None:
    reader = Reader(image(file("/a", ELF * 1024 + bytes(4096) + b"b")))
    assert reader.walk()["/a"].layout == 0 and reader.incompat == 0


def test_equal_files_share_their_data(tmp_path: Path) -> None:
    on_disk = tmp_path / "file"
    on_disk.write_bytes(b"same" * 3000)
    same = [file("/a", b"same" * 3000), ImageFile("/b", FILE, 0o600, "app", on_disk), file("/c", b"other")]
    found = Reader(image(*same)).walk()
    assert found["/a"].address == found["/b"].address != found["/c"].address
    assert found["/a"].number != found["/b"].number


def test_names_are_sorted_by_their_bytes_over_all_blocks() -> None:
    names = [f"{i:03}-{'x' * (i % 90)}" for i in range(700)] + ["!first", "~last", "-minus", "é"]
    reader = Reader(image(*(file(f"/many/{n}", n.encode()) for n in names)))
    listing = reader.entries(reader.walk()["/many"])
    raw = [name.encode() for name, _, _ in listing]
    assert raw == sorted(raw)
    assert {".", ".."} < {n for n, _, _ in listing} == {".", "..", *names}
    for name, nid, kind in listing:
        if name not in (".", ".."):
            assert kind == 1 and reader.inode(nid).data == name.encode()


def test_dots_and_link_counts() -> None:
    reader = Reader(image(folder("/a/b"), folder("/a/c"), file("/a/f")))
    top = reader.walk()
    entries = {n: i for n, i, _ in reader.entries(top["/a"])}
    assert reader.inode(entries["."]) == top["/a"]
    assert reader.inode(entries[".."]) == top["/"]
    assert entries[".."] == reader.root
    assert (top["/"].links, top["/a"].links, top["/a/b"].links, top["/a/f"].links) == (3, 4, 2, 1)


def test_the_order_of_the_input_does_not_matter() -> None:
    files = [file(f"/d{i % 7}/f{i}", bytes([i]) * i * 50) for i in range(60)]
    shuffled = files[:]
    random.Random(1).shuffle(shuffled)
    assert image(*files) == image(*shuffled)


def test_the_time_of_data_comes_from_its_content() -> None:
    """And changes with it. Everything else has the image's, of which compact inodes know no other."""
    files = [
        ImageFile("/app/a.css", FILE, 0o644, "app", b"body {}", data=True),
        ImageFile("/app/b.css", FILE, 0o644, "app", b"head {}", data=True),
        ImageFile("/app/c.css", FILE, 0o644, "app", b"body {}", data=True),
        ImageFile("/app/long.txt", FILE, 0o644, "app", bytes(range(256)) * 31 + b"end", data=True),
        ImageFile("/app/a.pyc", FILE, 0o644, "app", b"body {}"),
    ]
    found = Reader(image(*files)).walk()
    times = {path: inode.time for path, inode in found.items()}
    assert times["/app/a.css"] == times["/app/c.css"] != times["/app/b.css"]
    assert all(946684800 <= times[f.path] < 1577836800 for f in files if f.data)
    assert {path for path, time in times.items() if time == 315619200} == {"/", "/app", "/app/a.pyc"}
    contents = {f.path: f.content for f in files}
    assert {path: found[path].data for path in contents} == contents
    dated = Reader(image(*files, date=1_700_000_000)).walk()
    assert {inode.time for inode in dated.values()} == {1_700_000_000}
    assert {path: dated[path].data for path in contents} == contents


def test_content_changes_the_identity() -> None:
    one, two = image(file("/a", b"1")), image(file("/a", b"2"))
    assert one[1024 + 48 : 1024 + 64] != two[1024 + 48 : 1024 + 64]


def test_many_sizes_of_links_and_directories() -> None:
    files = [link(f"/l{n}", "t" * n) for n in (1, 31, 32, 33, 1000, 1919, 1920, 1921, 2500, 4000)]
    files += [file(f"/dir{n}/{'f' * 40}{i}") for n in (0, 1, 20, 35, 36, 37, 38, 76, 77, 160) for i in range(n)]
    found = Reader(image(*files)).walk()
    assert {p: i.data.decode() for p, i in found.items() if p.startswith("/l")} == {
        f.path: f.target for f in files[:10]
    }
    assert {f.path for f in files} <= set(found)


def test_an_empty_image_has_a_root() -> None:
    assert list(Reader(image()).walk()) == ["/"]


@pytest.mark.parametrize(
    "files",
    [
        [file("/a"), file("/a")],
        [file("/a"), file("/a/b")],
        [file("a")],
        [file("/../a")],
        [file("/" + "n" * 256)],
    ],
)
def test_what_cannot_be_is_refused(files: list[ImageFile]) -> None:
    with pytest.raises(ValueError):
        image(*files)
