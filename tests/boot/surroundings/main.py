"""What a program asks of its surroundings: processors, limits, platform, locales, time zones; and psutil's view."""

import datetime
import locale
import os
import platform
import resource
import sys
import time
import zoneinfo


def processors():
    assert os.cpu_count() == 1 and os.sched_getaffinity(0) == {0} and len(os.getloadavg()) == 3
    assert os.sysconf("SC_NPROCESSORS_ONLN") == 1
    assert 64 << 20 < os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") <= 256 << 20
    os.sched_setaffinity(0, {0})


def limits():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert 1024 <= soft <= hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
    files = []
    try:
        while True:
            files.append(open(__file__))
    except OSError as error:
        assert "Too many open files" in str(error) and 50 < len(files) < 64, (error, len(files))
    for file in files:
        file.close()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert resource.getrlimit(resource.RLIMIT_STACK)[0] == 8 << 20
    usage = resource.getrusage(resource.RUSAGE_SELF)
    assert usage.ru_maxrss > 1024 and usage.ru_utime > 0


def platforms():
    assert platform.system() == "Linux" and platform.machine() == "x86_64" and platform.libc_ver()[0] == "glibc"
    assert platform.release().endswith("-unikit") and platform.node() == os.uname().nodename
    assert platform.platform().startswith("Linux-") and platform.architecture()[0] == "64bit"
    assert sys.platform == "linux" and os.getpid() > 1 and os.getuid() == 0


def locales():
    assert locale.setlocale(locale.LC_ALL, "") == "C.UTF-8" == locale.setlocale(locale.LC_ALL, "C.UTF-8")
    assert locale.getpreferredencoding().lower() == "utf-8" and locale.strxfrm("ä")
    assert locale.localeconv()["decimal_point"] == "." and time.strftime("%A", time.gmtime(0)) == "Thursday"
    try:
        locale.setlocale(locale.LC_ALL, "xx_XX.UTF-8")
    except locale.Error:
        pass
    else:
        raise AssertionError("a locale of nowhere")


def time_zones():
    berlin = zoneinfo.ZoneInfo("Europe/Berlin")
    summer, winter = (datetime.datetime(2024, month, 1, 12, tzinfo=berlin).utcoffset() for month in (7, 1))
    assert (summer, winter) == (datetime.timedelta(hours=2), datetime.timedelta(hours=1))
    assert {"UTC", "Asia/Tokyo", "America/New_York"} <= zoneinfo.available_timezones()
    assert time.tzname[0] == "UTC" and datetime.datetime.now().astimezone().utcoffset() == datetime.timedelta(0)
    os.environ["TZ"] = "Asia/Tokyo"
    time.tzset()
    assert time.tzname[0] == "JST" and time.localtime(0).tm_hour == 9
    del os.environ["TZ"]
    time.tzset()


def by_psutil():
    import psutil

    assert psutil.cpu_count() == psutil.cpu_count(logical=False) == 1 and psutil.cpu_percent(0.05) >= 0
    memory = psutil.virtual_memory()
    block = bytearray(os.urandom(1)) * (32 << 20)
    assert 20 << 20 < memory.available - psutil.virtual_memory().available < 44 << 20
    process = psutil.Process()
    assert 32 << 20 < process.memory_info().rss < memory.total and len(block) == 32 << 20
    assert process.name().startswith("python3") and process.exe() == sys.executable and process.username() == "root"
    assert process.cmdline()[0] == sys.executable and process.cwd() == os.getcwd() and process.children() == []
    assert process.num_threads() == 1 and process.num_fds() >= 3 and process.parent() is None
    assert 0 <= time.time() - process.create_time() < 300 and psutil.pids() == [os.getpid()]
    with open(__file__) as file:
        assert [f.path for f in process.open_files()] in ([file.name], [])
    assert {"lo", "eth0"} <= set(psutil.net_if_addrs()) and psutil.net_io_counters().packets_sent > 0
    assert psutil.disk_usage("/").free > 1 << 20 and psutil.swap_memory().total == 0
    assert set(process.as_dict()) >= {"pid", "cpu_times", "memory_maps", "threads", "io_counters"}


for part in (processors, limits, platforms, locales, time_zones, by_psutil):
    part()
