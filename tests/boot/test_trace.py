"""A traced run: what the guest says it used becomes the lock file, and the image made from that serves as before."""

from __future__ import annotations

import errno
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests import guest, images
from unikit import pipeline, progress
from unikit.analysis import lock
from unikit.errors import ExitCode
from unikit.native import calls

SERVICE = """
import http.server, importlib, os, sys
import calendar, csv

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/plugin":
            importlib.import_module("plu" + "gin")
        answer = os.environ["WORD"].encode() + open("data/seen.txt", "rb").read()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

if sys.argv[1:] == ["plugin"]:
    import plugin, json.tool
if sys.argv[1:] == ["never"]:
    try:
        os.getxattr("/", "user.x")
    except OSError as error:
        print("getxattr:", error.errno)
    open("data/never.txt")
http.server.HTTPServer(("", 8080), Handler).serve_forever()
"""
SETTINGS = '[tool.unikit]\nentry = "main.py"\nports = [8080]\nenvironment = { WORD = "hello " }\n'
DRIVE = 'test "$(curl -sf "$UNIKIT_URL/plugin")" = "hello world" && test "$UNIKIT_PORT" = "$UNIKIT_PORT_8080"'


def unikit(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "unikit", *arguments]
    return subprocess.run(line, capture_output=True, text=True, timeout=280, cwd=folder)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The service, traced by one command."""
    folder = tmp_path_factory.mktemp("service")
    (folder / "data").mkdir()
    (folder / "data/seen.txt").write_text("world")
    (folder / "data/never.txt").write_text("?")
    (folder / "main.py").write_text(SERVICE)
    (folder / "plugin.py").write_text("import wave\n")
    (folder / "pyproject.toml").write_text(SETTINGS)
    line = ["build", ".", "--python", images.SYSTEM_PYTHON, "--trace", DRIVE, "-o", "traced.img", "--prune", "traced"]
    done = unikit(*line, folder=folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_the_lock_holds_what_was_used(app: Path) -> None:
    [(_, seen)] = lock.read(app / lock.NAME).items()
    assert {"http.server", "plugin", "wave", "encodings.utf_8", "calendar"} <= set(seen.modules)
    assert not {"json.tool", "colorsys"} & set(seen.modules)
    assert "/app/data/seen.txt" in seen.files and "/app/data/never.txt" not in seen.files
    assert {"accept4", "openat", "sendto", "mmap"} <= set(seen.calls) and "inotify_init1" not in seen.calls
    assert seen.commands == (DRIVE,)


def test_calls_and_files_that_were_left_out_are_told_with_the_line_that_keeps_them(app: Path) -> None:
    done = unikit("run", "traced.img", "--", "never", folder=app)
    assert done.returncode == 1 and f"getxattr: {errno.ENOSYS}" in done.stdout
    assert 'add "call:getxattr" to `include`' in done.stderr and "prune = traced" in done.stderr
    assert "data/never.txt is left out of this image" in done.stderr
    assert "include = ['data/never.txt']" in done.stderr
    (app / "pyproject.toml").write_text(SETTINGS + 'include = ["call:getxattr", "data/never.txt"]\n')
    try:
        line = ["run", ".", "--python", images.SYSTEM_PYTHON, "--prune", "traced", "--timeout", "60", "--", "never"]
        done = unikit(*line, folder=app)
    finally:
        (app / "pyproject.toml").write_text(SETTINGS)
    assert f"getxattr: {errno.EOPNOTSUPP}" in done.stdout or f"getxattr: {errno.ENODATA}" in done.stdout, done.stderr
    assert "left out" not in done.stderr


def test_what_was_called_is_what_the_files_can_call(app: Path) -> None:
    build = pipeline.run(pipeline.Request(str(app), images.SYSTEM_PYTHON), progress.Progress(), "natives")
    [(_, seen)] = lock.read(app / lock.NAME).items()
    assert set(seen.calls) <= calls.analyse(build.natives).names


def test_the_traced_image_is_smaller_and_serves(app: Path) -> None:
    safe = images.build(app)
    traced = pipeline.image_of(pipeline.Request(str(app), images.SYSTEM_PYTHON, prune="traced"), progress.Progress())
    assert traced.path.stat().st_size < safe.path.stat().st_size
    with guest.start(traced, ports=[8080]) as running:
        running.wait_listening(8080)
        with urllib.request.urlopen(f"http://127.0.0.1:{running.port(8080)}/plugin", timeout=60) as answer:
            assert answer.read() == b"hello world"
        assert running.stop() == 143
        assert running.log.missing == []


def test_what_the_trace_did_not_see_is_told_in_the_guest(app: Path) -> None:
    done = unikit("run", "traced.img", "--", "plugin", folder=app)
    assert done.returncode == 1
    assert "No module named 'json' (left out of this image: prune = traced" in done.stdout
    assert 'add "json" to `include`' in done.stdout


@pytest.mark.parametrize(
    ("program", "command", "message"),
    [
        ("raise SystemExit(3)", "", "ended with status 3"),
        ("", "true", "ended with status 0 before it listened"),
        (SERVICE, "exit 4", "command ended with status 4"),
    ],
)
def test_a_trace_that_fails_leaves_no_lock(tmp_path: Path, program: str, command: str, message: str) -> None:
    (tmp_path / "main.py").write_text(program)
    (tmp_path / "plugin.py").write_text("")
    done = unikit("build", "main.py", "--python", images.SYSTEM_PYTHON, "--trace", command, folder=tmp_path)
    assert done.returncode == int(ExitCode.TRACE) and message in done.stderr, done.stderr
    assert not (tmp_path / lock.NAME).exists()
