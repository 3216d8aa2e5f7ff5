"""Test-suites of packages, on the host and in the guest, and what differs.

    python benchmarks/suites.py NAME ... [--python PYTHON] [--minutes N] [--fresh] [--setup]
    python benchmarks/suites.py --report docs/suites.md

Each suite of tests/apps/suites.toml gets a virtual environment with the package and unikit's pytest plugin, and the
package's sdist for its tests, both kept below unikit's cache (pip fetches them). The files of a suite run in slices,
first `pytest`, then `pytest --unikit`; what is done on both sides is not run again, so a long suite goes on where it
was left (--minutes: begin no further slice after that time), and a slice that does not end is run in halves. The report
counts tests by what became of them on both sides, and says what of a suite is left out.
Accelerator: as chosen by unikit, named in the report.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import time
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.host import HOST, postgres, redis  # noqa: E402
from unikit import cache  # noqa: E402
from unikit.model import digest  # noqa: E402

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

SUITES = ROOT / "tests/apps/suites.toml"
SYSTEM_PYTHON = "/usr/bin/python3"
ONE_PROCESS = "a unikernel is one process"  # how fork and exec are refused
LIMIT = 3600  # seconds for a slice on one side
SIDES = ("host", "guest")


class Suite:
    """One suite: where it lives, and its slices."""

    def __init__(self, name: str, table: dict[str, Any], python: str) -> None:
        self.name, self.table = name, table
        needs = [
            table["package"],
            table["version"],
            *table["needs"],
            *([table["replaced"]] if "replaced" in table else []),
            python,
        ]
        self.folder = cache.folder("suites") / f"{name}-{digest(needs)[:12]}"
        self.environment = self.folder / "venv"
        self.program = self.environment / "bin/python"
        self.base = python

    def prepare(self) -> None:
        """The environment, and the package's sdist unpacked."""
        pip = [str(self.program), "-m", "pip", "--disable-pip-version-check", "-q"]
        ready = self.folder / "ready"
        if ready.exists():
            if ready.read_text() != str(ROOT):  # another checkout's plugin
                run([*pip, "install", "--no-deps", "--editable", str(ROOT)])
                ready.write_text(str(ROOT))
            return
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        requirement = f"{self.table['package']}=={self.table['version']}"
        run([self.base, "-m", "venv", str(self.environment)])
        server = sorted(Path("/usr/lib/postgresql").glob("*/bin"))  # sdists of its clients ask its pg_config
        os.environ["PATH"] = os.pathsep.join([os.environ["PATH"], *map(str, server)])
        run([*pip, "install", "--editable", str(ROOT), requirement, *self.table["needs"]])
        if "pyargs" not in self.table:
            source = ["--no-deps", "--no-binary", self.table["package"], "-d", str(self.folder)]
            run([*pip, "download", *source, requirement])
            with tarfile.open(next(self.folder.glob("*.tar.gz"))) as archive:
                archive.extractall(self.folder / "sdist", filter="data")
            (self.folder / "sdist").rename(self.folder / "unpacked")
            for copy in (self.where / self.table["package"], self.where / "src"):
                # the installed package is tested, with its extension modules, not the sources beside the tests
                shutil.rmtree(copy, ignore_errors=True)
            if "replaced" in self.table:
                code = f"import {self.table['package'].lower()} as m, os; print(os.path.dirname(m.__file__))"
                installed = output([str(self.program), "-c", code])
                shutil.rmtree(self.where / self.table["replaced"])
                shutil.copytree(installed, self.where / self.table["replaced"])
        else:
            (self.folder / "unpacked/empty").mkdir(parents=True)
        ready.write_text(str(ROOT))

    @property
    def where(self) -> Path:
        return next(path for path in (self.folder / "unpacked").iterdir() if path.is_dir())

    def files(self) -> list[str]:
        base = self.where
        if "pyargs" in self.table:
            code = f"import importlib, pathlib; m = importlib.import_module({self.table['pyargs'] + '.tests'!r}); "
            base = Path(output([str(self.program), "-c", code + "print(pathlib.Path(m.__path__[0]))"]))
        ignored = {base / name for name in self.table.get("ignore", ())}
        found = [path for pattern in self.table["tests"] for path in sorted(base.glob(pattern)) if path not in ignored]
        names = (path.relative_to(self.where) if path.is_relative_to(self.where) else path for path in found)
        return list(dict.fromkeys(map(str, names)))

    def done(self) -> list[list[str]]:
        """The slices that have results on both sides, whatever the size of slices was then; no file twice."""
        files, found = set(self.files()), []
        for path in sorted(self.folder.glob("*.guest.json"), key=lambda path: -path.stat().st_mtime):
            covered: list[str] = json.loads(path.read_text())["files"]
            own = all(self.result(covered, side).exists() for side in SIDES) and path == self.result(covered, "guest")
            if own and files.issuperset(covered):
                found.append(covered)
                files -= set(covered)
        return found

    def slices(self, again: bool = False) -> list[list[str]]:
        """The files, in slices, that have no results yet (`again`: or have)."""
        gone = set() if again else {file for files in self.done() for file in files}
        files, size = [file for file in self.files() if file not in gone], self.table.get("slice", 10)
        return [files[i : i + size] for i in range(0, len(files), size)]

    def result(self, files: list[str], side: str) -> Path:
        return self.folder / f"{digest(files, self.table.get('arguments', []))[:12]}.{side}.json"

    def run(self, files: list[str], fresh: bool) -> None:
        """A slice on both sides; in halves where that does not end."""
        for side in SIDES:
            if (fresh or not self.result(files, side).exists()) and not self.run_on(side, files) and len(files) > 1:
                middle = len(files) // 2
                self.run(files[:middle], fresh)
                self.run(files[middle:], fresh)
                return

    def addressed(self, host: str, port: int) -> tuple[list[str], dict[str, str]]:
        """The arguments and the environment that say where the server is, which differs between the sides."""
        table = self.table.get("address", {})
        arguments = [text.format(host=host, port=port) for text in table.get("arguments", ())]
        settings = {key: text.format(host=host, port=port) for key, text in table.get("environment", {}).items()}
        return arguments, settings

    def run_on(self, side: str, files: list[str]) -> bool:
        """One slice on one side; what became of each test is kept. False: pytest did not come to its end."""
        junit = self.folder / f"{side}.xml"
        junit.unlink(missing_ok=True)
        command = [
            str(self.program),
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "--tb=short",
            f"--junitxml={junit}",
        ]
        command += [*self.table.get("arguments", ()), *files]
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
        for name in ("PYTEST_ADDOPTS", "PYTHONPATH", "VIRTUAL_ENV"):
            environment.pop(name, None)
        with server(self.table.get("server")) as port:
            arguments, settings = self.addressed("127.0.0.1", port)
            command += arguments
            environment |= settings
            if side == "guest":
                arguments, settings = self.addressed(HOST, port)
                command += ["--unikit", "--unikit-timeout", "900"]
                if "memory" in self.table:
                    command += ["--unikit-memory", self.table["memory"]]
                command += [f"--unikit-argument={argument}" for argument in arguments]
                command += [f"--unikit-env={key}={value}" for key, value in settings.items()]
            start = time.monotonic()
            with (self.folder / f"{side}.log").open("ab") as log:
                log.write(f"\n==== {' '.join(command)}\n".encode())
                log.flush()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    subprocess.run(
                        command, cwd=self.where, env=environment, stdout=log, stderr=log, timeout=LIMIT, check=False
                    )
        if not junit.exists():
            print(f"{self.name}: no result on the {side}: {files}; see {self.folder / side}.log", flush=True)
            return False
        value: dict[str, Any] = {"files": files, "seconds": round(time.monotonic() - start), "tests": outcomes(junit)}
        cache.store(self.result(files, side), json.dumps(value).encode())
        print(
            f"{self.name} {side}: {len(files)} files, {dict(Counter(o for o, _ in value['tests'].values()))}",
            flush=True,
        )
        return True


def outcomes(junit: Path) -> dict[str, tuple[str, str]]:
    """Test -> outcome and the first line of its message; the worst of a test that is reported in parts (subtests, an
    error after a failure)."""
    found: dict[str, tuple[str, str]] = {}
    for case in ET.parse(junit).getroot().iter("testcase"):
        outcome, message = "passed", ""
        for part in case:
            if part.tag in ("failure", "error", "skipped"):
                outcome = {"failure": "failed", "error": "failed"}.get(part.tag, part.tag)
                message = (part.get("message") or part.text or "").strip()[:300]
                if outcome == "failed":
                    break
        test = f"{case.get('classname')}::{case.get('name')}"
        if found.get(test, ("", ""))[0] != "failed":
            found[test] = (outcome, message)
    return found


@contextlib.contextmanager
def server(kind: str | None) -> Iterator[int]:
    """A server on the host's loopback for the time of a slice; its port, 0 without one."""
    if kind is None:
        yield 0
        return
    with {"redis": redis.Redis, "postgres": postgres.Postgres}[kind]() as running:
        yield running.port


def run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"error: {' '.join(command)} failed\n{done.stderr[-3000:]}")


def output(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def report(suites: list[Suite]) -> str:
    """The table, and below it every test that passed on the host alone, with the reason."""
    lines = [
        "# Suites of packages",
        "",
        "The packages' own tests by `benchmarks/suites.py`: the same files, environment and arguments with `pytest`",
        "on the host and with `pytest --unikit` in a guest (TCG). Agreement is the share of what passes on the host",
        "that passes in the guest; files say how much of a suite was run. Tests that cannot pass in a guest, most of",
        "them because they start another process, are listed with the reason and not counted (excluded). What was run",
        "on neither side is listed as left out.",
        "",
        "| suite | tests | host: passed, failed, skipped | guest: the same | excluded | agreement | files |",
        "|---|---|---|---|---|---|---|",
    ]
    details: list[str] = []
    for suite in suites:
        if not (suite.folder / "ready").exists():
            continue
        row, differences = compare(suite)
        if "| 0 of " in row:
            continue
        lines.append(row)
        left_out = [f"- left out: {item['what']}: {item['reason']}" for item in suite.table.get("omit", ())]
        differences = left_out + differences
        if differences:
            details += ["", f"## {suite.name} {suite.table['version']}", "", *differences]
    return "\n".join([*lines, *details]) + "\n"


def compare(suite: Suite) -> tuple[str, list[str]]:
    excluded = [(re.compile(item["tests"]), item["reason"]) for item in suite.table.get("exclude", ())]
    host: dict[str, Any] = {}
    guest: dict[str, Any] = {}
    done = suite.done()
    for files in done:
        host.update(json.loads(suite.result(files, "host").read_text())["tests"])
        guest.update(json.loads(suite.result(files, "guest").read_text())["tests"])
    passed = [test for test, (outcome, _) in host.items() if outcome == "passed"]
    lost = [test for test in passed if guest.get(test, ("absent", ""))[0] != "passed"]
    why = {test: next((reason for pattern, reason in excluded if pattern.search(test)), "") for test in lost}
    for test in lost:
        if ONE_PROCESS in guest.get(test, ("absent", ""))[1]:
            why[test] = why[test] or "starts another process, which the guest refused"
    counted = len(passed) - sum(1 for reason in why.values() if reason)
    unexplained = [test for test in lost if not why[test]]
    share = f"{100 * (counted - len(unexplained)) / counted:.2f} %" if counted else "-"

    def counts(tests: dict[str, Any]) -> str:
        found = Counter(outcome for outcome, _ in tests.values())
        return f"{found['passed']}, {found['failed']}, {found['skipped']}"

    excluded_count = len(lost) - len(unexplained)
    row = (
        f"| {suite.name} {suite.table['version']} | {len(host)} | {counts(host)} | {counts(guest)} | {excluded_count} "
    )
    row += f"| {share} | {sum(map(len, done))} of {len(suite.files())} |"
    reasons: dict[str, list[str]] = {}
    for test, reason in why.items():
        reasons.setdefault(reason, []).append(f"`{test.rpartition('::')[2].partition('[')[0]}`")
    differences = [
        f"- excluded, {len(tests)}: {reason}: {', '.join(sorted(set(tests)))}"
        for reason, tests in sorted(reasons.items())
        if reason
    ]
    for test in unexplained:
        outcome, message = guest.get(test, ("absent", ""))
        differences.append(f"- `{test}` {outcome}: {' '.join(message.split())[:160]}")
    return row, differences


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", help="suites; none: all")
    parser.add_argument("--python", default=SYSTEM_PYTHON, help="the interpreter (default: the system's)")
    parser.add_argument("--minutes", type=float, help="begin no slice after that many minutes")
    parser.add_argument("--fresh", action="store_true", help="run slices again that are done")
    parser.add_argument("--setup", action="store_true", help="only make the environments")
    parser.add_argument("--report", type=Path, help="write the table")
    chosen = parser.parse_args()
    tables = tomllib.loads(SUITES.read_text())
    unknown = sorted(set(chosen.names) - set(tables))
    if unknown:
        sys.exit(f"error: there is no suite {unknown[0]}\nhint: {', '.join(tables)}")
    if chosen.report:
        chosen.report.write_text(report([Suite(name, table, chosen.python) for name, table in tables.items()]))
        return
    for number in (signal.SIGINT, signal.SIGQUIT):  # a shell's background job ignores them, and tests send them
        signal.signal(number, signal.default_int_handler)
    start = time.monotonic()
    for name in chosen.names or tables:
        suite = Suite(name, tables[name], chosen.python)
        suite.prepare()
        for files in [] if chosen.setup else suite.slices(chosen.fresh):
            if chosen.minutes and time.monotonic() - start > 60 * chosen.minutes:
                return
            suite.run(files, chosen.fresh)


if __name__ == "__main__":
    main()
