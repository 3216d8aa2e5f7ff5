"""Says what it is made of, and when: before the freeze, and in each boot of the frozen image."""

import json
import mmap
import os
import random
import secrets
import socket
import sqlite3
import ssl
import sys
import tempfile
import time
import uuid

PRIVATE = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
WIPEONFORK, LONG = 18, 48 << 20  # madvise(2); bytes of a mapping that is found by its size
DATABASE = sqlite3.connect(":memory:")


def mappings(size):
    with open("/proc/self/maps") as file:
        ranges = [line.split()[0].split("-") for line in file]
    return sum(int(end, 16) - int(start, 16) == size for start, end in ranges)


def look():
    return {
        "pid": os.getpid(),
        "monotonic": time.monotonic(),
        "argv": sys.argv[1:],
        "environment": {k: os.environ.get(k) for k in ("BAKED", "NAME", "GIVEN")},
        "host": socket.gethostname(),
        "hash": hash("text"),
        "started with": [open(f"/proc/self/{name}").read() for name in ("cmdline", "environ")],
        "wiped": [SEED[:4].hex(), KEPT[:4].hex(), mappings(LONG)],
        "node": uuid.getnode(),
        "random": {
            "random": random.random(),
            "urandom": os.urandom(16).hex(),
            "secrets": secrets.token_hex(),
            "ssl": ssl.RAND_bytes(16).hex(),
            "uuid1": str(uuid.uuid1()),
            "sqlite": DATABASE.execute("select random()").fetchone()[0],
            "uuid4": str(uuid.uuid4()),
            "tempfile": tempfile.mktemp(),
        },
    }


RINGS = []
os.register_at_fork(after_in_child=lambda: RINGS.append("child"), before=lambda: RINGS.append("before"))
SEED, KEPT, GONE = mmap.mmap(-1, 4096, PRIVATE), mmap.mmap(-1, 4096, PRIVATE), mmap.mmap(-1, LONG, PRIVATE)
SEED[:4] = KEPT[:4] = b"seed"
SEED.madvise(WIPEONFORK)
GONE.madvise(mmap.MADV_DONTFORK)
uuid.getnode()
look()  # every generator has been used
with open("/tmp/kept", "w") as file:
    file.write("from before")
os.environ["BAKED"] = "set by the program"
BEFORE = look()


def main():
    with open("/tmp/kept") as kept, open("/dev/unikit/report", "w") as report:
        said = {"before": BEFORE, "now": look(), "rings": RINGS, "kept": kept.read(), "clock": time.time()}
        said["sequence"] = uuid.uuid1().clock_seq
        report.write(json.dumps(said))


if __name__ == "__main__":
    import platform

    IMPORTED = "platform" in sys.modules and platform.node()
    main()
