"""Random numbers and a network address came from the devices: says which address (tests/boot/test_devices.py)."""

import os
import socket
import time

assert len(set(os.urandom(64))) > 16
deadline = time.monotonic() + 20
while True:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("10.0.2.2", 9))
            print("address", probe.getsockname()[0], flush=True)
            break
        except OSError:
            assert time.monotonic() < deadline, "no address"
            time.sleep(0.01)
with socket.create_connection(("10.0.2.100", 7), 20) as echo:
    for size in (1, 1400, 5000, 200_000):
        data = os.urandom(size)
        echo.sendall(data)
        got = b""
        while len(got) < size and (part := echo.recv(65536)):
            got += part
        assert got == data, (size, len(got))
print("echoed", flush=True)
