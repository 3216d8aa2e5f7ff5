"""Files: the tree over an EROFS image, path walk, descriptors and the calls on them, against what Linux does itself."""

from __future__ import annotations

import ctypes
import errno
import os
import random
import socket
import struct
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from unikit.image import erofs
from unikit.model import FileKind, ImageFile

from .conftest import ROOT

COMPONENTS = [
    f"vfs/{name}"
    for name in (
        "access", "at", "attributes", "close", "cwd", "data", "descriptors", "dup", "erofs", "fcntl", "file",
        "file_pages", "getdents", "inotify", "io", "kernel_file", "link", "locks", "memfd", "mkdir", "mknod",
        "names", "open", "path", "read", "readlink", "rename", "seek", "send", "stat", "statfs", "sync",
        "text", "times", "tree", "tree_change", "tree_entries", "tree_list", "tree_make", "truncate",
        "unlink", "write", "xattr",
    )
]  # fmt: skip

CDEF = """
int start(const char *image);
extern size_t host_pages_limit;
size_t host_pages_live(void);
long sys_openat(int, const char *, int, unsigned);
long sys_close(int);
long sys_read(int, void *, size_t);
long sys_write(int, const void *, size_t);
long sys_pread64(int, void *, size_t, int64_t);
long sys_pwrite64(int, const void *, size_t, int64_t);
long sys_lseek(int, int64_t, int);
long sys_newfstatat(int, const char *, void *, int);
long sys_mkdirat(int, const char *, unsigned);
long sys_unlinkat(int, const char *, int);
long sys_renameat2(int, const char *, int, const char *, unsigned);
long sys_linkat(int, const char *, int, const char *, int);
long sys_symlinkat(const char *, int, const char *);
long sys_readlinkat(int, const char *, char *, size_t);
long sys_truncate(const char *, int64_t);
long sys_ftruncate(int, int64_t);
long sys_fallocate(int, int, int64_t, int64_t);
long sys_getdents64(int, void *, unsigned);
long sys_getdents(int, void *, unsigned);
long sys_chdir(const char *);
long sys_getcwd(char *, size_t);
long sys_dup(int);
long sys_dup2(int, int);
long sys_dup3(int, int, int);
long sys_fcntl(int, int, unsigned long);
long sys_close_range(unsigned, unsigned, unsigned);
long sys_flock(int, int);
long sys_sendfile(int, int, int64_t *, size_t);
long sys_copy_file_range(int, int64_t *, int, int64_t *, size_t, unsigned);
long sys_memfd_create(const char *, unsigned);
long sys_statfs(const char *, void *);
long sys_inotify_init1(int);
long sys_inotify_add_watch(int, const char *, unsigned);
long sys_inotify_rm_watch(int, int);
long sys_lsetxattr(const char *, const char *, const void *, size_t, int);
long sys_lgetxattr(const char *, const char *, void *, size_t);
long sys_llistxattr(const char *, char *, size_t);
long sys_removexattr(const char *, const char *);
long sys_fchmodat(int, const char *, unsigned);
int page_of(int fd, uint64_t index, int write, void **page);
int name_socket(const char *path);
void page_put(void *);
"""

START = """
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "memory.h"
#include "descriptors.h"
#include "path.h"
#include "tree.h"
int process_id = 100;
int start(const char *image)
{
    int fd = open(image, O_RDONLY);
    off_t size = lseek(fd, 0, SEEK_END);
    const void *p = size ? mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, fd, 0) : NULL;
    close(fd);
    int error = tree_start(p, (uint64_t)size);
    if (error)
        return error;
    path_root = tree_root;
    path_cwd = node_get(tree_root);
    return 0;
}
int page_of(int fd, uint64_t index, int write, void **page)
{
    struct file *f = fd_peek(fd);
    return f ? f->ops->page(f, index, write, page) : -1;
}
int name_socket(const char *path)
{
    struct node *n;
    int error = path_make(path, NODE_SOCKET | 0777, 0, &n);
    if (!error)
        node_put(n);
    return error;
}
"""

INCLUDE = (f"-I{ROOT / 'runtimes/vfs'}",)
AT_FDCWD = -100
Library = tuple[Any, Any]


def populate(root: Path) -> None:
    """A tree with what an image can hold: long directories, sizes around a page, links of all kinds."""
    (root / "many").mkdir()
    for i in range(700):
        (root / "many" / f"name-{i:04}-{'x' * (i % 40)}").write_bytes(b"%d" % i)
    (root / "sizes").mkdir()
    (root / "keep").mkdir()  # no name of the random operations
    for size in (0, 1, 4095, 4096, 4097, 8192, 12345):
        (root / "sizes" / str(size)).write_bytes(bytes(random.Random(size).randbytes(size)))
        (root / "keep" / str(size)).write_bytes((root / "sizes" / str(size)).read_bytes())
    (root / "a" / "b" / "c").mkdir(parents=True)
    (root / "a" / "b" / "file").write_text("hello\n")
    (root / "empty").mkdir()
    os.link(root / "a" / "b" / "file", root / "a" / "hard")
    (root / "link").symlink_to("a/b")
    (root / "dangling").symlink_to("nowhere")
    (root / "loop").symlink_to("loop")


class Guest:
    """The calls of the library as os has them: results, or the error's number as a negative one."""

    def __init__(self, library: Any, ffi: Any) -> None:
        self.library, self.ffi = library, ffi

    def open(self, path: str, flags: int, mode: int = 0o666) -> int:
        return int(self.library.sys_openat(AT_FDCWD, path.encode(), flags, mode))

    def close(self, fd: int) -> int:
        return int(self.library.sys_close(fd))

    def read(self, fd: int, n: int) -> bytes | int:
        buffer = self.ffi.new("char[]", n + 1)
        got = self.library.sys_read(fd, buffer, n)
        return bytes(self.ffi.buffer(buffer, got)) if got >= 0 else int(got)

    def pread(self, fd: int, n: int, offset: int) -> bytes | int:
        buffer = self.ffi.new("char[]", n + 1)
        got = self.library.sys_pread64(fd, buffer, n, offset)
        return bytes(self.ffi.buffer(buffer, got)) if got >= 0 else int(got)

    def write(self, fd: int, data: bytes) -> int:
        return int(self.library.sys_write(fd, data, len(data)))

    def pwrite(self, fd: int, data: bytes, offset: int) -> int:
        return int(self.library.sys_pwrite64(fd, data, len(data), offset))

    def lseek(self, fd: int, offset: int, whence: int) -> int:
        return int(self.library.sys_lseek(fd, offset, whence))

    def stat(self, path: str, follow: bool = True) -> tuple[int, ...] | int:
        """(mode, links, size; size 0 for directories) as of st_mode, st_nlink, st_size."""
        buffer = self.ffi.new("uint64_t[18]")
        error = self.library.sys_newfstatat(AT_FDCWD, path.encode(), buffer, 0 if follow else 0x100)
        if error:
            return int(error)
        mode = buffer[3] & 0xFFFFFFFF
        directory = mode & 0o170000 == 0o040000
        return mode, buffer[2], 0 if directory else buffer[6]

    def listdir(self, path: str, room: int = 512) -> list[tuple[str, int]] | int:
        fd = self.open(path, os.O_RDONLY | os.O_DIRECTORY)
        if fd < 0:
            return fd
        buffer = self.ffi.new("char[]", room)
        found = []
        while (n := self.library.sys_getdents64(fd, buffer, room)) > 0:
            data, at = bytes(self.ffi.buffer(buffer, n)), 0
            while at < n:
                length = int.from_bytes(data[at + 16 : at + 18], "little")
                name = data[at + 19 : at + length].split(b"\0")[0].decode()
                found.append((name, data[at + 18]))
                at += length
        self.close(fd)
        return sorted(e for e in found if e[0] not in (".", "..")) if n == 0 else int(n)

    def readlink(self, path: str) -> str | int:
        buffer = self.ffi.new("char[]", 4096)
        n = self.library.sys_readlinkat(AT_FDCWD, path.encode(), buffer, 4096)
        return bytes(self.ffi.buffer(buffer, n)).decode() if n >= 0 else int(n)

    def path(self, name: str, *arguments: Any) -> int:
        return int(getattr(self.library, f"sys_{name}")(*arguments))


class Host:
    """The same on Linux, below a folder: absolute paths are taken as below it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def _at(self, path: str) -> str:
        return f"{self.root}{path}"

    @staticmethod
    def _try(call: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        try:
            result = call(*arguments, **named)
        except OSError as error:
            return -(error.errno or errno.EIO)
        return 0 if result is None else result

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name in ("read", "write", "pread", "pwrite", "close", "lseek"):
            return lambda *arguments: self._try(getattr(os, name), *arguments)
        raise AttributeError(name)

    def open(self, path: str, flags: int, mode: int = 0o666) -> int:
        return int(self._try(os.open, self._at(path), flags, mode))

    def stat(self, path: str, follow: bool = True) -> tuple[int, ...] | int:
        s = self._try(os.stat, self._at(path), follow_symlinks=follow)
        if isinstance(s, int):
            return s
        directory = s.st_mode & 0o170000 == 0o040000
        return s.st_mode, s.st_nlink, 0 if directory else s.st_size

    def listdir(self, path: str) -> list[tuple[str, int]] | int:
        names = self._try(os.listdir, self._at(path))
        if isinstance(names, int):
            return names
        return sorted((n, os.lstat(f"{self._at(path)}/{n}").st_mode >> 12) for n in names)

    def readlink(self, path: str) -> str | int:
        result = self._try(os.readlink, self._at(path))
        return result if isinstance(result, int) else str(result)


# How many clean nodes are kept, and how the image is made. Other numbers, other libraries: each is started once.
WAYS: dict[str, tuple[int, tuple[str, ...]]] = {
    "kept": (4096, ()),
    "forgotten": (5, ()),
    "chunks": (4095, ("--chunksize=4096",)),
    "large chunks": (4094, ("--chunksize=16384",)),
}


@pytest.fixture(scope="module", params=WAYS)
def both(
    build: Callable[..., Library], tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[tuple[Guest, Host]]:
    """The library started on an image, and the tree that the image was made of.

    Once with nodes of the image that stay in memory, once with hardly any: they come and go all the time. Then with
    files in chunks.
    """
    kept, options = WAYS[request.param]
    folder = tmp_path_factory.mktemp("files")
    root = folder / "host"
    root.mkdir()
    before = os.umask(0o022)
    populate(root)
    image = folder / "image.erofs"
    subprocess.run(["mkfs.erofs", *options, str(image), str(root)], check=True, capture_output=True, timeout=60)
    library, ffi = build(COMPONENTS, CDEF, START, (*INCLUDE, f"-DCLEAN_MOST={kept}U"))
    assert library.start(str(image).encode()) == 0
    yield Guest(library, ffi), Host(root)
    os.umask(before)


def test_extended_attributes_stay_and_are_bounded(both: tuple[Guest, Host]) -> None:
    """Of a file of the image too, which is forgotten where nothing of it has changed; and all goes with the file."""
    guest, _ = both
    library, buffer = guest.library, guest.ffi.new("char[]", 65536)
    path, value = b"/keep/4095", bytes(range(256)) * 4
    assert library.sys_lsetxattr(path, b"user.kept", value, len(value), 0) == 0
    assert not isinstance(guest.listdir("/many"), int) and guest.stat("/many/name-0001-x") != 0
    for i in range(700):
        guest.stat(f"/many/name-{i:04}-{'x' * (i % 40)}")
    assert library.sys_lgetxattr(path, b"user.kept", buffer, 65536) == len(value)
    assert bytes(guest.ffi.buffer(buffer, len(value))) == value
    assert library.sys_lgetxattr(path, b"user.kept", guest.ffi.NULL, 0) == len(value)
    assert library.sys_lgetxattr(path, b"user.kept", buffer, len(value) - 1) == -errno.ERANGE
    assert library.sys_removexattr(path, b"user.kept") == 0 and library.sys_llistxattr(path, buffer, 100) == 0

    live = library.host_pages_live()
    guest.close(guest.open("/empty/one", os.O_CREAT | os.O_WRONLY))
    set_ = [library.sys_lsetxattr(b"/empty/one", b"user.%d" % i, buffer, 1, 0) for i in range(130)]
    assert set_ == [0] * 128 + [-errno.ENOSPC] * 2
    assert library.sys_lsetxattr(b"/empty/one", b"user.0", buffer, 65536, os.XATTR_REPLACE) == 0
    assert library.sys_lsetxattr(b"/empty/one", b"user.1", buffer, 65536, os.XATTR_REPLACE) == -errno.ENOSPC
    assert library.sys_llistxattr(b"/empty/one", buffer, 65536) == sum(len(f"user.{i}") + 1 for i in range(128))
    assert library.sys_llistxattr(b"/empty/one", buffer, 100) == -errno.ERANGE
    assert guest.path("unlinkat", AT_FDCWD, b"/empty/one", 0) == 0 and library.host_pages_live() <= live + 1
    taken = []
    while not taken or taken[-1] == 0:
        name = b"/empty/%d" % len(taken)
        guest.close(guest.open(name.decode(), os.O_CREAT | os.O_WRONLY))
        taken.append(library.sys_lsetxattr(name, b"user.x", buffer, 65536, 0))
    assert taken[-1] == -errno.ENOSPC and len(taken) > 3, "all together take no more than a part of the memory"
    for i in range(len(taken)):
        assert guest.path("unlinkat", AT_FDCWD, b"/empty/%d" % i, 0) == 0
    assert library.host_pages_live() <= live + 1


def walk_all(guest: Guest, host: Host, at: str = "/") -> int:
    """Compares everything below a directory; the number of names seen."""
    names = host.listdir(at)
    assert guest.listdir(at) == names, at
    assert not isinstance(names, int)
    seen = 0
    for name, kind in names:
        path = f"{at.rstrip('/')}/{name}"
        assert guest.stat(path, follow=False) == host.stat(path, follow=False), path
        seen += 1
        if kind == 4:
            seen += walk_all(guest, host, path)
        elif kind == 8:
            mine, other = guest.open(path, os.O_RDONLY), host.open(path, os.O_RDONLY)
            assert mine >= 0, path
            while True:
                a, b = guest.read(mine, 70000), host.read(other, 70000)
                assert a == b, path
                if not a:
                    break
            guest.close(mine)
            host.close(other)
        elif kind == 10:
            assert guest.readlink(path) == host.readlink(path), path
    return seen


def test_our_own_image_with_holes_reads_as_the_tree(build: Callable[..., Library], tmp_path: Path) -> None:
    root = tmp_path / "host"
    for number, pattern in enumerate(("..x", "x....x..", "x" * 30 + "..." + "x", "....")):
        content = b"".join(os.urandom(4096) if c == "x" else bytes(4096) for c in pattern)
        (root / "sparse").mkdir(parents=True, exist_ok=True)
        (root / "sparse" / str(number)).write_bytes(content + b"tail" * number)
    files = [
        ImageFile(f"/{p.relative_to(root)}", FileKind.FILE, 0o644, "app", p) for p in root.rglob("*") if p.is_file()
    ]
    image = tmp_path / "image.erofs"
    with image.open("wb") as out:
        erofs.write(files, out)
    subprocess.run(["fsck.erofs", str(image)], check=True, capture_output=True, timeout=60)
    library, ffi = build(COMPONENTS, CDEF, START, (*INCLUDE, "-DCLEAN_MOST=4093U"))
    assert library.start(str(image).encode()) == 0
    guest = Guest(library, ffi)
    for file in files:
        assert isinstance(file.content, Path)
        content, descriptor, seen = file.content.read_bytes(), guest.open(file.path, os.O_RDONLY), b""
        while part := guest.read(descriptor, 5000):
            assert isinstance(part, bytes)
            seen += part
        assert seen == content, file.path
        guest.close(descriptor)


def test_the_image_reads_as_the_tree_it_was_made_of(both: tuple[Guest, Host]) -> None:
    assert walk_all(*both) > 700


PATHS = [
    "/a/b/file", "/a/hard", "/a/b/file/", "/a/b/file/x", "/a/b", "/a/b/", "/a//b/./../b/file", "/link", "/link/",
    "/link/file", "/link/../b/file", "/dangling", "/dangling/", "/loop", "/loop/x", "/nothing", "/nothing/x",
    "/", "/..", "/a/../../a/b", "/many/name-0000-", "/many/name-0699-" + "x" * 19, "/many/name-0350-" + "x" * 30,
    "/many/name",
    "/many/zzz",
    "/many/" + "n" * 255, "/many/" + "n" * 256, "/sizes/0", "/a/b/c/d/e", "",
]  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_paths_lead_where_they_do_on_linux(both: tuple[Guest, Host], path: str) -> None:
    guest, host = both
    if not path:
        assert guest.stat(path) == -errno.ENOENT
        return
    inside = ".." not in path or path == "/a//b/./../b/file" or path.startswith("/link")
    for follow in (True, False):
        if inside:
            assert guest.stat(path, follow) == host.stat(path, follow)
    for flags in (os.O_RDONLY, os.O_RDONLY | os.O_DIRECTORY, os.O_RDONLY | os.O_NOFOLLOW, os.O_WRONLY, os.O_PATH,
                  os.O_PATH | os.O_NOFOLLOW):  # fmt: skip
        if not inside:
            continue
        mine, other = guest.open(path, flags), host.open(path, flags)
        assert (mine if mine < 0 else 0) == (other if other < 0 else 0), flags
        if mine >= 0:
            guest.close(mine)
        if other >= 0:
            host.close(other)
    assert guest.readlink(path) == host.readlink(path) or not inside


def test_dotdot_of_the_root_is_the_root(both: tuple[Guest, Host]) -> None:
    guest, _ = both
    assert guest.stat("/..") == guest.stat("/")
    assert guest.stat("/a/../../../a/b/file") == guest.stat("/a/b/file")


class Pair:
    """One operation after the other on both; what they answer must agree."""

    def __init__(self, guest: Guest, host: Host, seed: int) -> None:
        self.guest, self.host, self.random = guest, host, random.Random(seed)
        self.open_files: list[tuple[int, int]] = []
        self.log: list[str] = []

    def agree(self, what: str, mine: Any, other: Any) -> None:
        self.log.append(f"{what} -> {other if isinstance(other, int) else '...'}")
        assert mine == other, "\n".join(self.log[-40:])

    def name(self) -> str:
        r = self.random
        names = ["a", "b", "c", "f", "hard", "new", "x", "link", "empty", "sizes", "4096", "12345", "file"]
        path = "/" + "/".join(r.choice(names) for _ in range(r.choice((1, 1, 2, 2, 3))))
        return path + (r.choice(["/", "/.", "/.."]) if r.random() < 0.06 and path.count("/") > 1 else "")

    def paths(self, what: str, flag: int = 0) -> None:
        guest, host, r = self.guest, self.host, self.random
        at, one, two = AT_FDCWD, self.name(), self.name()
        here, there = host._at(one), host._at(two)
        e = lambda p: p.encode()  # noqa: E731
        attempt = host._try
        match what:
            case "mkdir":
                pair = guest.path("mkdirat", at, e(one), 0o755), attempt(os.mkdir, here, 0o755)
            case "rmdir":
                pair = guest.path("unlinkat", at, e(one), 0x200), attempt(os.rmdir, here)
            case "unlink":
                pair = guest.path("unlinkat", at, e(one), 0), attempt(os.unlink, here)
            case "rename":
                pair = guest.path("renameat2", at, e(one), at, e(two), 0), attempt(os.rename, here, there)
            case "link":
                other = attempt(os.link, here, there, follow_symlinks=False)
                pair = guest.path("linkat", at, e(one), at, e(two), 0), other
            case "symlink":
                target = r.choice(["a/b", "x", "./a", "file"])
                pair = guest.path("symlinkat", e(target), at, e(one)), attempt(os.symlink, target, here)
            case "truncate":
                size = r.choice((0, 1, 100, 4095, 4096, 4097, 9000, 20000))
                pair = guest.path("truncate", e(one), size), attempt(os.truncate, here, size)
            case "stat":
                pair = guest.stat(one), host.stat(one)
            case _:
                raise AssertionError(what)
        self.agree(f"{what} {one} {two}", *pair)

    def open(self) -> None:
        r, path = self.random, self.name()
        flags = r.choice((os.O_RDWR, os.O_RDONLY, os.O_WRONLY))
        for flag in (os.O_CREAT, os.O_EXCL, os.O_TRUNC, os.O_APPEND):
            flags |= flag if r.random() < 0.3 else 0
        mine, other = self.guest.open(path, flags), self.host.open(path, flags)
        self.agree(f"open {path} {flags:o}", min(mine, 0), min(other, 0))
        if mine >= 0 and os.path.isdir(other):  # positions in a directory mean nothing to others
            self.guest.close(mine)
            self.host.close(other)
        elif mine >= 0:
            self.open_files.append((mine, other))

    def data(self) -> None:
        if not self.open_files:
            return
        r = self.random
        at = r.randrange(len(self.open_files))
        mine, other = self.open_files[at]
        offset, n = r.choice((0, 1, 4000, 4096, 8191, 12345, 50000)), r.choice((0, 1, 5, 100, 4096, 5000, 20000))
        body = r.randbytes(n)
        guest, host = self.guest, self.host
        attempt = host._try
        match r.choice(["read", "write", "pread", "pwrite", "seek", "close", "ftruncate", "fallocate", "punch"]):
            case "read":
                self.agree(f"read {n}", guest.read(mine, n), host.read(other, n))
            case "write":
                self.agree(f"write {n}", guest.write(mine, body), host.write(other, body))
            case "pread":
                self.agree(f"pread {n} {offset}", guest.pread(mine, n, offset), host.pread(other, n, offset))
            case "pwrite":
                self.agree(f"pwrite {n} {offset}", guest.pwrite(mine, body, offset), host.pwrite(other, body, offset))
            case "seek":
                whence = r.choice((0, 1, 2))
                theirs = host.lseek(other, offset, whence)
                self.agree(f"lseek {offset} {whence}", guest.lseek(mine, offset, whence), theirs)
            case "close":
                del self.open_files[at]
                self.agree("close", guest.close(mine), host.close(other))
            case "ftruncate":
                theirs = attempt(os.ftruncate, other, offset)
                self.agree(f"ftruncate {offset}", guest.path("ftruncate", mine, offset), theirs)
            case "fallocate":
                theirs = attempt(os.posix_fallocate, other, offset, n)
                self.agree(f"fallocate {offset} {n}", guest.path("fallocate", mine, 0, offset, n), theirs)
            case "punch":
                self.agree(f"punch {offset} {n}", guest.path("fallocate", mine, 3, offset, n), punch(other, offset, n))

    def run(self, steps: int) -> None:
        kinds = ["mkdir", "rmdir", "unlink", "rename", "rename", "link", "symlink", "truncate", "stat"]
        for _ in range(steps):
            chance = self.random.random()
            if chance < 0.4:
                self.data()
            elif chance < 0.6:
                self.open()
            else:
                self.paths(self.random.choice(kinds))
        for mine, other in self.open_files:
            self.guest.close(mine)
            self.host.close(other)
        walk_all(self.guest, self.host)


def punch(fd: int, offset: int, n: int) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.fallocate(fd, 3, ctypes.c_long(offset), ctypes.c_long(n)) == 0:
        return 0
    return -ctypes.get_errno()


@pytest.mark.parametrize("seed", range(12))
def test_random_operations_agree_with_linux(both: tuple[Guest, Host], seed: int) -> None:
    """Operations over image and new files alike, on the same tree all the time."""
    Pair(*both, seed).run(1500)


def test_a_written_file_is_mapped_by_its_own_pages(both: tuple[Guest, Host]) -> None:
    guest, _ = both
    library, ffi = guest.library, guest.ffi
    fd = guest.open("/keep/8192", os.O_RDWR)
    page = ffi.new("void **")
    assert library.page_of(fd, 2, 0, page) == -errno.ENXIO
    assert library.page_of(fd, 0, 0, page) == 0
    image = page[0]
    assert library.page_of(fd, 0, 1, page) == 0 and page[0] != image, "a writable page is the file's own"
    written = page[0]
    assert guest.pwrite(fd, b"seen through the mapping", 10) == 24
    assert bytes(ffi.buffer(ffi.cast("char *", written) + 10, 24)) == b"seen through the mapping"
    assert guest.pread(fd, 24, 10) == b"seen through the mapping"
    library.page_put(written)
    guest.close(fd)


def test_descriptors_are_the_lowest_free_ones(both: tuple[Guest, Host]) -> None:
    guest, _ = both
    library = guest.library
    first = [guest.open("/keep/1", os.O_RDONLY) for _ in range(200)]
    assert first == list(range(200))
    for fd in (150, 7, 64):
        assert guest.close(fd) == 0
    assert [library.sys_dup(0) for _ in range(4)] == [7, 64, 150, 200]
    assert guest.close(500) == -errno.EBADF and library.sys_dup(500) == -errno.EBADF
    assert library.sys_dup2(0, 0) == 0 and library.sys_dup3(0, 0, 0) == -errno.EINVAL
    assert library.sys_dup2(0, 900) == 900 and library.sys_dup2(0, 1024) == -errno.EBADF
    assert library.sys_fcntl(0, 0, 901) == 901, "F_DUPFD"
    assert library.sys_dup3(0, 902, os.O_CLOEXEC) == 902
    assert [library.sys_fcntl(fd, 1, 0) for fd in (901, 902, 903)] == [0, 1, -errno.EBADF]
    assert library.sys_close_range(3, 0xFFFFFFFF, 4) == 0 and library.sys_fcntl(901, 1, 0) == 1
    assert library.sys_close_range(5, 3, 0) == -errno.EINVAL
    assert library.sys_close_range(0, 0xFFFFFFFF, 0) == 0 and guest.close(0) == -errno.EBADF
    many = [guest.open("/keep/1", os.O_RDONLY) for _ in range(1025)]
    assert many[1023] == 1023 and many[1024] == -errno.EMFILE
    assert library.sys_close_range(0, 0xFFFFFFFF, 0) == 0


def test_flock_excludes_and_closing_lets_go(both: tuple[Guest, Host]) -> None:
    guest, _ = both
    flock = guest.library.sys_flock
    shared, exclusive, unlock, now = 1, 2, 8, 4
    one, two = guest.open("/keep/lock", os.O_RDWR | os.O_CREAT), guest.open("/keep/lock", os.O_RDWR)
    assert flock(one, shared) == 0 and flock(two, shared | now) == 0
    assert flock(two, exclusive | now) == -errno.EAGAIN, "the other still shares it"
    assert flock(one, exclusive | now) == 0, "the failed try gave up its own share"
    assert flock(two, exclusive) == -512, "blocks until a signal"
    assert flock(one, unlock) == 0 and flock(two, exclusive | now) == 0
    assert guest.close(two) == 0 and flock(one, exclusive | now) == 0
    guest.close(one)


def test_record_locks_split_and_join(both: tuple[Guest, Host]) -> None:
    guest, _ = both
    ffi, library = guest.ffi, guest.library
    set_process, get_file, set_file = 6, 36, 37

    def lock(fd: int, command: int, kind: int, start: int, length: int) -> tuple[int, tuple[int, int, int]]:
        record = ffi.new("struct { short type, whence; int64_t start, length; int pid; } *")
        record.type, record.start, record.length = kind, start, length
        result = library.sys_fcntl(fd, command, int(ffi.cast("uintptr_t", record)))
        return result, (record.type, record.start, record.length)

    read, write, none = 0, 1, 2
    one, two = guest.open("/keep/lock", os.O_RDWR | os.O_CREAT), guest.open("/keep/lock", os.O_RDWR)
    assert lock(one, set_process, write, 0, 100)[0] == 0
    assert lock(two, set_process, write, 0, 100)[0] == 0, "one process never locks itself out"
    assert lock(two, set_file, read, 50, 1)[0] == -errno.EAGAIN
    assert lock(one, set_process, none, 40, 20)[0] == 0
    assert lock(two, get_file, write, 0, 0)[1] == (write, 0, 40)
    assert lock(two, set_file, write, 40, 20)[0] == 0
    assert lock(two, get_file, write, 60, 0)[1] == (write, 60, 40)
    assert lock(one, set_process, read, 60, 40)[0] == 0
    assert lock(two, set_file, read, 60, 40)[0] == 0 and lock(two, set_file, write, 60, 40)[0] == -errno.EAGAIN
    third = guest.open("/keep/lock", os.O_RDWR)
    guest.close(third)
    assert lock(two, set_file, write, 0, 0)[0] == 0, "closing any descriptor dropped the process's locks"
    assert lock(one, set_process, read, 1000, 1)[0] == -errno.EAGAIN
    guest.close(two)
    assert lock(one, set_process, read, 1000, 1)[0] == 0
    guest.close(one)


def test_sendfile_and_copies(both: tuple[Guest, Host]) -> None:
    guest, _ = both
    ffi, library = guest.ffi, guest.library
    body = random.Random(1).randbytes(300_000)
    source = guest.open("/keep/source", os.O_RDWR | os.O_CREAT)
    assert guest.write(source, body) == len(body)
    target = guest.open("/keep/target", os.O_RDWR | os.O_CREAT)
    offset = ffi.new("int64_t *", 1000)
    assert library.sys_sendfile(target, source, offset, 1 << 40) == len(body) - 1000
    assert offset[0] == len(body) and guest.pread(target, len(body), 0) == body[1000:]
    assert library.sys_sendfile(target, source, offset, 10) == 0
    offset[0], to = 5, ffi.new("int64_t *", 7)
    assert library.sys_copy_file_range(source, offset, target, to, 100_000, 0) == 100_000
    assert (offset[0], to[0]) == (100_005, 100_007) and guest.pread(target, 100_000, 7) == body[5:100_005]
    offset[0], to[0] = 0, 50
    assert library.sys_copy_file_range(source, offset, source, to, 100, 0) == -errno.EINVAL, "they overlap"
    image = guest.open("/keep/4097", os.O_RDONLY)
    guest.path("ftruncate", target, 0)
    guest.lseek(target, 0, 0)
    expected = guest.read(image, 5000)
    guest.lseek(image, 0, 0)
    assert library.sys_sendfile(target, image, ffi.NULL, 5000) == 4097
    assert guest.pread(target, 5000, 0) == expected
    for fd in (source, target, image):
        guest.close(fd)


def test_seals_keep_a_memfd_as_it_is(both: tuple[Guest, Host]) -> None:
    guest, _ = both
    library = guest.library
    add, get = 1033, 1034
    fd = library.sys_memfd_create(b"name", 2)
    assert guest.write(fd, b"sealed") == 6 and library.sys_fcntl(fd, get, 0) == 0
    assert library.sys_fcntl(fd, add, 2 | 4) == 0, "F_SEAL_SHRINK, F_SEAL_GROW"
    assert library.sys_ftruncate(fd, 3) == -errno.EPERM and library.sys_ftruncate(fd, 9) == -errno.EPERM
    assert guest.write(fd, b"x") == -errno.EPERM and guest.pwrite(fd, b"S", 0) == 1
    assert library.sys_fcntl(fd, add, 8) == 0 and guest.pwrite(fd, b"s", 0) == -errno.EPERM
    assert library.sys_fcntl(fd, add, 1) == 0 and library.sys_fcntl(fd, add, 1) == -errno.EPERM
    assert guest.pread(fd, 10, 0) == b"Sealed"
    guest.close(fd)
    plain = library.sys_memfd_create(b"name", 0)
    assert library.sys_fcntl(plain, get, 0) == 1 and library.sys_memfd_create(b"n" * 250, 0) == -errno.EINVAL
    guest.close(plain)


def test_running_out_of_pages_is_enospc_and_nothing_is_lost(both: tuple[Guest, Host]) -> None:
    guest, _ = both
    library = guest.library
    fd = guest.open("/keep/big", os.O_RDWR | os.O_CREAT)
    live = library.host_pages_live()
    library.host_pages_limit = live + 20
    try:
        written = guest.write(fd, b"x" * 200_000)
        assert 60_000 < written < 90_000 and guest.write(fd, b"y" * 5000) < 5000
        assert guest.path("fallocate", fd, 0, 0, 1 << 40) == -errno.ENOSPC
    finally:
        library.host_pages_limit = 1 << 40
    assert guest.pread(fd, written, 0) == b"x" * written
    assert guest.path("ftruncate", fd, 0) == 0 and library.host_pages_live() == live
    assert guest.path("ftruncate", fd, 1 << 50) == 0 and guest.pread(fd, 10, 1 << 49) == bytes(10)
    assert guest.lseek(fd, 0, 3) == -errno.ENXIO and guest.lseek(fd, 5, 4) == 5, "all one hole"
    assert guest.pwrite(fd, b"data", 1 << 45) == 4 and guest.lseek(fd, 0, 3) == 1 << 45
    guest.close(fd)
    guest.path("unlinkat", AT_FDCWD, b"/keep/big", 0)
    assert library.host_pages_live() == live


def test_old_getdents_has_the_same_names(both: tuple[Guest, Host]) -> None:
    guest, _ = both
    fd = guest.open("/many", os.O_RDONLY)
    buffer, names = guest.ffi.new("char[]", 3000), []
    while (n := guest.library.sys_getdents(fd, buffer, 3000)) > 0:
        data, at = bytes(guest.ffi.buffer(buffer, n)), 0
        while at < n:
            length = int.from_bytes(data[at + 16 : at + 18], "little")
            names.append((data[at + 18 : at + length - 1].split(b"\0")[0].decode(), data[at + length - 1]))
            at += length
    guest.close(fd)
    listed = guest.listdir("/many")
    assert not isinstance(listed, int)
    assert sorted(names) == sorted([*listed, (".", 4), ("..", 4)]) and len(names) > 700


def test_the_working_directory_has_a_path_until_it_is_removed(both: tuple[Guest, Host]) -> None:
    guest, _ = both
    library, ffi = guest.library, guest.ffi
    buffer = ffi.new("char[]", 4096)
    library.sys_mkdirat(AT_FDCWD, b"/wd", 0o755)
    library.sys_mkdirat(AT_FDCWD, b"/wd/inner", 0o755)
    assert library.sys_chdir(b"/wd/inner") == 0
    assert library.sys_getcwd(buffer, 4096) == 10 and ffi.string(buffer) == b"/wd/inner"
    assert library.sys_getcwd(buffer, 9) == -errno.ERANGE
    library.sys_renameat2(AT_FDCWD, b"/wd", AT_FDCWD, b"/moved", 0)
    assert library.sys_getcwd(buffer, 4096) == 13 and ffi.string(buffer) == b"/moved/inner"
    assert library.sys_unlinkat(AT_FDCWD, b"/moved/inner", 0x200) == 0
    assert library.sys_getcwd(buffer, 4096) == -errno.ENOENT
    assert guest.open("new", os.O_CREAT | os.O_WRONLY) == -errno.ENOENT, "nothing new in a removed directory"
    assert library.sys_chdir(b"..") == 0 and library.sys_getcwd(buffer, 4096) == 7
    assert library.sys_chdir(b"/") == 0 and library.sys_unlinkat(AT_FDCWD, b"/moved", 0x200) == 0


def decode(data: bytes) -> list[tuple[int, int, str]]:
    """Events of inotify as (watch, mask, name)."""
    events, at = [], 0
    while at < len(data):
        watch, mask, _cookie, length = struct.unpack_from("iIII", data, at)
        events.append((watch, mask, data[at + 16 : at + 16 + length].rstrip(b"\0").decode()))
        at += 16 + length
    return events


def test_watches_tell_what_linux_tells(both: tuple[Guest, Host]) -> None:
    guest, host = both
    library, at = guest.library, AT_FDCWD
    libc = ctypes.CDLL(None, use_errno=True)
    mine, other = library.sys_inotify_init1(os.O_NONBLOCK), libc.inotify_init1(os.O_NONBLOCK)
    assert guest.read(mine, 100) == host.read(other, 100) == -errno.EAGAIN

    def watch(path: str, mask: int) -> int:
        descriptor = library.sys_inotify_add_watch(mine, path.encode(), mask)
        theirs = libc.inotify_add_watch(other, host._at(path).encode(), mask)
        assert descriptor == (theirs if theirs >= 0 else -ctypes.get_errno())
        return int(descriptor)

    everything = 0xFFF
    library.sys_mkdirat(at, b"/keep/w", 0o755)
    os.mkdir(host._at("/keep/w"))
    assert watch("/keep/w", everything) == 1 and watch("/keep/none", everything) == -errno.ENOENT
    assert watch("/keep/1", 0) == -errno.EINVAL and watch("/keep/1", everything | 0x01000000) == -errno.ENOTDIR
    for n in range(2):
        path = f"/keep/w/f{n}"
        a, b = guest.open(path, os.O_CREAT | os.O_RDWR), host.open(path, os.O_CREAT | os.O_RDWR)
        guest.write(a, b"text"), host.write(b, b"text")
        guest.pread(a, 10, 0), host.pread(b, 10, 0)
        guest.close(a), host.close(b)
    library.sys_fchmodat(at, b"/keep/w/f0", 0o600), os.chmod(host._at("/keep/w/f0"), 0o600)
    assert watch("/keep/w/f1", everything) == 2
    library.sys_renameat2(at, b"/keep/w/f0", at, b"/keep/w/g", 0)
    os.rename(host._at("/keep/w/f0"), host._at("/keep/w/g"))
    library.sys_mkdirat(at, b"/keep/w/d", 0o755), os.mkdir(host._at("/keep/w/d"))
    library.sys_unlinkat(at, b"/keep/w/d", 0x200), os.rmdir(host._at("/keep/w/d"))
    library.sys_unlinkat(at, b"/keep/w/g", 0), os.unlink(host._at("/keep/w/g"))
    with socket.socket(socket.AF_UNIX) as named:
        named.bind(str(host._at("/keep/w/s")))
    assert library.name_socket(b"/keep/w/s") == 0 and library.name_socket(b"/keep/w/s") == -errno.EEXIST
    library.sys_unlinkat(at, b"/keep/w/s", 0), os.unlink(host._at("/keep/w/s"))
    assert library.sys_inotify_rm_watch(mine, 2) == libc.inotify_rm_watch(other, 2) == 0
    told, expected = guest.read(mine, 65536), host.read(other, 65536)
    assert isinstance(told, bytes) and isinstance(expected, bytes)
    assert decode(told) == decode(expected)
    library.sys_unlinkat(at, b"/keep/w/f1", 0), os.unlink(host._at("/keep/w/f1"))
    library.sys_unlinkat(at, b"/keep/w", 0x200), os.rmdir(host._at("/keep/w"))
    told, expected = guest.read(mine, 65536), host.read(other, 65536)
    assert isinstance(told, bytes) and isinstance(expected, bytes)
    assert decode(told) == decode(expected)
    assert guest.read(mine, 100) == -errno.EAGAIN
    guest.close(mine)
    os.close(other)
