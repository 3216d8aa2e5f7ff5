"""A folder of the host at /data (and one at /fixed, read-only): what file systems promise, and what both sides see."""

import errno
import mmap
import os
import stat
import sys
import tempfile
import threading
import time
from pathlib import Path

DATA = Path("/data")


def fails(number: int, call, *arguments, **named) -> None:
    try:
        call(*arguments, **named)
    except OSError as error:
        assert error.errno == number, error
    else:
        raise AssertionError(f"{call} {arguments}: no error")


def names(top: Path) -> None:
    (top / "file").write_text("one")
    os.link(top / "file", top / "hard")
    assert os.stat(top / "file").st_nlink == 2 and os.path.samefile(top / "file", top / "hard")
    os.symlink("file", top / "soft")
    os.symlink(top / "hard", top / "absolute")
    os.symlink("nowhere", top / "dangling")
    assert (top / "soft").read_text() == (top / "absolute").read_text() == "one"
    assert os.readlink(top / "dangling") == "nowhere" and not (top / "dangling").exists()
    (top / "a/b").mkdir(parents=True)
    (top / "a/b/inner").write_text("inner")
    here = os.open("/", os.O_RDONLY)
    os.chdir(top / "a/b")
    os.rename(top / "a", top / "moved")
    assert os.getcwd() == str(top / "moved/b") and Path("inner").read_text() == "inner"
    os.fchdir(here)
    os.close(here)
    fails(errno.EINVAL, os.rename, top / "moved", top / "moved/b/c")
    fails(errno.ENOTEMPTY, os.rmdir, top / "moved")
    fails(errno.ENOENT, os.stat, top / "a")
    fails(errno.EEXIST, os.mkdir, top / "moved")
    fails(errno.ENOTDIR, os.listdir, top / "file")
    fails(errno.EISDIR, open, top / "moved", "w")
    fails(errno.EXDEV, os.rename, top / "file", "/tmp/file")
    fails(errno.EXDEV, os.link, top / "file", "/tmp/file")
    fails(errno.EBUSY, os.rmdir, "/data")
    fails(errno.EBUSY, os.rename, "/data", "/other")
    fails(errno.ENAMETOOLONG, open, top / ("n" * 256), "w")
    fails(errno.EEXIST, os.open, top / "file", os.O_CREAT | os.O_EXCL)
    fails(errno.EPERM, os.mkfifo, top / "fifo")
    for odd in ("ä b%", "-", "x" * 255, "\n", "a,b"):
        (top / odd).write_text(odd)
        assert odd in os.listdir(top) and (top / odd).read_text() == odd
        (top / odd).unlink()
    (top / "many").mkdir()
    for i in range(500):
        (top / "many" / f"{i:03}{'-' * (i % 60)}").touch()
    with os.scandir(top / "many") as entries:
        found = sorted(e.name[:3] for e in entries if e.is_file())
    assert found == [f"{i:03}" for i in range(500)]
    kinds = {e.name: (e.is_symlink(), e.is_dir(follow_symlinks=False)) for e in os.scandir(top)}
    assert kinds["soft"] == (True, False) and kinds["moved"] == (False, True)


def without_a_name(top: Path) -> None:
    """What is removed or replaced while it is open lives on, and is not taken for what comes after it."""
    path = top / "open"
    with open(path, "w+b") as f:
        f.write(b"a" * 10000)
        f.flush()
        path.unlink()
        path.write_text("another")
        s = os.fstat(f.fileno())
        assert (s.st_size, s.st_nlink) == (10000, 0), s
        f.seek(0)
        assert f.read() == b"a" * 10000
        f.truncate(100)
        f.truncate(5000)
        f.seek(0)
        assert f.read() == b"a" * 100 + bytes(4900)
        f.truncate(10)
        f.seek(12000)
        f.write(b"end")
        f.seek(0)
        assert f.read() == b"a" * 10 + bytes(11990) + b"end"
        os.fsync(f.fileno())
        os.fchmod(f.fileno(), 0o600)
        assert os.stat(path).st_size == 7 and path.read_text() == "another"
    (top / "new").write_text("new")
    with open(path) as old:
        os.replace(top / "new", path)
        assert old.read() == "another" and path.read_text() == "new"
        assert os.fstat(old.fileno()).st_size == 7 and os.stat(path).st_size == 3
    (top / "gone").mkdir()
    fd = os.open(top / "gone", os.O_RDONLY)
    (top / "gone").rmdir()
    fails(errno.ENOENT, os.open, "x", os.O_CREAT | os.O_WRONLY, dir_fd=fd)
    os.close(fd)
    with tempfile.TemporaryFile(dir=top) as f:
        f.write(b"temporary")
        f.seek(0)
        assert f.read() == b"temporary"


def attributes(top: Path) -> None:
    path = top / "attributes"
    before = os.umask(0o027)
    fd = os.open(path, os.O_CREAT | os.O_WRONLY, 0o466)
    os.umask(before)
    os.write(fd, b"its maker may write")
    os.close(fd)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o440
    os.chmod(path, 0o751)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o751 and os.access(path, os.X_OK)
    os.utime(path, ns=(1_600_000_000_123_456_789, 1_500_000_000_987_654_321))
    assert os.stat(path).st_mtime_ns == 1_500_000_000_987_654_321
    assert os.stat(path).st_atime_ns == 1_600_000_000_123_456_789
    os.utime(path)
    assert abs(os.stat(path).st_mtime - time.time()) < 60
    os.truncate(path, 3)
    assert path.read_bytes() == b"its"
    os.truncate(path, 8192)
    assert path.read_bytes() == b"its" + bytes(8189)
    room = os.statvfs(top)
    assert room.f_blocks * room.f_frsize > 1 << 20 and room.f_namemax == 255
    assert os.stat(top).st_dev != os.stat("/tmp").st_dev and os.path.ismount("/data")
    with open(path, "ab") as one, open(path, "ab") as two:
        for i in range(20):
            for f in (one, two):
                f.write(b"%d" % (i % 10))
                f.flush()
        assert two.tell() == 8192 + 40
    assert path.stat().st_size == 8192 + 40
    with open(path, "rb") as f:
        assert f.seek(-2, os.SEEK_END) == 8192 + 38 and f.read() == b"99"


def mappings(top: Path) -> None:
    path, size = top / "mapped", 300_000
    body = os.urandom(size)
    path.write_bytes(body)
    with open(path, "r+b") as f, mmap.mmap(f.fileno(), size) as m:
        assert m[:] == body
        m[5:10] = b"12345"
        m[200_000:200_003] = b"abc"
        assert os.pread(f.fileno(), 5, 5) == b"12345", "a call sees what a mapping wrote"
        os.pwrite(f.fileno(), b"XYZ", 4095)
        assert m[4095:4098] == b"XYZ", "a mapping sees what a call wrote"
        m.flush()
        m[size - 1] = 0x21
    now = path.read_bytes()
    assert now[5:10] == b"12345" and now[200_000:200_003] == b"abc" and now[-1:] == b"!" and len(now) == size
    with open(path, "rb") as f, mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_COPY) as m:
        m[0:4] = b"mine"
        assert m[0:4] == b"mine" and os.pread(f.fileno(), 4, 0) == now[:4]
    (top / "module_of_the_host.py").write_text("answer = 42\n")
    sys.path.insert(0, str(top))
    assert __import__("module_of_the_host").answer == 42
    large = top / "large"  # more than there is memory for
    with open(large, "wb") as f:
        for i in range(96):
            f.write(bytes([i]) * (1 << 20))
    with open(large, "rb") as f, mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ) as m:
        for i in (*range(96), *range(95, -1, -1)):
            assert m[i << 20] == i and m[(i << 20) + 0xFFFFF] == i
    large.unlink()


def threads(top: Path) -> None:
    """Many at once, in files of their own and in one that they share."""
    shared = os.open(top / "shared", os.O_CREAT | os.O_RDWR)
    problems: list[str] = []

    def work(number: int) -> None:
        own = top / f"own{number}"
        for i in range(10):
            body = os.urandom(20_000 + i)
            own.write_bytes(body)
            os.pwrite(shared, bytes([number]) * 1000, number * 1000)
            if own.read_bytes() != body or os.pread(shared, 1000, number * 1000) != bytes([number]) * 1000:
                problems.append(f"thread {number}, round {i}")
            os.fsync(shared)

    workers = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for w in workers:
        w.start()
    for w in workers:
        w.join()
    os.lseek(shared, 0, os.SEEK_SET)
    parts: list[bytes] = []
    readers = [threading.Thread(target=lambda: parts.extend(iter(lambda: os.read(shared, 100), b""))) for _ in range(4)]
    for r in readers:
        r.start()
    for r in readers:
        r.join()
    assert not problems, problems
    assert sorted(b"".join(parts)) == sorted(b"".join(bytes([n]) * 1000 for n in range(8)))
    os.close(shared)


def read_only(top: Path) -> None:
    del top
    assert Path("/fixed/given").read_text() == "given by the host"
    fails(errno.EROFS, open, "/fixed/given", "w")
    fails(errno.EROFS, open, "/fixed/new", "w")
    fails(errno.EROFS, os.unlink, "/fixed/given")
    fails(errno.EROFS, os.chmod, "/fixed/given", 0o600)
    assert not os.access("/fixed/given", os.W_OK) and os.access("/fixed/given", os.R_OK)
    assert os.statvfs("/fixed").f_flag & os.ST_RDONLY


def for_the_host(top: Path) -> None:
    del top
    with open(DATA / "written", "wb") as f:
        f.write(b"w" * 100_000)
        os.fsync(f.fileno())
    os.chmod(DATA / "written", 0o640)
    os.utime(DATA / "written", (1_000_000_000, 1_000_000_000))
    with open(DATA / "mapped", "w+b") as f:
        f.truncate(5000)
        m = mmap.mmap(f.fileno(), 5000)
        m[4990:5000] = b"by mapping"  # never closed: the end of the program is the end of the mapping
    globals()["kept"] = m


def from_the_host(top: Path) -> None:
    """The host changes a file that was open, is open and is opened again."""
    del top
    path = DATA / "changing"
    with open(path, "rb") as f, mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ) as m:
        assert m[:3] == f.read(3) == b"old"
        print("change it", flush=True)
        deadline = time.monotonic() + 60
        while path.read_bytes() != b"new and longer":
            assert time.monotonic() < deadline, "the host's bytes do not come"
            time.sleep(0.01)
        assert os.fstat(f.fileno()).st_size == 14 and os.pread(f.fileno(), 20, 0) == b"new and longer"
        with open(path, "rb") as again, mmap.mmap(again.fileno(), 0, access=mmap.ACCESS_READ) as other:
            assert other[:] == b"new and longer"
    assert (DATA / "appeared").read_text() == "from the host"


with tempfile.TemporaryDirectory(dir=DATA) as folder:
    for part in (names, without_a_name, attributes, mappings, threads, read_only, for_the_host, from_the_host):
        print(part.__name__, flush=True)
        place = Path(folder) / part.__name__
        place.mkdir()
        part(place)
