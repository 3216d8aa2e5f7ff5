"""The lock file's text."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from unikit.analysis import lock
from unikit.analysis.lock import Lock
from unikit.errors import ExitCode, UserError

ONE = Lock("main.py", "3.11", ('curl "$URL" \\ \x7f', ""), ("a", "b.c"), ("/lib/x.so",), ("read",))
TWO = Lock("m:app", "3.12", (), (), (), ())


def test_the_text_is_sorted_and_a_name_a_line(tmp_path: Path) -> None:
    text = lock.dump({"two": TWO, "my-app": ONE})
    assert text.index("[my-app]") < text.index("[two]")
    assert '    "a",\n    "b.c",\n' in text
    file = tmp_path / "unikit.lock"
    file.write_text(text)
    assert lock.read(file) == {"my-app": ONE, "two": TWO}
    assert lock.dump(lock.read(file)) == text


@pytest.mark.parametrize(
    "text",
    ["x", "format = 99", "[a]\nentry='m'", "format = 1\n[a]\nentry = 1", "format = 1\na = 2", "format = '1'", "\xff"],
)
def test_a_damaged_file_is_told(tmp_path: Path, text: str) -> None:
    file = tmp_path / "unikit.lock"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(UserError) as caught:
        lock.read(file)
    assert caught.value.code is ExitCode.LOCK and caught.value.hint


def test_modules_are_known_by_their_files() -> None:
    python = SimpleNamespace(suffixes=(".cpython-311-x86_64-linux-gnu.so", ".so"), cache_tag="cpython-311")
    roots = [(Path(), r, "app") for r in ("/app", "/usr/lib/python3.11", "/usr/lib/python3.11/site-packages")]
    finder = SimpleNamespace(python=python, roots=roots)
    found = {
        path: lock.module_of(path, finder)  # type: ignore[arg-type]
        for path in (
            "/usr/lib/python3.11/os.pyc",
            "/usr/lib/python3.11/site-packages/p/__init__.pyc",
            "/usr/lib/python3.11/site-packages/p/x.cpython-311-x86_64-linux-gnu.so",
            "/app/__pycache__/m.cpython-311.pyc",
            "/app/k/__pycache__/__init__.cpython-311.pyc",
            "/app/data.txt",
            "/usr/lib/python3.11/site-packages/p.libs/libz-1.2.so",
            "/lib/libc.so.6",
        )
    }
    assert list(found.values()) == ["os", "p", "p.x", "m", "k", None, None, None]


def test_the_file_has_the_name_that_the_documentation_gives_it() -> None:
    assert lock.NAME == "unikit.lock"
