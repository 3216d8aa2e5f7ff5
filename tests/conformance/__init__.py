"""CPython's own regression tests in a guest and on this machine, compared: `python -m tests.conformance`."""
