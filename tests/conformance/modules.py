"""Which modules of the `test` package are run, which are not and why, and the telling ones."""

from __future__ import annotations

import fnmatch
from pathlib import Path

# Packages of tests whose modules are run one by one, because they are long.
SPLIT = ("test_asyncio", "test_email", "test_importlib", "test_import")

PROCESSES = "is about other processes, and a guest has one"
# What a case that needs another process ends in (unikit/target/one_process.py).
PROCESS = "They start another process, and say in the guest that there is none to be had:"
PROGRAM = "They run another program, or are skipped where it is not found:"
DEVELOPERS = "is about CPython's own sources and build"
NO_SCREEN = "needs a screen"
ELSEWHERE = "is for another operating system"

# Modules that are not run, by pattern.
EXCLUDED = {
    "test_subprocess": PROCESSES, "test_multiprocessing_*": PROCESSES, "test_fork1": PROCESSES, "test_wait3": PROCESSES,
    "test_wait4": PROCESSES, "test_popen": PROCESSES, "test_pipes": PROCESSES, "test_cmd_line*": PROCESSES,
    "test_script_helper": PROCESSES, "test_faulthandler": PROCESSES, "test_venv": PROCESSES,
    "test_ensurepip": PROCESSES,
    "test_embed": PROCESSES, "test_eintr": PROCESSES, "test_file_eintr": PROCESSES, "test_repl": PROCESSES,
    "test_regrtest": PROCESSES, "test_c_locale_coercion": PROCESSES, "test_utf8_mode": PROCESSES,
    "test_audit": PROCESSES, "test_asyncio.test_subprocess": PROCESSES, "test_pyrepl": PROCESSES,
    "test_perf_profiler": PROCESSES, "test_perfmaps": PROCESSES,
    "test_gdb": DEVELOPERS, "test_distutils": DEVELOPERS, "test_cppext": DEVELOPERS, "test_cext": DEVELOPERS,
    "test_tools": DEVELOPERS, "test_peg_generator": DEVELOPERS, "test_c_analyzer": DEVELOPERS,
    "test_check_c_globals": DEVELOPERS, "test_clinic": DEVELOPERS, "test_dtrace": DEVELOPERS, "test_freeze": DEVELOPERS,
    "test_generated_cases": DEVELOPERS, "test_crashers": DEVELOPERS, "test_capi": DEVELOPERS,
    "test_lib2to3": DEVELOPERS,
    "test_idle": NO_SCREEN, "test_tk": NO_SCREEN, "test_tix": NO_SCREEN, "test_tcl": NO_SCREEN, "test_ttk*": NO_SCREEN,
    "test_tkinter": NO_SCREEN, "test_turtle": NO_SCREEN, "test_curses": NO_SCREEN, "test_ossaudiodev": NO_SCREEN,
    "test_launcher": ELSEWHERE, "test_msilib": ELSEWHERE, "test_win*": ELSEWHERE, "test_kqueue": ELSEWHERE,
    "test_devpoll": ELSEWHERE, "test_startfile": ELSEWHERE, "test_nis": ELSEWHERE, "test_osx_env": ELSEWHERE,
    "test_asyncio.test_windows_*": ELSEWHERE, "test_asyncio.test_proactor_events": ELSEWHERE, "test_android": ELSEWHERE,
}  # fmt: skip

# Cases that need another process though their failure does not say so, by pattern.
CASES = {
    "test_thread.TestForkInThread.*": PROCESS,  # waits for what the child would say
    "test_os.EnvironTests.test_os_popen_iter": PROGRAM, "test_os.EnvironTests.test_update2": PROGRAM,
    "test_shutil.TestArchives.test_*zip_zipfile": PROGRAM, "test_shutil.TestArchives.test_*_vs_*": PROGRAM,
    "test_zipfile.TestExecutablePrependedZip.*": PROGRAM, "test_uuid.*_getnode": PROGRAM,
    "test_builtin.PtyTests.*": PROCESS,
}  # fmt: skip
# Differences that are known: limits of the runtime that docs/limits.md tells of.
KNOWN = {
    "test_fcntl.TestFcntl.test_fcntl_64_bit": "F_NOTIFY is not there; inotify is",
    "test_posix.PosixTester.test_pidfd_open": "there is no other process to be told of",
    "test_ctypes.*": "there is no gcc and no ld, and of libraries those that the image holds",
    "test_sysconfig.*": "headers and makefiles are not in an image",
    "test_ftplib.TestFTPClass.test_abort": "TCP has no urgent data (MSG_OOB)",
    "test_socket.BasicVSOCKTest.*": "there are no vsock sockets",
}

# Cases that wait for ever for what another process would say: the guest does not begin them.
ENDLESS = ("test.test_thread.TestForkInThread.test_forkinthread",)

# Telling ones: each asks much of the runtime, or much of the interpreter, and is short. `make test` runs them.
TELLING = (
    "test_builtin", "test_int", "test_dict", "test_os", "test_posix", "test_socket", "test_thread", "test_signal",
    "test_time", "test_mmap", "test_fileio", "test_select", "test_poll", "test_epoll", "test_fcntl", "test_tempfile",
    "test_shutil", "test_resource", "test_pty", "test_openpty", "test_asyncio.test_server",
    "test_asyncio.test_locks", "test_threadsignals", "test_stat", "test_genericpath",
)  # fmt: skip

# Of these, those that `make test` runs in a frozen guest as well: what a freeze could change. `python -m
# tests.conformance run --side frozen` runs all.
FROZEN = (
    "test_os", "test_posix", "test_thread", "test_signal", "test_time", "test_mmap", "test_fileio", "test_select",
    "test_poll", "test_epoll", "test_fcntl", "test_tempfile", "test_resource", "test_pty", "test_openpty",
    "test_asyncio.test_server", "test_threadsignals", "test_stat", "test_genericpath",
)  # fmt: skip

# Run first: what the runtime has most to do with.
FIRST = (
    *TELLING, "test_threading", "test_selectors", "test_pathlib", "test_json", "test_queue",
    "test_asyncio.test_unix_events", "test_asyncio.test_sendfile", "test_ssl", "test_logging", "test_zipfile",
    "test_sqlite3", "test_asyncio.test_events", "test_asyncio.test_streams", "test_asyncio.test_sock_lowlevel",
    "test_asyncio.test_server", "test_socketserver", "test_ioctl", "test_openpty", "test_thread",
    "test_threadsignals", "test_ctypes", "test_httplib", "test_httpservers", "test_urllib2_localnet", "test_ftplib",
    "test_smtplib", "test_poplib", "test_imaplib", "test_xmlrpc", "test_concurrent_futures", "test_locale",
    "test_platform", "test_zoneinfo", "test_glob", "test_genericpath", "test_posixpath", "test_stat", "test_file",
    "test_mailbox", "test_uuid", "test_random", "test_hashlib", "test_zlib", "test_bz2", "test_lzma", "test_gzip",
    "test_tarfile", "test_faulthandler", "test_sys", "test_gc", "test_pwd", "test_grp", "test_syslog", "test_timeout",
    "test_fileinput",
)  # fmt: skip


# Run last: what takes long.
LAST = (
    "test_concurrent_futures", "test_decimal", "test_bufio", "test_zipfile64", "test_largefile", "test_statistics",
    "test_unparse", "test_pickle", "test_tarfile", "test_lzma", "test_compileall", "test_datetime", "test_codecmaps_*",
    "test_urllib*net", "test_trace", "test_itertools", "test_io", "test_imaplib", "test_xmlrpc", "test_poplib",
    "test_nntplib", "test_long", "test_hashlib", "test_random", "test_pydoc", "test_asyncio.test_events",
    "test_site", "test_doctest*", "test_sys", "test_runpy", "test_zipimport*",
    "test_tracemalloc", "test_unicodedata", "test_ucn", "test_strptime", "test_gdb", "test_multibytecodec",
    "test_codecencodings_*", "test_fractions", "test_heapq", "test_ssl", "test_timeout", "test_sax", "test_typing",
    "test_xxtestfuzz", "test_unicode", "test_exceptions", "test_logging", "test_timeit", "test_capi*", "test_pyclbr",
    "test_modulefinder", "test_inspect", "test_lib2to3", "test_tokenize", "test_enum", "test_cmath", "test_stable_abi*",
)  # fmt: skip


def reason(name: str, table: dict[str, str]) -> str | None:
    return next((why for pattern, why in table.items() if fnmatch.fnmatchcase(name, pattern)), None)


def known(folder: Path) -> tuple[list[str], dict[str, str]]:
    """The modules to run, the telling ones first, and those that are left out with the reason."""
    names = []
    for file in sorted(folder.glob("test_*")):
        if file.stem in SPLIT and file.is_dir():
            names += sorted(f"{file.name}.{part.stem}" for part in file.glob("test_*.py"))
            inner = [
                part for part in file.glob("*/") if (part / "__init__.py").is_file() and any(part.glob("test_*.py"))
            ]
            names += sorted(f"{file.name}.{part.name}" for part in inner)
        elif file.suffix == ".py" or (file / "__init__.py").is_file():
            names.append(file.stem)
    left = {name: why for name in names if (why := reason(name, EXCLUDED)) is not None}
    return sorted((name for name in names if name not in left), key=place), left


def place(name: str) -> int:
    """Where in the order a module runs."""
    if any(fnmatch.fnmatchcase(name, pattern) for pattern in LAST) and name not in TELLING:
        return len(FIRST) + 1
    return FIRST.index(name) if name in FIRST else len(FIRST)
