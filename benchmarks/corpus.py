"""Builds, boots and measures the corpus: popular packages from the registry, a smoke script each.

    python benchmarks/corpus.py [NAME ...] [--python PYTHON] [--jobs N] [--fresh] [--peer] [--report FILE]
                                [--build "ARGUMENTS"] [--run "ARGUMENTS"] [--label TEXT]

Each entry of tests/apps/corpus.toml gets a virtual environment (kept below unikit's cache), an image as `unikit build`
makes it of the script alone, and one boot with a deadline. What the guest imported is what its own interpreter says
(PYTHONPROFILEIMPORTTIME), in the very image that is measured. Results are kept, an entry a file, and an entry that
passed is not run again until its script, its packages or unikit change (--fresh: all). --peer lets PyInstaller choose
for the same scripts in the same environments. --report writes the table (docs/corpus.md). --build and --run add
arguments to the two commands; --label keeps the results of such a series apart. The page's table of frozen images is
the series of `--build=--freeze --label=-frozen`. Accelerator: TCG.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import re
import shlex
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import corpus_peer
import corpus_report

from unikit import cache, paths
from unikit.analysis import imports, source
from unikit.model import Module, ModuleKind, digest, digest_file

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent
CORPUS = ROOT / "tests/apps/corpus.toml"
BUILD_LIMIT, RUN_LIMIT, INSTALL_LIMIT = 900, 900, 900  # seconds: a hang is a failure, not a wait
IMPORTED = re.compile(r"import time:\s+\d+ \|\s+\d+ \| +(\S+)")
# modules that are part of the interpreter's program are in every image and no choice of ours
IN_PROGRAM = (ModuleKind.BUILTIN, ModuleKind.FROZEN, ModuleKind.NAMESPACE)


@dataclass(frozen=True)
class Entry:
    """A package of the corpus."""

    name: str
    install: tuple[str, ...]
    memory: int | None
    cpu_level: str | None  # of a frozen image
    frozen: str  # why it cannot be frozen, if so

    @property
    def script(self) -> Path:
        return CORPUS.with_suffix("") / f"use_{self.name}.py"


@dataclass
class Result:
    """What was seen of an entry. Sizes in bytes, times in seconds."""

    name: str
    version: str = ""
    state: str = ""  # what it was measured with
    status: str = ""  # "pass", or in one line what failed
    before: int = 0  # site-packages and the standard library of the environment
    image: int = 0
    kept: int = 0  # modules that are files of the image
    imported: int = 0  # of these, the ones that the guest imported
    used: list[str] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    build_seconds: float = 0.0
    run_seconds: float = 0.0
    peer: dict[str, Any] = field(default_factory=dict)
    ours: dict[str, Any] = field(default_factory=dict)  # measured as the peer is


def entries() -> list[Entry]:
    with CORPUS.open("rb") as file:
        table = tomllib.load(file)
    return [
        Entry(n, tuple(t.get("install", (n,))), t.get("memory"), t.get("cpu_level"), t.get("frozen", ""))
        for n, t in sorted(table.items())
    ]


def freezes(options: argparse.Namespace) -> bool:
    return "--freeze" in shlex.split(options.build)


def environment(entry: Entry, python: str) -> Path:
    """The interpreter of the entry's own virtual environment, made on the first demand."""
    described = subprocess.run([python, "-VV"], capture_output=True, text=True, check=True).stdout
    folder = cache.folder("corpus") / f"{entry.name}-{digest(described, str(python), entry.install)[:12]}"
    stamp = folder / "ready"
    if not stamp.exists():
        subprocess.run([python, "-m", "venv", "--clear", "--without-pip", str(folder)], check=True)
        pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin/python"), "--disable-pip-version-check"]
        subprocess.run([*pip, "install", "-qq", *entry.install], check=True, timeout=INSTALL_LIMIT)
        subprocess.run([str(folder / "bin/python"), "-m", "compileall", "-qq", str(folder / "lib")], check=False)
        stamp.touch()
    return folder / "bin/python"


def site_of(python: Path) -> Path:
    return next((python.parent.parent / "lib").glob("python3*")) / "site-packages"


def stdlib_of(python: Path) -> Path:
    """The standard library that the environment stands on."""
    line = [str(python), "-c", "import os; print(os.path.dirname(os.path.realpath(os.__file__)))"]
    return Path(subprocess.run(line, capture_output=True, text=True, check=True).stdout.strip())


def size_of(folder: Path) -> int:
    """Bytes of the files below a folder, other people's packages in a standard library's folder apart."""
    total = 0
    for here, folders, files in os.walk(folder):
        folders[:] = [f for f in folders if f not in ("site-packages", "dist-packages") or Path(here) != folder]
        total += sum(os.lstat(os.path.join(here, f)).st_size for f in files)
    return total


def versions(python: Path) -> list[str]:
    """`name-version` of what is installed."""
    return sorted(p.name.removesuffix(".dist-info") for p in site_of(python).glob("*.dist-info"))


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "unikit", *words]


def measure(entry: Entry, python: Path, options: argparse.Namespace, state: str) -> Result:
    result = Result(entry.name, state=state)
    wanted = re.split(r"[\[<>=]", entry.install[0])[0].replace("-", "_").lower()
    installed = (v.rpartition("-") for v in versions(python))
    result.version = next((v for n, _, v in installed if n.replace("-", "_").lower() == wanted), "?")
    result.before = size_of(site_of(python)) + size_of(stdlib_of(python))
    image = cache.folder("corpus-images") / f"{entry.name}{options.label}.img"
    try:
        build(entry, python, options, image, result)
        kept = count(entry, python, result)
        run(entry, options, image, kept, result)
    except subprocess.TimeoutExpired as late:
        result.status = f"no end within {late.timeout:g} s: {shlex.join(map(str, late.cmd[3:5]))}"
    finally:
        image.unlink(missing_ok=True)
    return result


def build(entry: Entry, python: Path, options: argparse.Namespace, image: Path, result: Result) -> None:
    start = time.monotonic()
    words = [str(entry.script), "-o", str(image), "--python", str(python), "--json", *shlex.split(options.build)]
    if entry.cpu_level and freezes(options):
        words += ["--cpu-level", entry.cpu_level]
    done = subprocess.run(command("build", *words), capture_output=True, text=True, timeout=BUILD_LIMIT)
    result.build_seconds = round(time.monotonic() - start, 1)
    for event in events(done.stdout):
        if event["event"] == "warning":
            result.warnings.append(event["text"])
        elif event["event"] == "error":
            result.status = f"build: {event['message']}"
    if done.returncode:
        result.status = result.status or f"build: exit status {done.returncode}"
    else:
        result.image = image.stat().st_size


def count(entry: Entry, python: Path, result: Result) -> set[str]:
    """The modules that are files of the image. The analysis is made once more for it, from what the build remembers."""
    if result.status:
        return set()
    found = imports.analyse(source.load(str(entry.script), str(python)))
    kept = {m.name for m in found.modules if is_file(m)}
    result.kept = len(kept)
    return kept


def is_file(module: Module) -> bool:
    return module.path is not None and module.kind not in IN_PROGRAM and module.name != "__main__"


def run(entry: Entry, options: argparse.Namespace, image: Path, kept: set[str], result: Result) -> None:
    if result.status:
        return
    words = ["--json", "--accel", "tcg", "--boot-timeout", "300", "--timeout", str(RUN_LIMIT - 60)]
    words += ["-e", "PYTHONPROFILEIMPORTTIME=1", *(["-m", str(entry.memory)] if entry.memory else [])]
    start = time.monotonic()
    done = subprocess.run(
        command("run", str(image), *words, *shlex.split(options.run)), capture_output=True, text=True, timeout=RUN_LIMIT
    )
    result.run_seconds = round(time.monotonic() - start, 1)
    said, problem = "", ""
    status: int | None = None
    for event in events(done.stdout):
        if event["event"] == "console":
            said += event.get("text", "")
        elif event["event"] == "exit":
            status = event["status"]
        elif event["event"] == "error":
            problem = event["message"]
        elif event["event"] in ("alert", "warning"):
            result.warnings.append(event["text"])
    seen = set(IMPORTED.findall(said))
    result.imported = len(kept & seen)
    result.used, result.unused = sorted(kept & seen), sorted(kept - seen)
    # what was imported before a freeze is not said again
    if status == 0 and (result.imported or freezes(options)):
        result.status = "pass"
        return
    lines = [t for t in said.splitlines() if t.strip() and not t.startswith("import time:")]
    result.status = problem or f"exit status {status}: {(lines or ['nothing said'])[-1].strip()}"
    result.warnings += lines[-25:]


def events(text: str) -> list[dict[str, Any]]:
    found = []
    for line in text.splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict) and "event" in event:
            found.append(event)
    return found


def state_of(entry: Entry, python: Path, options: argparse.Namespace) -> str:
    """What the result depends on: the script, the packages, unikit itself."""
    files = sorted((*paths.RUNTIMES.rglob("*.[chS]"), *(ROOT / "unikit").rglob("*.py")))
    parts = [digest_file(f) for f in files]
    return digest(entry, digest_file(entry.script), versions(python), options.build, options.run, parts)


def one(entry: Entry, options: argparse.Namespace) -> Result:
    kept = cache.folder("corpus-results") / f"{entry.name}{options.label}.json"
    old = load(kept)
    try:
        python = environment(entry, options.python)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        return Result(entry.name, status=f"pip: {error}")
    state = state_of(entry, python, options)
    result = old
    if old is None or options.fresh or old.status != "pass" or old.state != state:
        result = measure(entry, python, options, state)
        if old is not None:
            result.peer, result.ours = old.peer, old.ours
    assert result is not None
    if options.peer and result.status == "pass":
        if not result.peer or result.peer.get("version") != result.version:
            result.peer = {"version": result.version, **corpus_peer.choose(entry.script, python, options.python)}
        result.ours = corpus_peer.ours(entry.script, python)
    kept.write_text(json.dumps(dataclasses.asdict(result), indent=1))
    ratio = result.kept / result.imported if result.imported else 0
    print(
        f"{entry.name:16} {result.status[:120]:8} {result.kept:5} / {result.imported:5} = {ratio:4.2f}  "
        f"{result.image / (1 << 20):6.1f} of {result.before / (1 << 20):6.1f} MiB  "
        f"build {result.build_seconds:.0f} s, run {result.run_seconds:.0f} s",
        flush=True,
    )
    return result


def kept(chosen: list[Entry], label: str) -> list[Result]:
    """The results of a series, as far as there are any."""
    everything = (load(cache.folder("corpus-results") / f"{e.name}{label}.json") for e in chosen)
    return [r for r in everything if r is not None]


def load(path: Path) -> Result | None:
    try:
        return Result(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--python", default=getattr(sys, "_base_executable", sys.executable))
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--fresh", action="store_true")
    parser.add_argument("--peer", action="store_true")
    parser.add_argument("--report", type=Path)
    parser.add_argument("--build", default="", metavar="ARGUMENTS")
    parser.add_argument("--run", default="", metavar="ARGUMENTS")
    parser.add_argument("--label", default="", metavar="TEXT")
    options = parser.parse_args()
    known = entries()
    chosen = [e for e in known if not options.names or e.name in options.names]
    unknown = set(options.names) - {e.name for e in known}
    if unknown:
        parser.error(f"not in the corpus: {', '.join(sorted(unknown))}")
    with ThreadPoolExecutor(options.jobs) as pool:
        results = list(pool.map(lambda e: one(e, options), chosen))
    if options.report:
        text = corpus_report.page(everything := kept(known, options.label))
        if frozen := kept(known, "-frozen"):
            text += corpus_report.frozen(frozen, everything, {e.name: e.frozen for e in known if e.frozen})
        options.report.write_text(text)
    expected = {e.name for e in known if e.frozen} if freezes(options) else set()
    failed = [r.name for r in results if r.status != "pass" and r.name not in expected]
    wrong = [r.name for r in results if r.status == "pass" and r.name in expected]
    if wrong:
        print(f"passes, and was said not to: {', '.join(wrong)}")
    passed = sum(r.status == "pass" for r in results)
    print(f"{passed} of {len(results)} pass" + (f"; not: {', '.join(failed)}" if failed else ""))
    return 1 if failed or wrong else 0


if __name__ == "__main__":
    sys.exit(main())
