"""What the interpreter, glibc and psutil-like libraries read from /proc and /sys."""

import os
import platform
import resource
import sys

with open("/proc/self/maps") as f:
    maps = f.read()
assert "[stack]" in maps and "libc.so.6" in maps and "r-xp" in maps
meminfo = dict(line.split(":") for line in open("/proc/meminfo").read().splitlines())
total, free = (int(meminfo[k].split()[0]) for k in ("MemTotal", "MemAvailable"))
assert 30_000 < total and 0 < free < total
assert "processor" in open("/proc/cpuinfo").read() and open("/proc/uptime").read().split()[0]
fields = open("/proc/self/stat").read().rpartition(")")[2].split()
assert len(fields) == 50 and int(fields[21]) > 100, fields
status = open("/proc/self/status").read()
assert "VmRSS:" in status and "Threads:\t1" in status and f"Pid:\t{os.getpid()}" in status
assert os.readlink("/proc/self/exe") == os.path.realpath(sys.executable) or os.environ.get("ON_LINUX")
assert os.path.samefile("/proc/self/fd/0", "/dev/stdin") or os.environ.get("ON_LINUX")
assert os.listdir("/proc/self/task") == [str(os.getpid())]
fd = os.open("/tmp", os.O_RDONLY)
assert str(fd) in os.listdir("/proc/self/fd") and os.readlink(f"/proc/self/fd/{fd}") == "/tmp"
for name in ("/proc/self/fd", "/proc/self/task", "/proc/self", "/tmp"):
    directory = os.open(name, os.O_RDONLY)
    try:
        os.read(directory, 1)
        raise AssertionError(name)
    except IsADirectoryError:
        os.close(directory)
assert open("/proc/self/cmdline", "rb").read().split(b"\0")[0]
assert open("/sys/devices/system/cpu/online").read().strip().startswith("0")
assert os.cpu_count() == len(os.sched_getaffinity(0)) or os.environ.get("ON_LINUX")
assert platform.system() == "Linux" and platform.machine() == "x86_64" and platform.python_version()
assert platform.freedesktop_os_release()["ID"] == "unikit" or os.environ.get("ON_LINUX")
assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] >= 1024
assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > 1000
assert os.getpid() > 1 and os.getuid() == 0 and os.getloadavg()
page = resource.getpagesize()
before = int(open("/proc/self/statm").read().split()[1]) * page
block = bytearray(os.urandom(1) * (8 << 20))
assert int(open("/proc/self/statm").read().split()[1]) * page >= before + (7 << 20)
