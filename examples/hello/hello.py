"""The smallest application: says what it runs on and ends."""

import os
import platform
import sys

print(f"Hello from Python {platform.python_version()} in its own virtual machine.")
print(f"I am process {os.getpid()} on {os.uname().sysname}; nobody else is here.")
if len(sys.argv) > 1:
    print("You said:", " ".join(sys.argv[1:]))
