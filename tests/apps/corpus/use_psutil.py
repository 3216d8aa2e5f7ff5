"""What the machine says of itself: memory, processor, this process and its threads."""

import os

import psutil

assert psutil.virtual_memory().total > 1 << 20
assert psutil.cpu_count() >= 1
process = psutil.Process()
assert process.pid == os.getpid() and process.memory_info().rss > 1 << 20
assert process.num_threads() == 1 and process.name()
assert process.cpu_times().user >= 0 and psutil.boot_time() > 0
assert process.pid in psutil.pids()
