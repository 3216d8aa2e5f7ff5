"""The services of tests/endurance, for a few seconds each; `python -m tests.endurance` drives them for long.

UNIKIT_ENDURANCE (3) is for how many seconds.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.endurance import client, measure
from tests.host import postgres

SECONDS = float(os.environ.get("UNIKIT_ENDURANCE", "3"))


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    with postgres.server() as url:
        yield url


TABLES = {"django": "notes_note", "fastapi": "notes_fastapi", "flask": "notes"}


@pytest.mark.parametrize("name", TABLES)
def test_a_service_with_two_databases(name: str, database: str, tmp_path: Path) -> None:
    """Notes in sqlite and PostgreSQL by many clients at once are what they must be, and the host finds them."""
    with measure.service(name, sys.executable, database, tmp_path) as guest:
        outcome = client.load(guest.port(8080), measure.DATABASES, 4, SECONDS)
        assert outcome.errors == [] and outcome.answers > 0, guest.console()
        assert guest.stop() in (0, 143), guest.console()
    with contextlib.closing(sqlite3.connect(tmp_path / f"{name}.db")) as kept:
        assert kept.execute("pragma integrity_check").fetchone() == ("ok",)
        assert kept.execute(f"select count(distinct author) from {TABLES[name]}").fetchone() == (4,)
