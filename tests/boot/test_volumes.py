"""Folders of the host in the guest (`-v`, 9p): what both sides see, a full host, folders that are not there."""

from __future__ import annotations

import sqlite3
import stat
from pathlib import Path

import pytest

from tests.guest import run, start
from unikit.vm.machine import Volume

HERE = Path(__file__).resolve().parent
STORAGE = ["databases", "archives", "many_names", "mappings", "copies", "waiting_for_locks"]


@pytest.mark.parametrize("profile", ["microvm", "q35"])
def test_a_folder_of_the_host(tmp_path: Path, profile: str) -> None:
    data, fixed = tmp_path / "data, with a comma", tmp_path / "fixed"
    data.mkdir()
    fixed.mkdir()
    (fixed / "given").write_text("given by the host")
    (data / "changing").write_text("old")
    volumes = [Volume(data, "/data"), Volume(fixed, "/fixed", read_only=True)]
    with start(HERE / "host_folder/main.py", memory=128, volumes=volumes, profile=profile) as guest:
        guest.wait_console("change it")
        (data / "appeared").write_text("from the host")
        with (data / "changing").open("r+") as file:
            file.write("new and longer")
        result = guest.wait()
    assert result.status == 0, result.console
    written = data / "written"
    assert written.read_bytes() == b"w" * 100_000
    assert stat.S_IMODE(written.stat().st_mode) == 0o640 and written.stat().st_mtime == 1_000_000_000
    assert (data / "mapped").read_bytes() == bytes(4990) + b"by mapping"
    assert sorted(f.name for f in data.iterdir()) == ["appeared", "changing", "mapped", "written"]


def test_databases_and_archives(tmp_path: Path) -> None:
    """The program that the memory's file system is tested with, on a folder of the host."""
    result = run(
        HERE / "storage/main.py",
        arguments=STORAGE,
        environment={"TMPDIR": "/var/lib/data"},
        volumes=[Volume(tmp_path, "/var/lib/data")],
    )
    assert result.status == 0, result.console
    assert all(part in result.console for part in STORAGE)
    assert list(tmp_path.iterdir()) == []


FULL = """
import errno, os, sqlite3
acknowledged = 0
fd = os.open("/data/file", os.O_CREAT | os.O_RDWR)
try:
    while True:
        acknowledged += os.write(fd, bytes([acknowledged // 10000 % 251]) * 10000)
except OSError as error:
    assert error.errno == errno.ENOSPC, error
size = os.fstat(fd).st_size  # QEMU keeps to itself how much of the last, refused write there was room for
assert 0 <= size - acknowledged < 10000 and acknowledged > 1000000, (size, acknowledged)
whole = os.pread(fd, acknowledged, 0)
assert len(whole) == acknowledged
assert all(whole[i] == i // 10000 % 251 for i in range(0, acknowledged, 997))
os.truncate("/data/file", 1000000)
db = sqlite3.connect("/data/db")
db.execute("create table t (n integer primary key, body)")
rows = 0
try:
    while True:
        with db:
            db.execute("insert into t (body) values (?)", (b"x" * 5000,))
        rows += 1
except sqlite3.OperationalError as error:
    assert "full" in str(error), error
assert rows > 10, rows
os.unlink("/data/file")
assert db.execute("select count(*) from t").fetchone()[0] == rows
assert db.execute("pragma integrity_check").fetchone() == ("ok",)
with db:
    db.execute("insert into t (body) values ('there is room again')")
db.close()
"""


@pytest.mark.root
def test_a_full_host_is_told_and_nothing_is_lost(tmp_path: Path) -> None:
    app, folder = tmp_path / "full.py", tmp_path / "small"
    app.write_text(FULL)
    folder.mkdir()
    small = f'mount -t tmpfs -o size=4m small "{folder}" && exec "$@"'
    prefix = ["unshare", "--mount", "sh", "-c", small, "sh"]
    result = run(app, volumes=[Volume(folder, "/data")], prefix=prefix)
    assert result.status == 0, result.console


def test_the_database_is_there_for_the_host(tmp_path: Path) -> None:
    app, folder = tmp_path / "app.py", tmp_path / "data"
    folder.mkdir()
    app.write_text(
        "import sqlite3\ndb = sqlite3.connect('/data/db')\ndb.execute('pragma journal_mode=wal')\n"
        "with db:\n    db.execute('create table t (a)')\n    db.execute(\"insert into t values ('seen')\")\n"
        "import os; os._exit(3)\n"  # no close: as if the machine had stopped
    )
    result = run(app, volumes=[Volume(folder, "/data")])
    assert result.status == 3, result.console
    assert sqlite3.connect(folder / "db").execute("select a from t").fetchall() == [("seen",)]


@pytest.mark.parametrize(
    ("token", "words"),
    [
        ("nothing:/data", "no folder of the host with the tag 'nothing'"),
        ("volume0:/app/main.py", "cannot appear as /app/main.py"),
        ("volume0", "is no volume"),
    ],
)
def test_a_folder_that_cannot_be_stops_the_boot(tmp_path: Path, token: str, words: str) -> None:
    device = ["-fsdev", f"local,id=volume0,path={tmp_path},security_model=none", "-device",
              "virtio-9p-device,fsdev=volume0,mount_tag=volume0"]  # fmt: skip
    result = run(HERE / "hello/main.py", tokens=[("volume", token)], extra=device)
    assert result.status is None and result.log.error is not None, result.console
    assert result.log.error["code"] == "volume" and words in result.log.error["message"]
