"""Pages are writable or executable, never both, unless the image was built to allow it."""

import mmap
import os

try:
    mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    allowed = True
except PermissionError:
    allowed = False
assert allowed == bool(os.environ.get("EXPECT_ALLOWED"))
