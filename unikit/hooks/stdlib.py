"""Facts of CPython's standard library, 3.10 to 3.13 (source: the C files of its modules, `PyImport_Import*` calls)."""

from __future__ import annotations

import re

# what every start of the interpreter imports (Python/pylifecycle.c, Lib/site.py)
START = (
    "encodings", "encodings.aliases", "encodings.utf_8", "encodings.ascii", "encodings.latin_1",
    "codecs", "io", "abc", "site", "os", "stat", "posixpath", "genericpath", "_collections_abc", "_sitebuiltins",
    "zipimport",
)  # fmt: skip

# what the interpreter itself imports later, by name, from C
RUNTIME = (
    "warnings",  # Python/_warnings.c, at the first warning
)  # fmt: skip
RUNTIME_313 = ("traceback", "linecache", "tokenize")  # Python/pythonrun.c: uncaught exceptions, from 3.13 on

# C modules and the Python modules that they import
FROM_C: dict[str, tuple[str, ...]] = {
    "_asyncio": (
        "asyncio.events",
        "asyncio.base_futures",
        "asyncio.base_tasks",
        "asyncio.exceptions",
        "asyncio.coroutines",
        "traceback",
        "weakref",
    ),
    "_collections": ("collections.abc",),
    "_ctypes": ("ctypes._endian",),
    "_datetime": ("time",),
    "_decimal": ("numbers", "collections"),
    "_elementtree": ("copy", "pyexpat", "xml.etree.ElementPath"),
    "_functools": ("reprlib",),
    "_io": ("codecs",),
    "_json": ("json.decoder",),
    "_lsprof": (),
    "_pickle": ("copyreg", "_compat_pickle", "functools"),
    "_posixsubprocess": (),
    "_socket": ("encodings.idna",),
    "_sqlite3": ("sqlite3.dump", "functools", "collections.abc", "datetime", "time"),
    "_ssl": ("_socket", "socket"),
    "_struct": (),
    "_uuid": (),
    "_zoneinfo": ("zoneinfo._common", "zoneinfo._tzpath"),
    "_interpreters": ("_interpreters",),
    "array": ("collections.abc",),
    "parser": ("copyreg",),
    "pyexpat": (),
    "select": (),
    "zlib": (),
}
# the same, in one function of the C module that somebody has to use
FROM_C_FUNCTION = {"time": ("strptime", "_strptime"), "_datetime": ("@strptime", "_strptime")}

# tools for people: what the standard library imports of these inside functions is not followed
TOOLS = frozenset({
    "_pyrepl", "cProfile", "distutils", "doctest", "ensurepip", "idlelib", "lib2to3", "pdb", "profile", "pydoc",
    "pydoc_data", "test", "tkinter", "trace", "turtle", "turtledemo", "unittest", "venv", "rlcompleter",
})  # fmt: skip

# names that call for a module without importing it, in the application's code and in that of packages
APP_WORDS = {"breakpoint": "pdb"}
WORDS = {"CapsuleType": "_socket", "filterwarnings": "re", "warn": "linecache"}

# An application that imports one of these itself lets people type Python: any module of the standard library may be
# asked for, but for what needs a screen, a package index or a source tree
PROMPTS = frozenset({"code", "codeop", "IPython", "ptpython", "bpython"})
NOT_AT_A_PROMPT = re.compile(
    r"test|idlelib|_?tkinter|turtle(demo)?|lib2to3|ensurepip|venv|distutils|antigravity|_test.*|_?xx.*|_ctypes_test|msilib|nt"
)

# what the command line of a module is for (`python -m json.tool`): imports inside these functions are not followed
SCRIPT_FUNCTIONS = frozenset({"main", "_main", "test", "_test", "__main__", "_cli", "_run_main"})

# (importer, what it imports or the first part of that): never followed
CUT = frozenset({
    ("_sitebuiltins", "pydoc"),
    ("site", "readline"), ("site", "atexit"), ("site", "sysconfig"), ("site", "usercustomize"), ("site", "textwrap"),
    ("site", "traceback"), ("site", "apport_python_hook"), ("site", "locale"), ("site", "sitecustomize"),
    # the loaders' optional methods: whoever uses them has imported importlib.resources or importlib.metadata
    ("importlib._bootstrap_external", "importlib.metadata"), ("importlib._bootstrap_external", "importlib.readers"),
    ("zipimport", "importlib.readers"),
    ("types", "_socket"),  # types.CapsuleType is the type of something in it: see WORDS
    # how a warning is told if these are there, and filters by pattern: see WORDS
    ("warnings", "linecache"), ("warnings", "traceback"), ("warnings", "tracemalloc"), ("warnings", "re"),
    # on other systems only
    ("platform", "socket"), ("platform", "plistlib"), ("platform", "winreg"), ("platform", "_wmi"),
    ("warnings", "tracemalloc"),  # where allocations were traced somebody imported it
    ("multiprocessing.connection", "xmlrpc.client"),  # XmlListener, which nothing documents
})  # fmt: skip

# what the standard library imports only where something else is missing, and what that is
FALLBACKS = {
    "_pydecimal": "_decimal", "_pydatetime": "_datetime", "_py_abc": "_abc", "_threading_local": "_thread",
    "_pyio": "_io", "_dummy_thread": "_thread", "_osx_support": "posix", "_aix_support": "posix",
    "_bootsubprocess": "posix",
}  # fmt: skip

# what comes with a module, by way of the loaders' optional methods or by names in strings
WITH = {
    "importlib.resources": ("importlib.readers",),
    "importlib.metadata": ("importlib.readers",),
    "pkgutil": ("importlib.readers",),
    "zipfile": ("encodings.cp437",),  # names in archives of old, in every directory that is read
    "dbm": ("dbm.dumb",),  # asked for by name, after those that need libraries
}

# text encodings that a program meets when others choose them (HTTP, mail): Unicode, ISO 8859, Windows, KOI8
COMMON_CODECS = (
    "utf_8_sig", "utf_16", "utf_16_le", "utf_16_be", "utf_32", "utf_32_le", "utf_32_be", "utf_7", "idna", "punycode",
    "charmap", "raw_unicode_escape", "unicode_escape", "koi8_r", "koi8_u", "mac_roman", "cp437", "cp850", "cp866",
    *(f"iso8859_{n}" for n in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 16)),
    *(f"cp125{n}" for n in range(9)),
)  # fmt: skip

# modules whose work is to decode what others sent
DECODERS = ("email", "email.message", "cgi", "html.parser", "xml.etree.ElementTree", "http.client")
