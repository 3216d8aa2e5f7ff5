"""The cache does not grow without end."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from unikit import cache

DAY = 86400


@pytest.fixture(autouse=True)
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNIKIT_CACHE", str(tmp_path))
    monkeypatch.setenv("UNIKIT_CACHE_LIMIT", str(100_000 / (1 << 30)))


def stored(kind: str, name: str, age: float) -> Path:
    path = cache.store(cache.entry(kind, name), os.urandom(40_960))
    os.utime(path, (time.time() - age, time.time() - age))
    return path


def test_the_longest_unused_goes_first() -> None:
    paths = [stored("images", "aa1", 9 * DAY), stored("roots", "bb2", 2 * DAY), stored("shared", "cc3", 5 * DAY)]
    cache.trim()
    assert [path.exists() for path in paths] == [False, True, True]


def test_what_was_read_lately_is_in_use() -> None:
    old, young = stored("images", "aa1", 9 * DAY), stored("images", "bb2", 5 * DAY)
    os.utime(old, (time.time() - DAY, old.stat().st_mtime))
    third = stored("frozen", "cc3", 2 * DAY)
    cache.trim()
    assert old.exists() and third.exists() and not young.exists()


def test_what_another_build_may_be_using_stays() -> None:
    paths = [stored("images", f"aa{n}", 60) for n in range(4)]
    cache.trim()
    assert all(path.exists() for path in paths)


def test_small_entries_are_never_deleted() -> None:
    paths = [stored("pyc", f"aa{n}", 99 * DAY) for n in range(4)]
    cache.trim()
    assert all(path.exists() for path in paths)


def test_it_does_not_look_at_every_build() -> None:
    cache.trim()
    path, *_ = [stored("images", f"aa{n}", DAY) for n in range(4)]
    cache.trim()
    assert path.exists()


def test_a_limit_that_is_no_number_is_the_usual_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNIKIT_CACHE_LIMIT", "much")
    path, *_ = [stored("images", f"aa{n}", DAY) for n in range(4)]
    cache.trim()
    assert path.exists()
