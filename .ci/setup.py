"""Sets the checkout up: system packages, a virtual environment in .venv, the Python packages.

Needs nothing but Python's own library.

    python3 .ci/setup.py run     what `make run` needs
    python3 .ci/setup.py test    what `make test` needs as well

Packages are asked for only where a program or header is missing, so nothing is installed twice and no root is needed on
a machine that has everything. A stamp makes the second time immediate.
"""

from __future__ import annotations

import glob
import hashlib
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"

# What must be there (a program on PATH, or a pattern of absolute paths), and the package that brings it.
RUN = {
    "qemu-system-x86_64": "qemu-system-x86",
    "gcc": "gcc",
    "ld": "binutils",
    "/usr/include/stdio.h": "libc6-dev",
    "/usr/include/x86_64-linux-gnu/asm/unistd_64.h": "linux-libc-dev",
}
TEST = RUN | {
    "clang": "clang",
    "mkfs.erofs": "erofs-utils",
    "wrk": "wrk",
    "curl": "curl",
    "openssl": "openssl",
    "dig": "bind9-dnsutils",
    "dnsperf": "dnsperf",
    "/usr/sbin/chronyd": "chrony",
    "/usr/sbin/ovs-vswitchd": "openvswitch-switch",
    "ip": "iproute2",
    "unshare": "util-linux",
    "/usr/lib/postgresql/*/bin/initdb": "postgresql",
    "redis-server": "redis-server",
    "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf": "fonts-dejavu-core",
}
if platform.freedesktop_os_release()["ID"] == "ubuntu":  # whose chromium is a snap, which no container runs
    TEST["/usr/lib/python3/dist-packages/PyQt6/QtWebEngineWidgets.*"] = "python3-pyqt6.qtwebengine"
else:
    TEST["chromium"] = "chromium"
SYSTEM = Path("/usr/bin/python3").resolve().name  # python3.11
TEST[f"/usr/lib/{SYSTEM}/test/test_os.py"] = f"lib{SYSTEM}-testsuite"


def main() -> int:
    goal = sys.argv[1] if len(sys.argv) > 1 else "run"
    wanted = TEST if goal == "test" else RUN
    inputs = [Path(__file__).read_bytes(), (ROOT / "setup.py").read_bytes(), sys.version.encode(), str(ROOT).encode()]
    state = hashlib.sha256(b"\0".join(inputs)).hexdigest()
    stamps = [VENV / f".ready-{name}" for name in ("run", "test") if name == goal or name == "test"]
    if any(stamp.is_file() and stamp.read_text() == state for stamp in stamps) and not missing(wanted):
        return 0
    packages = missing(wanted)
    if goal == "test" and "clang" not in packages:
        packages |= missing_fuzzer()
    if not can_make_environments():
        packages.add("python3-venv")
    if packages:
        install(sorted(packages))
        if "clang" in packages and missing_fuzzer():
            install(sorted(missing_fuzzer()))
    extras = "[test]" if goal == "test" else ""
    python = VENV / "bin/python"
    if not python.exists() or subprocess.run([python, "-c", "import pip"], capture_output=True).returncode:
        shutil.rmtree(VENV, ignore_errors=True)
        say(f"making {VENV.relative_to(ROOT)}")
        subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True)
    say(f"installing Python packages into {VENV.relative_to(ROOT)}")
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "-qq"]
    subprocess.run([*pip, "--editable", f".{extras}"], cwd=ROOT, check=True)
    (VENV / f".ready-{goal}").write_text(state)
    return 0


def missing(wanted: dict[str, str]) -> set[str]:
    """The packages whose programs or files are not there."""
    return {
        package
        for thing, package in wanted.items()
        if not (glob.glob(thing) if thing.startswith("/") else shutil.which(thing))
    }


def missing_fuzzer() -> set[str]:
    """The package with clang's libFuzzer, which some releases keep apart from the compiler."""
    line = ["clang", "-print-file-name=libclang_rt.fuzzer-x86_64.a"]
    name = subprocess.run(line, capture_output=True, text=True, check=True).stdout.strip()
    other = subprocess.run(["clang", "-print-runtime-dir"], capture_output=True, text=True, check=True).stdout.strip()
    if Path(name).is_absolute() or Path(other, "libclang_rt.fuzzer-x86_64.a").exists():
        return set()
    major = subprocess.run(["clang", "-dumpversion"], capture_output=True, text=True, check=True).stdout.split(".")[0]
    return {f"libclang-rt-{major}-dev"}


def can_make_environments() -> bool:
    done = subprocess.run([sys.executable, "-c", "import venv, ensurepip"], capture_output=True)
    return done.returncode == 0


def install(packages: list[str]) -> None:
    """With apt-get, as root or through sudo."""
    apt = shutil.which("apt-get")
    if apt is None:
        sys.exit("error: this machine lacks " + ", ".join(packages) + "\nhint: install them; the names are Debian's")
    prefix: list[str] = []
    if os.geteuid() != 0:
        sudo = shutil.which("sudo")
        if sudo is None:
            sys.exit("error: packages are missing and need root: apt-get install " + " ".join(packages))
        prefix = [sudo, "-E"]
    say("installing " + " ".join(packages))
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    quiet = [*prefix, apt, "-qq", "-o", "Dpkg::Use-Pty=0"]
    subprocess.run([*quiet, "update"], env=environment, check=False)
    done = subprocess.run(
        [*quiet, "install", "-y", "--no-install-recommends", *packages], env=environment, stdout=subprocess.DEVNULL
    )
    if done.returncode:
        sys.exit("error: apt-get could not install " + " ".join(packages))


def say(text: str) -> None:
    print(f"set-up: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
