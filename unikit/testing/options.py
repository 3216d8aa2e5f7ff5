"""`pytest --unikit`: what the guest and its pytest are told of this session's command line."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from unikit.image.image import Image

MEMORY = 1024  # MiB beside the image's own

# Options that select or report: they have done their work on the host.
ON_HOST: dict[str, Any] = {
    "lf": False, "failedfirst": False, "newfirst": False, "stepwise": False, "stepwise_skip": False,
    "stepwise_reset": False, "keyword": "", "markexpr": "", "deselect": None, "maxfail": 0, "collectonly": False,
    "xmlpath": None, "pastebin": None, "usepdb": False, "trace": False, "cacheshow": None, "cacheclear": False,
    "log_file": None, "pyargs": False, "numprocesses": None, "dist": "no", "tx": [], "debug": None,
    "showfixtures": False, "show_fixtures_per_test": False, "markers": False, "help": False, "version": 0,
}  # fmt: skip
# Of those that are passed on, the ones that a frozen guest takes from the session and not from the build: pytest looks
# at them when a test has run. All others are part of what is frozen.
AT_TEST = (
    "verbose", "quiet", "tbstyle", "showlocals", "fulltrace", "show_capture", "reportchars", "durations",
    "durations_min", "color", "code_highlight", "disable_warnings", "no_header", "no_summary", "fold_skipped",
    "junitprefix",
)  # fmt: skip
NOT_IN_GUEST = ("terminal", "xdist", "xdist.looponfail", "pytest_cov", "unikit")


def boot(option: Any, image: Image) -> dict[str, Any]:
    """What the command line and [tool.unikit] say of the machine, as `guest.boot` takes it."""
    from unikit.vm import machine, ports, words

    memory = image.path.stat().st_size // 2**20 + MEMORY
    with _usage("--unikit-memory"):
        memory = words.memory(option.unikit_memory) or memory
    with _usage("--unikit-port"):
        forwards = [ports.parse(port) for port in option.unikit_port]
    return {
        "memory": memory,
        "ports": forwards,
        "profile": option.unikit_machine or machine.DEFAULT,
        "accelerator": None if option.unikit_accel == "auto" else option.unikit_accel,
    }


def setup(config: pytest.Config, files: list[str]) -> dict[str, Any]:
    """The session in the guest, for these files of it."""
    from unikit.vm import words

    option = config.option
    kept = {key: value for key, value in vars(option).items() if _is_passed_on(key) and _is_plain(value)}
    plugins = [*option.plugins, *(f"no:{name}" for name in NOT_IN_GUEST)]  # read early, so these are arguments
    inifile = str(config.inipath) if config.inipath else None
    mine: dict[str, Any] = {"rootdir": str(config.rootpath), "inifilename": inifile, "plugins": []}
    environment = {key: value for key, value in os.environ.items() if key == "PYTEST_DISABLE_PLUGIN_AUTOLOAD"}
    with _usage("--unikit-env"):
        environment.update(words.variable(text) for text in option.unikit_env)
    return {
        "options": {**kept, **{key: value for key, value in ON_HOST.items() if key in vars(option)}, **mine},
        "args": [*(part for name in plugins for part in ("-p", name)), *option.unikit_argument, *files],
        "cwd": str(config.invocation_params.dir),
        "environment": environment,
    }


def frozen(config: pytest.Config, files: list[str]) -> str:
    """The session of a guest that collects these files and is frozen then, as JSON."""
    made = setup(config, files)
    made["options"] = {key: value for key, value in made["options"].items() if key not in AT_TEST}
    return json.dumps(made, sort_keys=True)


def thawed(config: pytest.Config) -> dict[str, Any]:
    """The rest of the session, for a guest that resumes: it has collected."""
    options = setup(config, [])["options"]
    return {"options": {key: value for key, value in options.items() if key in AT_TEST}}


@contextlib.contextmanager
def _usage(name: str) -> Iterator[None]:
    """An option that says nothing of use is told as pytest tells of its own."""
    from unikit.errors import UserError

    try:
        yield
    except UserError as error:
        hint = f" {error.hint}" if error.hint else ""
        raise pytest.UsageError(f"{name}: {error.message}{hint}") from None


def _is_passed_on(option: str) -> bool:
    return not option.startswith("unikit") and option != "file_or_dir"


def _is_plain(value: Any) -> bool:
    """Whether JSON has a form for an option's value."""
    if isinstance(value, (list, tuple)):
        return all(_is_plain(v) for v in value)
    if isinstance(value, dict):
        return all(isinstance(k, str) and _is_plain(v) for k, v in value.items())
    return value is None or isinstance(value, (bool, int, float, str))
