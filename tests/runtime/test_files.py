"""Files: the tree over an EROFS image, path walk, descriptors and the calls on them, against what Linux does itself."""

from __future__ import annotations

import errno
import os
import random
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .conftest import ROOT

COMPONENTS = [
    f"vfs/{name}"
    for name in (
        "access", "at", "attributes", "close", "cwd", "data", "descriptors", "dup", "erofs", "fcntl", "file", "getdents",
        "io", "kernel_file", "link", "locks", "memfd", "mkdir", "mknod", "names", "open", "path", "read", "readlink",
        "rename", "seek", "send", "stat", "statfs", "sync", "times", "tree", "truncate", "unlink", "write",
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
int page_of(int fd, uint64_t index, int write, void **page);
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
    for size in (0, 1, 4095, 4096, 4097, 8192, 12345):
        (root / "sizes" / str(size)).write_bytes(bytes(random.Random(size).randbytes(size)))
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


@pytest.fixture(scope="module")
def both(
    build: Callable[..., Library], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Guest, Host]]:
    """The library started on an image, and the tree that the image was made of."""
    folder = tmp_path_factory.mktemp("files")
    root = folder / "host"
    root.mkdir()
    before = os.umask(0o022)
    populate(root)
    image = folder / "image.erofs"
    subprocess.run(["mkfs.erofs", str(image), str(root)], check=True, capture_output=True, timeout=60)
    library, ffi = build(COMPONENTS, CDEF, START, INCLUDE)
    assert library.start(str(image).encode()) == 0
    yield Guest(library, ffi), Host(root)
    os.umask(before)


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


def test_the_image_reads_as_the_tree_it_was_made_of(both: tuple[Guest, Host]) -> None:
    assert walk_all(*both) > 700


PATHS = [
    "/a/b/file", "/a/hard", "/a/b/file/", "/a/b/file/x", "/a/b", "/a/b/", "/a//b/./../b/file", "/link", "/link/",
    "/link/file", "/link/../b/file", "/dangling", "/dangling/", "/loop", "/loop/x", "/nothing", "/nothing/x", "/", "/..",
    "/a/../../a/b", "/many/name-0000-", "/many/name-0699-" + "x" * 19, "/many/name-0350-" + "x" * 30, "/many/name", "/many/zzz",
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
                pair = guest.path("linkat", at, e(one), at, e(two), 0), attempt(os.link, here, there, follow_symlinks=False)
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
                self.agree(f"lseek {offset} {whence}", guest.lseek(mine, offset, whence), host.lseek(other, offset, whence))
            case "close":
                del self.open_files[at]
                self.agree("close", guest.close(mine), host.close(other))
            case "ftruncate":
                self.agree(f"ftruncate {offset}", guest.path("ftruncate", mine, offset), attempt(os.ftruncate, other, offset))
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
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.fallocate(fd, 3, ctypes.c_long(offset), ctypes.c_long(n)) == 0:
        return 0
    return -ctypes.get_errno()


@pytest.mark.parametrize("seed", range(int(os.environ.get('SEEDS', '12'))))
def test_random_operations_agree_with_linux(both: tuple[Guest, Host], seed: int) -> None:
    """Operations over image and new files alike, on the same tree all the time."""
    Pair(*both, seed).run(1500)
