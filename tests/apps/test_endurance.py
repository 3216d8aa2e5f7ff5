"""The services of tests/endurance, for a few seconds each; `python -m tests.endurance` drives them for long.

UNIKIT_ENDURANCE (2) is for how many seconds.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import sqlite3
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.endurance import client, measure
from tests.host.postgres import Postgres

SECONDS = float(os.environ.get("UNIKIT_ENDURANCE", "2"))


@pytest.fixture(scope="module")
def database() -> Iterator[Postgres]:
    running = Postgres()
    with running:
        yield running


TABLES = {"django": "notes_note", "fastapi": "notes_fastapi", "flask": "notes"}


@pytest.mark.parametrize("name", TABLES)
def test_a_service_with_two_databases(name: str, database: Postgres, tmp_path: Path) -> None:
    """Notes in sqlite and PostgreSQL by many clients at once are what they must be, and the host finds them."""
    with measure.service(name, sys.executable, database.url, tmp_path) as guest:
        outcome = client.load(guest.port(8080), measure.DATABASES, 4, SECONDS)
        assert outcome.errors == [] and outcome.answers > 0, guest.console()
        assert guest.stop() in (0, 143), guest.console()
    with contextlib.closing(sqlite3.connect(tmp_path / f"{name}.db")) as kept:
        assert kept.execute("pragma integrity_check").fetchone() == ("ok",)
        assert kept.execute(f"select count(distinct author) from {TABLES[name]}").fetchone() == (4,)


def test_a_database_goes_away_and_comes_back(database: Postgres, tmp_path: Path) -> None:
    """What does not need it goes on meanwhile; what does recovers by itself."""
    with measure.service("flask", sys.executable, database.url, tmp_path) as guest:
        port = guest.port(8080)
        assert client.load(port, measure.DATABASES, 2, 1, label="before").errors == [], guest.console()
        database.stop(signal.SIGINT)
        assert client.load(port, ("sqlite",), 2, 1, label="without").errors == [], guest.console()
        database.start()
        end = time.monotonic() + client.PATIENCE
        for attempt in itertools.count():  # connections that the pool still holds fail once
            errors = client.load(port, measure.DATABASES, 2, 1, label=f"after-{attempt}").errors
            if not errors:
                break
            assert time.monotonic() < end, (errors, guest.console())
        assert guest.stop() == 0, guest.console()
