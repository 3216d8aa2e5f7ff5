"""Each write to /dev/unikit/report is one event for the host, however many and however long."""

import errno
import os

report = os.open("/dev/unikit/report", os.O_WRONLY)
os.write(report, b"first\n")
os.write(report, '{"what": "\u00fc \U0001f40d"}'.encode())
for i in range(2000):
    os.write(report, b"word %d" % i)
assert os.write(report, b"") == 0  # says nothing
try:
    os.write(report, bytes((1 << 20) + 1))
except OSError as error:
    assert error.errno == errno.EMSGSIZE, error
else:
    raise AssertionError("longer than an event may be")
assert os.write(report, b"x" * 300_000) == 300_000
