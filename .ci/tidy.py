"""clang-tidy over the runtime's components; a file whose text, headers and checks are unchanged is not asked again."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from unikit import cache
from unikit.kernel import upstream
from unikit.kernel.compiler import KERNEL_FLAGS
from unikit.kernel.runtime import DECODERS, NOT_COMPONENTS

ROOT = Path(__file__).resolve().parent.parent
RUNTIMES = ROOT / "runtimes"
# Off: what forbids the habits of kernel code (reserved names of the ABI, arrays of pointers, equal branches), and
# unix.Malloc, which does not see that list_remove changes the ring and takes every loop that frees a list's elements
# for a use after free; the host tests run the same code under ASan.
CHECKS = ",".join((
    "-*", "bugprone-*", "clang-analyzer-*",
    "-bugprone-easily-swappable-parameters", "-bugprone-reserved-identifier", "-bugprone-assignment-in-if-condition",
    "-bugprone-narrowing-conversions", "-bugprone-macro-parentheses", "-bugprone-suspicious-string-compare",
    "-bugprone-implicit-widening-of-multiplication-result", "-bugprone-sizeof-expression", "-bugprone-branch-clone",
    "-clang-analyzer-unix.Malloc",
    "-clang-analyzer-security.insecureAPI.DeprecatedOrUnsafeBufferHandling", "-clang-analyzer-valist.Uninitialized",
))  # fmt: skip
# The one of the environment, with the headers of the compiler, for it has none of its own.
TIDY = str(Path(sys.executable).with_name("clang-tidy"))
# gcc's own, which clang does not know or need.
OMIT = {"-mgeneral-regs-only", "-fcf-protection=none"}


def main() -> int:
    apart = set(NOT_COMPONENTS) - {"unpack"}
    sources = sorted(f for f in RUNTIMES.rglob("*.c") if f.relative_to(RUNTIMES).parts[0] not in apart)
    flags = [flag for flag in KERNEL_FLAGS if flag not in OMIT]
    flags += ["-I" + str(RUNTIMES / "include"), "-Wno-unknown-warning-option", "-isystem" + compiler_headers()]
    if (RUNTIMES / "network/include").is_dir():
        flags += ["-I" + str(RUNTIMES / "network/include"), "-isystem", str(upstream.LWIP.find() / "src/include")]
    flags += [f"-isystem{d.package.find() / name}" for d in DECODERS.values() for name in d.includes]
    headers = hashlib.sha256()
    for file in sorted(RUNTIMES.rglob("*.h")):
        headers.update(file.read_bytes())
    common = "\0".join([CHECKS, *flags, version(), headers.hexdigest()]).replace(str(ROOT), "")

    def check(source: Path) -> str:
        stamp = cache.entry("tidy", hashlib.sha256(common.encode() + source.read_bytes()).hexdigest())
        if stamp.exists():
            return ""
        line = [TIDY, "--quiet", f"--checks={CHECKS}", "--warnings-as-errors=*", str(source), "--", *flags]
        done = subprocess.run(line, capture_output=True, text=True, timeout=300)
        if done.returncode == 0:
            stamp.touch()
            return ""
        return re.sub(r"^\d+ warnings? .*\n", "", done.stdout, flags=re.MULTILINE) or done.stderr

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        complaints = [text for text in pool.map(check, sources) if text]
    print(*complaints, sep="\n", end="\n" if complaints else "")
    print(f"clang-tidy: {len(sources)} components, {len(complaints)} with complaints")
    return 1 if complaints else 0


def compiler_headers() -> str:
    """The folder of stddef.h."""
    line = ["gcc", "-print-file-name=include"]
    return subprocess.run(line, capture_output=True, text=True, check=True).stdout.strip()


def version() -> str:
    return subprocess.run([TIDY, "--version"], capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    sys.exit(main())
