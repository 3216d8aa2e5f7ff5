"""Says what it is made of, and when: before the freeze, and in each boot of the frozen image."""

import json
import os
import random
import secrets
import socket
import ssl
import sys
import tempfile
import time
import uuid


def look():
    return {
        "pid": os.getpid(),
        "monotonic": time.monotonic(),
        "argv": sys.argv[1:],
        "environment": {k: os.environ.get(k) for k in ("BAKED", "NAME", "GIVEN")},
        "host": socket.gethostname(),
        "hash": hash("text"),
        "started with": [open(f"/proc/self/{name}").read() for name in ("cmdline", "environ")],
        "random": {
            "random": random.random(),
            "urandom": os.urandom(16).hex(),
            "secrets": secrets.token_hex(),
            "ssl": ssl.RAND_bytes(16).hex(),
            "uuid1": str(uuid.uuid1()),
            "uuid4": str(uuid.uuid4()),
            "tempfile": tempfile.mktemp(),
        },
    }


RINGS = []
os.register_at_fork(after_in_child=lambda: RINGS.append("child"), before=lambda: RINGS.append("before"))
uuid.getnode()
look()  # every generator has been used
with open("/tmp/kept", "w") as file:
    file.write("from before")
os.environ["BAKED"] = "set by the program"
BEFORE = look()


def main():
    with open("/tmp/kept") as kept, open("/dev/unikit/report", "w") as report:
        said = {"before": BEFORE, "now": look(), "rings": RINGS, "kept": kept.read(), "clock": time.time()}
        report.write(json.dumps(said))


if __name__ == "__main__":
    import platform

    IMPORTED = "platform" in sys.modules and platform.node()
    main()
