"""What options say of a guest, at the command line and for pytest alike; ports.py and volumes.py have the others."""

from __future__ import annotations

import os

from unikit import settings
from unikit.errors import ExitCode, UserError


def memory(text: str | None) -> int | None:
    """MiB from 256, 256M or 1G. Raises UserError (USAGE)."""
    if text is None:
        return None
    try:
        return settings.memory(text)
    except ValueError as error:
        raise UserError(f"'{text}' is no size.", code=ExitCode.USAGE, hint="Sizes are 256 (MiB), 256M, 1G.") from error


def variable(text: str) -> tuple[str, str]:
    """KEY=VALUE; KEY alone takes the value that it has here. Raises UserError (USAGE)."""
    key, equals, value = text.partition("=")
    if not key:
        raise UserError(f"'{text}' is no KEY=VALUE.", code=ExitCode.USAGE)
    return key, value if equals else os.environ.get(key, "")
