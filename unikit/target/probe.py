"""Prints what unikit has to know of the interpreter that runs this, as one JSON object."""

import sys

if sys.version_info < (3, 10):  # noqa: UP036 - this file has to run on whatever is named
    sys.exit("it is Python %d.%d" % sys.version_info[:2])  # noqa: UP031
sys.path.pop(0)  # this file's folder; what is left is what the application will see

import _imp
import importlib.machinery
import importlib.util
import json
import os
import site
import sysconfig


def frozen_names() -> list[str]:
    names = getattr(_imp, "_frozen_module_names", None)
    found = set(names()) if names else set()
    found.update(n for n in (*sys.stdlib_module_names, "importlib._bootstrap") if _imp.is_frozen(n))
    found = {n for n in found if _imp.is_frozen(n) and not n.startswith("__")}
    # frozen by other names, and in sys.modules from the start
    return sorted(found | {"importlib._bootstrap", "importlib._bootstrap_external"})


def site_folders(prefix: str) -> list[str]:
    """The folders that `site` will add in the guest: there the program's prefix is its base prefix (Debian's asks)."""
    sys.prefix = sys.base_prefix
    return site.getsitepackages([prefix])


def main() -> None:
    stdlib = os.path.dirname(os.path.realpath(os.__file__))
    names = sysconfig.get_config_var
    described = {
        "implementation": sys.implementation.name,
        "version": list(sys.version_info[:3]),
        "platform": sys.platform,
        "machine": os.uname().machine,
        "soabi": names("SOABI") or "",
        "free_threaded": bool(names("Py_GIL_DISABLED")),
        "executable": os.path.realpath(sys.executable),
        "prefix": sys.prefix,
        "base_prefix": sys.base_prefix,
        "stdlib": stdlib,
        "dynload": os.path.realpath(names("DESTSHARED") or os.path.join(stdlib, "lib-dynload")),
        "sys_path": [p for p in sys.path if p],
        "cache_tag": sys.implementation.cache_tag,
        "suffixes": importlib.machinery.EXTENSION_SUFFIXES,
        "magic": importlib.util.MAGIC_NUMBER.hex(),
        "builtins": list(sys.builtin_module_names),
        "frozen": frozen_names(),
        "stdlib_names": sorted(sys.stdlib_module_names),
        "sysconfig_data": getattr(sysconfig, "_get_sysconfigdata_name")(),  # noqa: B009 - private,
    }
    described["guest_sites"] = site_folders("/usr")
    json.dump(described, sys.stdout)


main()
