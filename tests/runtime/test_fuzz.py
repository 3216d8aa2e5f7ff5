"""libFuzzer over what reads untrusted bytes: a source in fuzz/ is a target; its first lines name its components.

    // components: vfs/erofs
    // decoders: zstd                 (decompression libraries, if it needs any)

A folder fuzz/NAME.seeds/ holds the first inputs, if there is one. Each target runs UNIKIT_FUZZ_SECONDS (60); two run
at a time.
"""

from __future__ import annotations

import os
import re
import subprocess
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from .conftest import HERE, ROOT
from .decoders import compile_library, includes

SECONDS = int(os.environ.get("UNIKIT_FUZZ_SECONDS", "60"))
TARGETS = sorted((HERE / "fuzz").glob("*.c"))


def fuzz(target: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Builds the target and runs it; a finding is an exit status other than 0, with the report in its output."""
    found = re.search(r"^// components:((?: .+\n(?://)?)+)", target.read_text(), re.M)
    assert found, f"{target.name} names no components"
    sources = [str(ROOT / "runtimes" / f"{c}.c") for c in re.findall(r"[a-z]\w*/\w+", found[1])]
    program, corpus = folder / target.stem, folder / f"{target.stem}.corpus"
    corpus.mkdir()
    flags = [
        "-std=gnu17", "-O1", "-g", "-DUNIKIT_HOST", "-fsanitize=fuzzer,address,undefined",
        "-fno-sanitize-recover=undefined", "-fno-strict-aliasing", f"-I{ROOT / 'runtimes/include'}",
    ]  # fmt: skip
    plain = [flag.replace("fuzzer,", "fuzzer-no-link,") for flag in flags]
    decoders = re.search(r"^// decoders: (.+)", target.read_text(), re.M)
    for method in decoders[1].split() if decoders else ():
        names = [f"-D{name}={name}_{method}" for name in ("decode", "checksum")]
        out = str(folder / f"{method}.o")
        decoder = [*names, *includes(method), "-c", str(ROOT / f"runtimes/unpack/{method}.c"), "-o", out]
        subprocess.run(["clang", *plain, *decoder], check=True)
        sources += [*compile_library(method, "clang", plain, folder), out]
    host = str(HERE / "host/host.c")
    subprocess.run(["clang", *flags, *sources, host, str(target), "-o", str(program)], check=True)
    seeds = target.with_suffix(".seeds")
    return subprocess.run(
        [program, f"-max_total_time={SECONDS}", "-timeout=5", "-rss_limit_mb=2048", "-print_final_stats=1",
         f"-artifact_prefix={folder}/", str(corpus), *([str(seeds)] if seeds.is_dir() else [])],
        capture_output=True, text=True, timeout=SECONDS + 120, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Future[subprocess.CompletedProcess[str]]]:
    pool = ThreadPoolExecutor(2)
    folder = tmp_path_factory.mktemp("fuzz")
    return {t.stem: pool.submit(fuzz, t, folder) for t in TARGETS}


@pytest.mark.timeout(SECONDS * 4 + 300)
@pytest.mark.parametrize("name", [t.stem for t in TARGETS])
def test_fuzz(name: str, outcomes: dict[str, Future[subprocess.CompletedProcess[str]]]) -> None:
    done = outcomes[name].result()
    assert done.returncode == 0, done.stderr[-4000:]
    executed = re.search(r"stat::number_of_executed_units: (\d+)", done.stderr)
    assert executed and int(executed[1]) > 10 * SECONDS, done.stderr[-1000:]
