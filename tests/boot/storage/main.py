"""Files as libraries use them: databases, archives, shared memory, mappings, copies in the kernel, locks."""

import concurrent.futures
import contextlib
import dbm.dumb
import errno
import fcntl
import filecmp
import mmap
import os
import shutil
import sqlite3
import stat
import sys
import tarfile
import tempfile
import threading
import time
import zipfile
from multiprocessing import resource_tracker, shared_memory
from pathlib import Path


def databases(top: Path) -> None:
    for mode in ("WAL", "DELETE", "MEMORY"):
        path = top / f"{mode}.db"
        with contextlib.closing(sqlite3.connect(path)) as db:
            assert db.execute(f"pragma journal_mode={mode}").fetchone()[0].upper() == mode
            db.execute("create table t (n integer primary key, text)")
            for i in range(20):
                with db:
                    db.executemany("insert into t (text) values (?)", ((f"row {i}.{j}",) for j in range(100)))

        def count(path: Path = path) -> int:
            with contextlib.closing(sqlite3.connect(path, timeout=100)) as db, db:
                db.execute("insert into t (text) values ('more')")
                return db.execute("select count(*) from t").fetchone()[0]

        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            counts = list(pool.map(lambda _: count(), range(12)))
        assert max(counts) == 2012 and len(set(counts)) == 12, counts
        with contextlib.closing(sqlite3.connect(path)) as db:
            assert db.execute("pragma integrity_check").fetchone()[0] == "ok"
    with dbm.dumb.open(str(top / "shelf"), "c") as shelf:
        shelf["a"] = b"value" * 100
    with dbm.dumb.open(str(top / "shelf"), "r") as shelf:
        assert shelf["a"] == b"value" * 100


def archives(top: Path) -> None:
    source = top / "source"
    for i in range(30):
        folder = source / f"d{i % 5}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"f{i}").write_bytes(os.urandom(i * 777))
    os.symlink("d1/f1", source / "link")
    with tarfile.open(top / "a.tar.gz", "w:gz") as tar:
        tar.add(source, "x")
    with tarfile.open(top / "a.tar.gz") as tar:
        tar.extractall(top / "out")
    assert not filecmp.dircmp(source, top / "out/x").diff_files
    assert os.readlink(top / "out/x/link") == "d1/f1"
    assert (top / "out/x/d1/f6").stat().st_mtime_ns // 10**9 == (source / "d1/f6").stat().st_mtime_ns // 10**9
    with zipfile.ZipFile(top / "a.zip", "w") as z:
        for path in source.rglob("*"):
            z.write(path)
        z.write(__file__, "of the image")  # which has a date that archives know
    with zipfile.ZipFile(top / "a.zip") as z:
        assert z.testzip() is None
    shutil.copytree(source, top / "copy", symlinks=True)
    assert sum(len(f) for _, _, f in os.walk(top / "copy")) == 31


def many_names(top: Path) -> None:
    folder = top / "many"
    folder.mkdir()
    at = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)  # so that the way there is not walked each time
    for i in range(3000):
        os.close(os.open(f"{i:05}", os.O_CREAT | os.O_EXCL | os.O_WRONLY, dir_fd=at))
    assert len(os.listdir(folder)) == 3000
    with os.scandir(folder) as entries:
        for n, entry in enumerate(entries):  # removed while it is listed
            if n % 2:
                os.unlink(entry.name, dir_fd=at)
    assert len(os.listdir(at)) == 1500
    os.close(at)
    os.rename(folder, top / "moved")
    shutil.rmtree(top / "moved")


def mappings(top: Path) -> None:
    resource_tracker.register = resource_tracker.unregister = lambda *_: None  # it would start a process
    memory = shared_memory.SharedMemory(create=True, size=100_000)
    other = shared_memory.SharedMemory(name=memory.name)
    memory.buf[99_999] = 77
    assert other.buf[99_999] == 77 and f"{memory.name}" in os.listdir("/dev/shm")
    other.close()
    memory.close()
    memory.unlink()
    path = top / "mapped"
    path.write_bytes(b"a" * 10_000)
    with open(path, "r+b") as f, mmap.mmap(f.fileno(), 0) as shared, mmap.mmap(f.fileno(), 0, mmap.MAP_PRIVATE) as own:
        own[0:3] = b"own"
        shared[5000:5005] = b"hello"
        assert path.read_bytes()[5000:5005] == b"hello" and path.read_bytes()[:3] == b"aaa"
        os.pwrite(f.fileno(), b"written", 9000)
        assert shared[9000:9007] == b"written" and own[0:3] == b"own"
    image = Path(__file__)  # a file of the image, mapped in place, then written
    before = image.read_bytes()
    with open(image, "r+b") as f, mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ) as shared:
        assert shared[:] == before
        os.pwrite(f.fileno(), b"#", 5)
        assert shared[5:6] == b"#" and shared[6:] == before[6:], "the mapping sees the write"
        os.pwrite(f.fileno(), before[5:6], 5)
    assert image.read_bytes() == before
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("name", os.MFD_ALLOW_SEALING)
        os.write(fd, b"x" * 5000)
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK)
        try:
            os.ftruncate(fd, 10)
        except PermissionError:
            pass
        else:
            raise AssertionError("a sealed file shrank")
        with open(f"/proc/self/fd/{fd}", "rb") as again:
            assert len(again.read()) == 5000
        os.close(fd)


def holes(top: Path) -> None:
    with open(top / "sparse", "w+b") as f:
        f.truncate(1 << 42)
        f.seek(1 << 41)
        f.write(b"in the middle")
        f.flush()
        s = os.fstat(f.fileno())
        assert s.st_size == 1 << 42 and s.st_blocks * 512 < 100_000
        assert os.lseek(f.fileno(), 0, os.SEEK_DATA) == 1 << 41
        assert os.lseek(f.fileno(), 1 << 41, os.SEEK_HOLE) == (1 << 41) + 4096
    free = os.statvfs(top)
    assert 0 < free.f_bavail <= free.f_blocks and shutil.disk_usage(top).free > 1 << 20
    big = top / "big"
    try:
        with open(big, "wb") as f:
            while True:
                f.write(bytes(1 << 20))
    except OSError as e:
        assert e.errno == errno.ENOSPC
    size = big.stat().st_size
    assert size > 1 << 20
    big.unlink()
    assert os.statvfs(top).f_bavail >= free.f_bavail - 16, "removing gave the room back"


def copies(top: Path) -> None:
    body = os.urandom(1 << 20)
    (top / "from").write_bytes(body)
    with open(top / "from", "rb") as source, open(top / "to", "w+b") as target:
        assert os.copy_file_range(source.fileno(), target.fileno(), 1 << 20) == 1 << 20
        reader, writer = os.pipe()
        source.seek(0)
        moved = os.splice(source.fileno(), writer, 30_000) if hasattr(os, "splice") else 0
        assert moved == 0 or os.read(reader, 40_000) == body[:moved]
        os.close(reader)
        os.close(writer)
    assert (top / "to").read_bytes() == body
    shutil.copyfile(top / "from", top / "third")
    assert filecmp.cmp(top / "from", top / "third", shallow=False)


def waiting_for_locks(top: Path) -> None:
    order = []
    with open(top / "lock", "w") as first:
        fcntl.flock(first, fcntl.LOCK_EX)

        def wait() -> None:
            with open(top / "lock", "w") as second:
                fcntl.flock(second, fcntl.LOCK_EX)
                order.append("second")

        thread = threading.Thread(target=wait)
        thread.start()
        time.sleep(0.05)
        order.append("first")
        fcntl.flock(first, fcntl.LOCK_UN)
        thread.join(10)
    assert order == ["first", "second"]


def special_files(top: Path) -> None:
    os.mkfifo(top / "fifo")
    assert stat.S_ISFIFO(os.stat(top / "fifo").st_mode)
    thread = threading.Thread(target=lambda: (top / "fifo").write_text("through"))
    thread.start()
    assert (top / "fifo").read_text() == "through"
    thread.join(10)
    with tempfile.TemporaryFile(dir=top) as f:
        f.write(b"x")
        f.flush()
        assert os.fstat(f.fileno()).st_nlink == 0 and "deleted" in os.readlink(f"/proc/self/fd/{f.fileno()}")
    reader, writer = os.pipe()
    with open(f"/dev/fd/{writer}", "w") as f:
        f.write("again")
    assert os.read(reader, 10) == b"again" and os.readlink(f"/proc/self/fd/{reader}").startswith("pipe:[")
    here = os.open(".", os.O_RDONLY)
    os.chdir(top)
    assert os.readlink("/proc/self/cwd") == os.getcwd() == str(top)
    os.fchdir(here)
    os.close(here)
    for path in ("/proc/self/limits", "/proc/self/mountinfo", "/proc/stat", "/proc/sys/kernel/random/uuid",
                 "/proc/thread-self/comm", "/proc/self/io", "/proc/sys/kernel/osrelease"):  # fmt: skip
        assert Path(path).read_text(), path
    own = f"/proc/{os.getpid()}/task/{os.getpid()}"
    assert os.path.realpath(f"/proc/self/task/{threading.get_native_id()}") == own
    other = threading.Thread(target=time.sleep, args=(0.2,))
    other.start()
    assert str(other.native_id) in os.listdir("/proc/self/task")
    other.join()


PARTS = (databases, archives, many_names, mappings, copies, waiting_for_locks, special_files, holes)
with tempfile.TemporaryDirectory() as folder:
    here = Path(folder)
    for part in PARTS:
        if (part is holes and os.environ.get("ON_LINUX")) or part.__name__ not in (sys.argv[1:] or part.__name__):
            continue
        part(here)
        print(part.__name__)
