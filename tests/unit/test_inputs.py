"""Whether a build is up to date, and which objects are the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from unikit import cache, inputs
from unikit.errors import ExitCode, UserError
from unikit.kernel import compiler, upstream
from unikit.kernel.compiler import ObjectCache, Unit


def test_an_unchanged_build_is_recognised(tmp_path: Path) -> None:
    file, folder = tmp_path / "a.py", tmp_path / "package"
    file.write_text("1")
    folder.mkdir()
    record = tmp_path / "record"
    assert inputs.unchanged(record) is None
    inputs.remember(record, [file, folder, tmp_path / "absent"], "answer")
    assert inputs.unchanged(record) == "answer"


@pytest.mark.parametrize("change", ["edit", "delete", "new in folder", "appears", "damaged record"])
def test_a_change_is_seen(tmp_path: Path, change: str) -> None:
    file, folder, absent = tmp_path / "a.py", tmp_path / "package", tmp_path / "x" / "absent"
    file.write_text("1")
    folder.mkdir()
    absent.parent.mkdir()
    record = tmp_path / "record"
    inputs.remember(record, [file, folder, absent], "answer")
    match change:
        case "edit":
            file.write_text("22")
        case "delete":
            file.unlink()
        case "new in folder":
            (folder / "new.py").touch()
        case "appears":
            absent.touch()
        case "damaged record":
            record.write_text(record.read_text()[:-5])
    assert inputs.unchanged(record) is None


def test_make_rules_are_read() -> None:
    text = "out.o: /a/b.c \\\n /a/with\\ space.h \\\n  /c.h\n"
    assert compiler._dependencies(text) == ["/a/b.c", "/a/with space.h", "/c.h"]


class Compiler:
    """In gcc's place: notes each call, writes an object and the rule with one header."""

    def __init__(self, header: Path) -> None:
        self.header, self.calls = header, 0

    def __call__(self, line: list[str], **_: object) -> object:
        self.calls += 1
        source = line[line.index("-c") + 1]
        Path(line[line.index("-o") + 1]).write_text("object")
        Path(line[line.index("-MF") + 1]).write_text(f"x: {source} {self.header}\n")
        return type("Done", (), {"returncode": 0, "stderr": ""})()


@pytest.fixture
def gcc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Compiler:
    (tmp_path / "a.h").write_text("1")
    (tmp_path / "a.c").write_text("int a;")
    fake = Compiler(tmp_path / "a.h")
    monkeypatch.setattr(compiler.subprocess, "run", fake)
    monkeypatch.setattr(compiler, "tool", lambda name: name)
    monkeypatch.setattr(compiler, "version", lambda: "gcc 1")
    return fake


def compile_once(folder: Path, flags: tuple[str, ...] = ("-O2",)) -> Path:
    objects, failures = ObjectCache({folder: "src"}).compile([Unit("a", folder / "a.c", flags)], 1)
    assert not failures
    return objects[0].path


def test_an_object_is_compiled_once(gcc: Compiler, tmp_path: Path) -> None:
    assert compile_once(tmp_path) == compile_once(tmp_path)
    assert gcc.calls == 1


def test_an_object_depends_on_headers_flags_and_compiler(
    gcc: Compiler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {compile_once(tmp_path), compile_once(tmp_path, ("-O3",))}
    (tmp_path / "a.h").write_text("2")
    found.add(compile_once(tmp_path))
    (tmp_path / "a.c").write_text("int b;")
    found.add(compile_once(tmp_path))
    monkeypatch.setattr(compiler, "version", lambda: "gcc 2")
    found.add(compile_once(tmp_path))
    assert len(found) == 5 and gcc.calls == 5
    (tmp_path / "a.c").write_text("int a;")
    (tmp_path / "a.h").write_text("1")
    monkeypatch.setattr(compiler, "version", lambda: "gcc 1")
    assert compile_once(tmp_path) in found and gcc.calls == 5


def test_two_checkouts_share_objects(gcc: Compiler, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "a.c").write_text("int a;")
    (other / "a.h").write_text("1")
    first = compile_once(tmp_path)
    gcc.header = other / "a.h"
    assert compile_once(other) == first and gcc.calls == 1


def test_failures_name_their_components() -> None:
    with pytest.raises(UserError, match="does not compile: vfs/pipe, x") as error:
        compiler.require([compiler.Failure("vfs/pipe", "a.c:1: error"), compiler.Failure("x", "no")])
    assert error.value.code == ExitCode.COMPILE
    assert error.value.details == ("== vfs/pipe", "a.c:1: error", "== x", "no")


def test_a_folder_without_lwip_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not hold the sources of lwIP") as error:
        upstream.LWIP.find(tmp_path)
    assert error.value.code == ExitCode.TOOLCHAIN and "UNIKIT_LWIP" in str(error.value.hint)


def test_a_named_folder_with_lwip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "src/core").mkdir(parents=True)
    (tmp_path / "src/core/tcp.c").touch()
    assert upstream.LWIP.find(tmp_path) == tmp_path.resolve()
    monkeypatch.setenv("UNIKIT_LWIP", str(tmp_path))
    assert upstream.LWIP.find() == tmp_path.resolve()


def test_another_distribution_has_another_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UNIKIT_ZSTD", raising=False)
    (_, best), (sha256, other) = upstream.ZSTD.archives.items()
    assert upstream.ZSTD.version == best
    place = cache.folder("sources") / f"libzstd-{other}-{sha256[:12]}"
    place.mkdir()
    assert upstream.ZSTD.version == other and upstream.ZSTD.find() == place


def test_the_date_of_an_image_is_the_environment_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(inputs.DATE, raising=False)
    before = inputs.surroundings()
    assert inputs.source_date() is None
    monkeypatch.setenv(inputs.DATE, "1700000000")
    assert inputs.source_date() == 1_700_000_000 and inputs.surroundings() != before


@pytest.mark.parametrize("text", ["yesterday", "-1", "1.5", "1700000000000", "9" * 5000, "\u0661"])
def test_a_date_that_is_none_is_told(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(inputs.DATE, text)
    with pytest.raises(UserError, match="no number of seconds") as caught:
        inputs.source_date()
    assert caught.value.code == ExitCode.CONFIGURATION and "git log" in str(caught.value.hint)
