"""The command line: verbs, options, how errors are said."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from unikit import cli, pipeline
from unikit.errors import ExitCode, UserError
from unikit.image import image
from unikit.vm import boot
from unikit.vm.boot import Options, Outcome
from unikit.vm.supervisor import Ended

from .test_image import make

Run = Callable[..., "tuple[int, str, str]"]


@pytest.fixture
def unikit() -> Run:
    def run(*arguments: str) -> tuple[int, str, str]:
        result = CliRunner().invoke(cli.root, list(arguments))
        return result.exit_code, result.stdout, result.stderr

    return run


def test_every_verb_is_found_by_its_file(unikit: Run) -> None:
    status, out, _ = unikit("--help")
    assert status == 0
    for verb in ("build", "run", "show", "doctor"):
        assert f"\n  {verb} " in out
        assert unikit(verb, "--help")[0] == 0


def test_every_exit_code_is_in_the_help(unikit: Run) -> None:
    text = unikit("--help")[1]
    for code in ExitCode:
        assert f"{int(code)}  {code.meaning}" in text
    assert len({int(code) for code in ExitCode}) == len(ExitCode)


def test_an_unknown_verb(unikit: Run) -> None:
    status, _, error = unikit("fly")
    assert status == ExitCode.USAGE and "fly" in error


def test_an_error_is_a_sentence_a_hint_and_a_code(unikit: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise UserError("It is broken.", code=ExitCode.LINK, hint="Mend it.", details=("line 1",))

    monkeypatch.setattr(pipeline, "image_of", fail)
    status, out, error = unikit("build", "x.py")
    assert status == ExitCode.LINK and out == ""
    assert error.splitlines() == ["line 1", "error: It is broken.", "hint: Mend it."]
    status, out, _ = unikit("build", "--json", "x.py")
    assert json.loads(out) == {
        "event": "error", "code": int(ExitCode.LINK), "name": "link", "message": "It is broken.", "hint": "Mend it.",
        "details": ["line 1"],
    }  # fmt: skip


def test_a_bug_is_no_traceback(unikit: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UNIKIT_DEBUG", raising=False)
    monkeypatch.setattr(pipeline, "image_of", lambda *_: 1 / 0)
    status, _, error = unikit("build", "x.py")
    assert status == ExitCode.INTERNAL and "ZeroDivisionError" in error and "Traceback" not in error


def test_build_copies_the_image(unikit: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = make(tmp_path)
    monkeypatch.setattr(pipeline, "image_of", lambda *_: made)
    out = tmp_path / "copy.img"
    status, text, _ = unikit("build", "x.py", "-o", str(out), "--json")
    assert status == 0 and out.read_bytes() == made.path.read_bytes()
    assert json.loads(text.splitlines()[0])["path"] == str(out)
    status, _, error = unikit("build", "x.py", "-o", str(tmp_path / "no/such/folder"))
    assert status == ExitCode.USAGE and "cannot be written" in error


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[Options]:
    """`run` without a guest: what it was asked for."""
    asked: list[Options] = []

    def run(image: image.Image, options: Options, *_: object, **__: object) -> Outcome:
        asked.append(options)
        return Outcome(42, Ended(None, "", boot.report.Log(), None))

    monkeypatch.setattr(boot, "run", run)
    return asked


def test_the_options_of_run(unikit: Run, tmp_path: Path, seen: list[Options], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HERE", "there")
    image = str(make(tmp_path).path)
    status, _, error = unikit(
        "run", image, "-p", "8080:80", "-p", "0:443", "-m", "1G", "-e", "A=b=c", "-e", "HERE", "--timeout", "9",
        "--machine", "q35", "--cpus", "1", "--verbose", "--", "-x", "--", "y",
    )  # fmt: skip
    assert (status, error) == (42, "")
    (options,) = seen
    assert [str(f) for f in options.forwards] == ["tcp:127.0.0.1:8080-:80", "tcp:127.0.0.1:0-:443"]
    assert options.memory == 1024 and options.machine == "q35" and options.run_limit == 9
    assert options.environment == (("A", "b=c"), ("HERE", "there"))
    assert options.arguments == ("-x", "--", "y") and ("verbose", "1") in options.tokens


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["-p", "nonsense"], ExitCode.USAGE),
        (["-m", "much"], ExitCode.USAGE),
        (["-e", "=x"], ExitCode.USAGE),
        (["--cpus", "2"], ExitCode.USAGE),
        (["--timeout", "0"], ExitCode.USAGE),
        (["-t"], ExitCode.USAGE),  # no terminal here
    ],
)
def test_options_that_make_no_sense(
    unikit: Run, tmp_path: Path, seen: list[Options], arguments: list[str], code: ExitCode
) -> None:
    status, _, error = unikit("run", str(make(tmp_path).path), *arguments)
    assert status == code and not seen and error


def test_run_builds_what_is_no_image(
    unikit: Run, tmp_path: Path, seen: list[Options], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[pipeline.Request] = []
    made = make(tmp_path)
    monkeypatch.setattr(pipeline, "image_of", lambda request, _: asked.append(request) or made)
    script = tmp_path / "app.py"
    script.write_text("print(1)")
    assert unikit("run", str(script), "--python", "/usr/bin/python3")[0] == 42
    assert asked == [pipeline.Request(str(script), "/usr/bin/python3", None)]


def test_an_image_is_run_without_what_builds() -> None:
    """Loading it would take longer than a frozen image takes to boot."""
    code = "import sys, unikit.commands.run; print(*({'networkx', 'jinja2', 'unikit.pipeline'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_show_knows_its_stages(unikit: Run) -> None:
    status, _, error = unikit("show", "nothing", "x.py")
    assert status == ExitCode.USAGE and "natives" in error
    with pytest.raises(UserError, match="no stage 'nothing'"):
        pipeline.run(pipeline.Request("x"), cli.progress.Progress(), "nothing")
