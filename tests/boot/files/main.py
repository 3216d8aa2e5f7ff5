"""Files as Python programs use them: temporary files, names, links, locks, times, mappings, directories."""

import errno
import fcntl
import mmap
import os
import shutil
import stat
import tempfile
from pathlib import Path


def fails(number, function, *arguments, **keywords):
    try:
        function(*arguments, **keywords)
    except OSError as e:
        assert e.errno == number, (errno.errorcode[e.errno], errno.errorcode[number], arguments)
    else:
        raise AssertionError(f"{function.__name__}{arguments} did not fail with {errno.errorcode[number]}")


def attributes(top: Path) -> None:
    """Extended ones. Where there can be none, each call says so in its own way."""
    file, other = top / "file", top / "other"
    file.write_text("x")
    fails(errno.ENODATA, os.getxattr, file, "user.a")
    fails(errno.ENODATA, os.removexattr, file, "user.a")
    fails(errno.ENODATA, os.setxattr, file, "user.a", b"", os.XATTR_REPLACE)
    os.setxattr(file, "user.a", b"", os.XATTR_CREATE)
    fails(errno.EEXIST, os.setxattr, file, "user.a", b"1", os.XATTR_CREATE)
    with open(file) as opened:
        os.setxattr(opened.fileno(), "user.b", b"\0value\0")
        assert os.getxattr(opened.fileno(), "user.a") == b"" and sorted(os.listxattr(opened.fileno())) == [
            "user.a",
            "user.b",
        ]
        os.setxattr(file, "user.a", bytes(1000))
        assert os.getxattr(file, "user.a") == bytes(1000)
        os.removexattr(opened.fileno(), "user.a")
    os.link(file, other)
    os.rename(file, top / "renamed")
    assert os.listxattr(other) == ["user.b"] and os.getxattr(top / "renamed", "user.b") == b"\0value\0"
    shutil.copy2(other, top / "copy")
    assert os.getxattr(top / "copy", "user.b") == b"\0value\0"
    os.symlink("copy", top / "link")
    assert os.getxattr(top / "link", "user.b") == b"\0value\0"
    fails(errno.EPERM, os.setxattr, top / "link", "user.c", b"", follow_symlinks=False)
    os.setxattr(top / "link", "trusted.c", b"link's", follow_symlinks=False)
    assert os.listxattr(top / "link", follow_symlinks=False) == ["trusted.c"] and os.listxattr(top / "link") == [
        "user.b"
    ]
    os.setxattr(top, "user.folder", b"1")
    assert os.listxattr(top) == ["user.folder"]
    fails(errno.EOPNOTSUPP, os.setxattr, other, "plain", b"")
    fails(errno.EINVAL, os.setxattr, other, "user.", b"")
    fails(errno.ERANGE, os.setxattr, other, "user." + "n" * 251, b"")
    fails(errno.E2BIG, os.setxattr, other, "user.b", bytes(65537))
    fails(errno.ENOENT, os.setxattr, top / "absent", "user.b", b"")
    before = other.stat().st_mtime_ns
    many = {f"user.{i}" for i in range(100)}
    for name in many:
        os.setxattr(other, name, name.encode())
    assert set(os.listxattr(other)) == {*many, "user.b"} and other.stat().st_mtime_ns == before
    with open(other) as opened:
        other.unlink()
        (top / "renamed").unlink()
        assert os.getxattr(opened.fileno(), "user.99") == b"user.99"
    assert os.listxattr("/proc/self/status") == []
    fails(errno.EOPNOTSUPP, os.setxattr, "/proc/self/status", "user.a", b"")


def names(top: Path) -> None:
    file = top / "a"
    file.write_text("hello")
    assert file.read_text() == "hello" and file.stat().st_size == 5 and file.stat().st_nlink == 1
    os.link(file, top / "b")
    assert (top / "b").samefile(file) and file.stat().st_nlink == 2
    os.symlink("a", top / "s")
    assert os.readlink(top / "s") == "a" and (top / "s").read_text() == "hello" and (top / "s").is_symlink()
    os.rename(top / "b", top / "c")
    assert sorted(os.listdir(top)) == ["a", "c", "s"]
    fails(errno.ENOENT, os.stat, top / "b")
    fails(errno.ENOTDIR, os.stat, file / "x")
    fails(errno.EEXIST, os.mkdir, file)
    os.makedirs(top / "d/e/f")
    fails(errno.ENOTEMPTY, os.rmdir, top / "d")
    fails(errno.EINVAL, os.rename, top / "d", top / "d/e/x")
    fails(errno.EISDIR, os.open, top / "d", os.O_WRONLY)
    fails(errno.ENOTDIR, os.rmdir, file)
    os.symlink("loop", top / "loop")
    fails(errno.ELOOP, os.stat, top / "loop")
    fails(errno.ENAMETOOLONG, os.stat, top / ("n" * 300))
    os.replace(file, top / "c")
    assert file.exists(), "two names of one file: rename does nothing"
    (top / "x").write_text("other")
    os.replace(top / "x", top / "c")
    assert not (top / "x").exists() and (top / "c").read_text() == "other" and file.stat().st_nlink == 1
    assert [e.name for e in os.scandir(top / "d")] == ["e"]
    with open(top / "gone", "w+") as f:
        os.unlink(top / "gone")
        f.write("still here")
        f.seek(0)
        assert f.read() == "still here" and os.fstat(f.fileno()).st_nlink == 0
    for i in range(300):
        (top / f"d/e/{i}").touch()
    assert len(os.listdir(top / "d/e")) == 301
    shutil.rmtree(top / "d")
    here = os.getcwd()
    os.chdir(top)
    assert os.getcwd() == str(top) and os.path.exists("c")
    os.chdir(here)
    directory = os.open(top, os.O_RDONLY | os.O_DIRECTORY)
    handle = os.open("c", os.O_RDONLY, dir_fd=directory)
    assert os.read(handle, 10) == b"other"
    os.close(handle)
    os.close(directory)
    fails(errno.EBADF, os.close, handle)


def contents(top: Path) -> None:
    fd = os.open(top / "data", os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o640)
    assert stat.S_IMODE(os.fstat(fd).st_mode) == 0o640
    assert os.pwrite(fd, b"end", 1_000_000) == 3 and os.fstat(fd).st_size == 1_000_003
    assert os.fstat(fd).st_blocks * 512 < 100_000, "a hole takes room"
    assert os.pread(fd, 5, 999_998) == b"\0\0end" and os.lseek(fd, 0, os.SEEK_END) == 1_000_003
    os.ftruncate(fd, 10)
    os.ftruncate(fd, 20)
    assert os.pread(fd, 100, 0) == bytes(20)
    os.posix_fallocate(fd, 0, 8192)
    assert os.fstat(fd).st_size == 8192
    assert os.writev(fd, [b"one", b"two"]) == 6
    parts = [bytearray(2), bytearray(4)]
    assert os.preadv(fd, parts, 1_000_003 % 8192) >= 0
    os.fchmod(fd, 0o600)
    os.utime(fd, ns=(1_000_000_000, 2_000_000_123))
    assert os.fstat(fd).st_mtime_ns == 2_000_000_123 and os.fstat(fd).st_atime_ns == 1_000_000_000
    os.fsync(fd)
    os.fdatasync(fd)
    copy = os.dup(fd)
    os.lseek(fd, 4, os.SEEK_SET)
    assert os.lseek(copy, 0, os.SEEK_CUR) == 4 and not os.get_inheritable(copy)
    os.close(copy)
    with mmap.mmap(fd, 8192) as m:
        m[100:105] = b"mmap!"
        m.flush()
        assert os.pread(fd, 5, 100) == b"mmap!" and m.find(b"mmap!") == 100
    out = os.open(top / "out", os.O_WRONLY | os.O_CREAT, 0o600)
    assert os.sendfile(out, fd, 100, 5) == 5 and (top / "out").read_bytes() == b"mmap!"
    fcntl.fcntl(out, fcntl.F_SETFL, os.O_APPEND)
    os.lseek(out, 0, os.SEEK_SET)
    os.write(out, b"+")
    assert (top / "out").read_bytes() == b"mmap!+"
    os.close(out)
    os.close(fd)
    with tempfile.TemporaryFile() as t, tempfile.NamedTemporaryFile() as n, tempfile.SpooledTemporaryFile() as s:
        for f in (t, n, s):
            f.write(b"x" * 100_000)
            f.seek(0)
            assert len(f.read()) == 100_000


def locks(top: Path) -> None:
    with open(top / "lock", "w") as one, open(top / "lock", "w") as two:
        fcntl.flock(one, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fails(errno.EAGAIN, fcntl.flock, two, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.flock(one, fcntl.LOCK_UN)
        fcntl.flock(two, fcntl.LOCK_SH | fcntl.LOCK_NB)
        fcntl.lockf(one, fcntl.LOCK_EX | fcntl.LOCK_NB, 10, 5)
        fcntl.lockf(one, fcntl.LOCK_UN)


def the_image() -> None:
    """Files of the read-only image can be changed in memory."""
    source = Path(__file__).resolve()
    size = source.stat().st_size
    assert size > 1000 and len(source.read_bytes()) == size
    with open(source, "ab") as f:
        f.write(b"#")
    assert source.stat().st_size == size + 1 and source.read_bytes()[-1:] == b"#"
    os.setxattr("/etc/passwd", "user.image", b"of a file that the image holds")
    assert (
        os.getxattr("/etc/passwd", "user.image").startswith(b"of a file") and "root:" in Path("/etc/passwd").read_text()
    )
    os.removexattr("/etc/passwd", "user.image")
    (source.parent / "new.txt").write_text("beside")
    assert "new.txt" in os.listdir(source.parent) and os.path.basename(source) in os.listdir(source.parent)
    os.unlink(source)
    assert os.path.basename(source) not in os.listdir(source.parent)
    fails(errno.ENOENT, os.stat, source)


def devices() -> None:
    assert open("/dev/zero", "rb").read(10) == bytes(10) and open("/dev/null", "rb").read() == b""
    with open("/dev/null", "wb") as f:
        assert f.write(b"x" * 10_000) == 10_000
    with open("/dev/full", "wb", buffering=0) as f:
        fails(errno.ENOSPC, f.write, b"x")
    assert len(set(open("/dev/urandom", "rb").read(64))) > 20
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        names(Path(folder))
        attributes(Path(folder))
        contents(Path(folder))
        locks(Path(folder))
    assert not os.path.exists(folder)
    devices()
    if not os.environ.get("ON_LINUX"):
        the_image()


main()
