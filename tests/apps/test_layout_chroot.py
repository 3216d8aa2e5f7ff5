"""The root file systems of real applications, run by the host's kernel under chroot: what the stages choose is enough.

Everything that a guest would get is there and nothing else: the files, the arguments and the environment of the boot
configuration. Needs root for chroot and a network namespace of its own."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import pytest

from unikit.analysis import imports, interpreter, natives, source
from unikit.image import erofs, prune
from unikit.model import FileKind, Pruned

pytestmark = pytest.mark.root
DEADLINE = 60
DEBIAN = Path("/usr/bin/python3")

WEB = """
import asyncio, json, sys

async def serve(reader, writer):
    await reader.readuntil(b"\\r\\n\\r\\n")
    body = json.dumps({"python": sys.version.split()[0]}).encode()
    writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\nConnection: close\\r\\n\\r\\n" % len(body) + body)
    await writer.drain()
    writer.close()

async def main():
    server = await asyncio.start_server(serve, "0.0.0.0", 8080)
    print("READY", flush=True)
    async with server:
        await server.serve_forever()

asyncio.run(main())
"""

FLASK = """
import sqlite3
from flask import Flask, jsonify, render_template

app = Flask(__name__)
db = sqlite3.connect(":memory:", check_same_thread=False)

@app.get("/")
def index():
    return jsonify(python=db.execute("select sqlite_version()").fetchone()[0])

@app.get("/page")
def page():
    return render_template("page.html", name="world")

if __name__ == "__main__":
    app.run("0.0.0.0", 8080, threaded=True)
"""

STDLIB = """
import asyncio, bz2, concurrent.futures, csv, ctypes, datetime, decimal, email.mime.text, hashlib, io, json, locale
import logging.config, lzma, pickle, sqlite3, struct, tempfile, threading, time, traceback, unicodedata, uuid, warnings
import xml.etree.ElementTree, zipfile, zoneinfo
logging.config.dictConfig({
    "version": 1, "handlers": {"h": {"class": "logging.StreamHandler", "stream": "ext://sys.stdout"}},
    "root": {"handlers": ["h"], "level": "INFO"},
})
logging.info("log")
assert time.strptime("2020-01-02", "%Y-%m-%d").tm_yday == 2
assert datetime.datetime(2020, 7, 1, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin")).utcoffset().seconds == 7200
assert pickle.loads(pickle.dumps(decimal.Decimal(2))) == 2
assert bz2.decompress(bz2.compress(b"q")) == b"q" and lzma.decompress(lzma.compress(b"w")) == b"w"
assert hashlib.sha256(b"").hexdigest().startswith("e3b0") and hashlib.md5(b"").hexdigest().startswith("d41d")
assert "ä".encode("idna") == b"xn--4ca" and b"\\xe4".decode("cp1252") == "ä"
assert uuid.uuid4().version == 4 and xml.etree.ElementTree.fromstring("<a><b/></a>").find("b") is not None
assert "base64" in email.mime.text.MIMEText("grüße").as_string()
with concurrent.futures.ThreadPoolExecutor(2) as pool:
    assert list(pool.map(lambda x: x * x, range(3))) == [0, 1, 4]
assert asyncio.run(asyncio.to_thread(lambda: 5)) == 5
locale.setlocale(locale.LC_ALL, "")
archive = io.BytesIO()
zipfile.ZipFile(archive, "w").writestr("a", "b")
warnings.warn("careful")
try:
    1 / 0
except ZeroDivisionError:
    text = traceback.format_exc()
assert "1 / 0" in text and "/app/main.py" in text, text
exit(7)
"""


def pythons() -> list[str]:
    """Debian's interpreter and every one of pyenv, as far as they are here."""
    found = [str(DEBIAN)] if DEBIAN.exists() else []
    found += [str(p) for p in sorted(Path.home().glob(".pyenv/versions/3.1[0-9]*/bin/python3"))]
    return found or [sys.executable]


def build(app: Path, python: str) -> Pruned:
    return prune.prune(natives.resolve(imports.analyse(source.load(str(app), python))))


def unpack(pruned: Pruned, folder: Path) -> Path:
    folder.mkdir()
    for file in pruned.files:
        path = folder / file.path.lstrip("/")
        if file.kind is FileKind.DIRECTORY:
            path.mkdir()
            path.chmod(file.mode)
        elif file.kind is FileKind.SYMLINK:
            path.symlink_to(file.target)
        else:
            path.write_bytes(file.read())
            path.chmod(file.mode)
    return folder


@contextlib.contextmanager
def running(pruned: Pruned, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """The guest's program in a root and a network namespace of its own, as the boot configuration says."""
    boot = pruned.boot
    arguments = json.dumps([str(folder), boot.exec, boot.argv, boot.cwd])
    program = (
        "import os, sys, json, subprocess; root, path, argv, cwd = json.loads(sys.argv[1]);"
        "subprocess.run(['ip', 'link', 'set', 'lo', 'up'], check=True, env={'PATH': '/usr/sbin:/sbin:/usr/bin:/bin'});"
        "os.chroot(root); os.chdir(cwd); os.execve(path, argv, dict(os.environ))"
    )
    process = subprocess.Popen(
        ["/usr/bin/unshare", "--net", sys.executable, "-c", program, arguments],
        env=dict(boot.environment), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def get(process: subprocess.Popen[str], path: str) -> str:
    """GET from port 8080 in the network namespace of the process."""
    program = (
        "import socket, sys; s = socket.create_connection(('127.0.0.1', 8080), 5);"
        f"s.sendall(b'GET {urllib.parse.quote(path)} HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n');"
        "sys.stdout.write(b''.join(iter(lambda: s.recv(65536), b'')).decode())"
    )
    end = time.monotonic() + DEADLINE
    while True:
        command = ["nsenter", "--net", "--target", str(process.pid), sys.executable, "-c", program]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode == 0:
            return done.stdout
        if process.poll() is not None or time.monotonic() > end:
            process.kill()
            pytest.fail(f"no answer: {done.stderr[-300:]}\n{process.communicate()[0][-2000:]}")
        time.sleep(0.1)


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    yield
    interpreter.probe.cache_clear()


@pytest.mark.parametrize("python", pythons())
def test_the_standard_library_works_and_the_status_comes_out(tmp_path: Path, python: str) -> None:
    app = tmp_path / "main.py"
    app.write_text(STDLIB)
    pruned = build(app, python)
    with running(pruned, unpack(pruned, tmp_path / "root")) as process:
        output, _ = process.communicate(timeout=DEADLINE)
    assert process.returncode == 7, output
    assert "log" in output and "UserWarning: careful" in output


@pytest.mark.parametrize("python", pythons())
def test_an_asyncio_service_answers(tmp_path: Path, python: str) -> None:
    app = tmp_path / "web.py"
    app.write_text(WEB)
    pruned = build(app, python)
    with running(pruned, unpack(pruned, tmp_path / "root")) as process:
        answer = get(process, "/")
    version = ".".join(map(str, pruned.source.python.version))
    assert answer.startswith("HTTP/1.1 200") and version in answer


@pytest.fixture(scope="module")
def flask_python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A virtual environment with flask."""
    folder = tmp_path_factory.mktemp("venv")
    subprocess.run([pythons()[0], "-m", "venv", str(folder)], check=True)
    subprocess.run([str(folder / "bin" / "pip"), "install", "--quiet", "flask"], check=True)
    return str(folder / "bin" / "python")


@pytest.mark.parametrize("served", [False, True])
def test_a_flask_application_answers(
    tmp_path: Path, flask_python: str, served: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shop.py").write_text(FLASK)
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "page.html").write_text("<p>Hello {{ name }}</p>")
    monkeypatch.chdir(tmp_path)
    app = "shop:app" if served else "shop.py"
    pruned = prune.prune(natives.resolve(imports.analyse(source.load(app, flask_python))))
    with running(pruned, unpack(pruned, tmp_path / "root")) as process:
        assert '"python":"3.' in get(process, "/").replace(" ", "")
        assert "<p>Hello world</p>" in get(process, "/page")
        assert "404" in get(process, "/nothing").partition("\r\n")[0]


def without_zeros(content: bytes) -> bytes:
    """What erofs-utils before 1.6 take out of a file with holes: everything else, moved together."""
    blocks = (content[at : at + 4096] for at in range(0, len(content), 4096))
    return b"".join(block for block in blocks if block.strip(b"\0"))


def test_other_tools_read_the_image(tmp_path: Path) -> None:
    """erofs-utils find no fault, and take out what went in."""
    app = tmp_path / "web.py"
    app.write_text(WEB)
    pruned = build(app, pythons()[0])
    path = tmp_path / "root.erofs"
    with path.open("wb") as out:
        assert erofs.write(pruned.files, out) == path.stat().st_size
    checker = shutil.which("fsck.erofs")
    assert checker, "erofs-utils is not installed"
    done = subprocess.run([checker, "--extract=" + str(tmp_path / "out"), str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for file in pruned.files:
        taken = tmp_path / "out" / file.path.lstrip("/")
        if file.kind is FileKind.FILE:
            content = taken.read_bytes()
            assert content == file.read() or content == without_zeros(file.read())
            assert taken.stat().st_mode & 0o7777 == file.mode
        elif file.kind is FileKind.SYMLINK:
            assert os.readlink(taken) == file.target
        else:
            assert taken.is_dir()
