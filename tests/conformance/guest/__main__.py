"""Runs modules of CPython's `test` package and tells every case's verdict: in a guest on the report channel, elsewhere
into a file. One argument, JSON:

    {"modules": ["test_os", ...], "skip": ["test.test_os.X.test_y", ...], "deadline": 90, "report": PATH}

It says, a JSON object each: {"begin": MODULE}, {"begin": MODULE, "case": ID}, {"module", "case", "verdict", "reason",
"seconds"} with the verdict `pass`, `fail` or `skip`, {"module", "end", "seconds"}, and {"over": true}. A module that
cannot be imported or has a test_main() that fails by itself says so as `end`. A case that takes longer than the
deadline ends the program with all threads' stacks on standard error (faulthandler).
"""

import contextlib
import faulthandler
import gc
import importlib
import json
import os
import shutil
import sys
import tempfile
import time
import traceback
import unittest

# What many tests import: in a frozen guest it is from before the freeze.
COMMON = (
    "asyncio", "concurrent.futures", "ctypes", "http.server", "logging", "multiprocessing", "random", "select",
    "signal", "socket", "sqlite3", "ssl", "subprocess", "threading", "unittest.mock", "uuid", "test.support",
    "test.support.import_helper", "test.support.os_helper", "test.support.socket_helper",
    "test.support.threading_helper", "test.support.warnings_helper",
)  # fmt: skip
SAID = 1200  # characters of a reason's end that are told
TOP = 700  # the number of the report's descriptor, out of the way of tests that count descriptors


class Report:
    """One write is one message; opened again if a test has closed it."""

    def __init__(self, path):
        self.path, self.descriptor = path, -1
        self.open()

    def open(self):
        import fcntl

        low = os.open(self.path, os.O_WRONLY | os.O_APPEND)
        self.descriptor = fcntl.fcntl(low, fcntl.F_DUPFD_CLOEXEC, TOP)
        os.close(low)

    def say(self, **message):
        text = (json.dumps(message) + "\n").encode()
        try:
            os.write(self.descriptor, text)
        except OSError:
            self.open()
            os.write(self.descriptor, text)


class Result(unittest.TestResult):
    """Tells each case's verdict when it ends."""

    def __init__(self, report, module, deadline):
        super().__init__()
        self.report, self.module, self.deadline = report, module, deadline
        self.case = None

    def startTest(self, test):
        super().startTest(test)
        self.case, self.verdict, self.reason = test.id(), "pass", ""
        self.report.say(begin=self.module, case=self.case)
        self.started = clock()
        faulthandler.dump_traceback_later(self.deadline, exit=True, file=STDERR)

    def stopTest(self, test):
        super().stopTest(test)
        faulthandler.cancel_dump_traceback_later()
        took = round(clock() - self.started, 3)
        self.report.say(module=self.module, case=self.case, verdict=self.verdict, reason=self.reason, seconds=took)
        self.case = None

    def note(self, test, verdict, reason):
        if self.case is None:  # of a class or module: its fixtures
            self.report.say(module=self.module, case=str(test), verdict=verdict, reason=reason, seconds=0)
        elif self.verdict != "fail":
            self.verdict, self.reason = verdict, reason

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.note(test, "skip", str(reason)[:SAID])

    def addFailure(self, test, error):
        self.note(test, "fail", described(error))

    addError = addFailure

    def addSubTest(self, test, subtest, error):
        if error is not None:
            skipped = issubclass(error[0], unittest.SkipTest)
            self.note(test, "skip" if skipped else "fail", described(error))

    def addUnexpectedSuccess(self, test):
        self.note(test, "fail", "unexpected success")


def described(error):
    """The end of a traceback, and whether the want of another process was behind it, wherever in the chain."""
    text = "".join(traceback.format_exception(*error))
    chain, seen = error[1], set()
    while chain is not None and id(chain) not in seen:
        seen.add(id(chain))
        if type(chain) is OSError and "one process" in str(chain):
            return f"[process] {chain}\n{text[-SAID:]}"
        chain = chain.__cause__ or chain.__context__
    return text[-SAID:]


def cases(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from cases(test)
        else:
            yield test


def run_suite(report, module, plan, suite):
    """The suite without the cases that are to be left out; class fixtures go by neighbouring cases."""
    left = [test for test in cases(suite) if test.id() not in plan["skip"]]
    unittest.TestSuite(left).run(Result(report, module, plan["deadline"]))


def run_module(report, plan, name):
    from test import support

    def run(suite):
        run_suite(report, name, plan, suite)

    faulthandler.dump_traceback_later(plan["deadline"], exit=True, file=STDERR)  # until the first case begins
    module = importlib.import_module(f"test.{name}")
    main = getattr(module, "test_main", None)
    if main is not None and hasattr(support, "_run_suite"):  # until 3.11
        support._run_suite = run
        main()
    else:
        run(unittest.defaultTestLoader.loadTestsFromModule(module))
    faulthandler.cancel_dump_traceback_later()


def work(report, plan):
    from test import support

    support.use_resources, support.verbose = [], 0
    home = os.getcwd()
    for name in plan["modules"]:
        report.say(begin=name)
        folder = tempfile.mkdtemp(prefix="conformance-")
        os.chdir(folder)
        begun, end = clock(), "ran"
        try:
            run_module(report, plan, name)
        except unittest.SkipTest as error:
            end = f"skipped: {error}"
        except BaseException:
            end = "failed: " + described(sys.exc_info())
        faulthandler.cancel_dump_traceback_later()
        report.say(module=name, end=end, seconds=round(clock() - begun, 3))
        os.chdir(home)
        with contextlib.suppress(OSError):
            shutil.rmtree(folder)
        sys.modules.pop(f"test.{name}", None)
        gc.collect()


for common in COMMON:
    with contextlib.suppress(ImportError):
        importlib.import_module(common)
STDERR = sys.stderr
clock = time.monotonic


def main():
    plan = json.loads(sys.argv[1])
    report = Report(plan["report"])
    sys.argv[1:] = []
    work(report, plan)
    report.say(over=True)
    sys.stdout.flush()
    os._exit(0)  # threads that a test left behind are nobody's


if __name__ == "__main__":
    main()
