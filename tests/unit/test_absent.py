"""Advice from the last words of an application."""

from __future__ import annotations

import pytest

from unikit.vm.absent import advice

HEAD = 'Traceback (most recent call last):\n  File "/app/main.py", line 1, in <module>\n'


@pytest.mark.parametrize(
    ("last", "setting"),
    [
        ("ModuleNotFoundError: No module named 'shop.plugins'", "'shop.plugins'"),
        ("LookupError: unknown encoding: koi8-t", "'encodings.koi8_t'"),
        ("FileNotFoundError: [Errno 2] No such file or directory: 'data/x.csv'", "'data/x.csv'"),
        ("FileNotFoundError: [Errno 2] No such file or directory: '/app/data/x.csv'", "'data/x.csv'"),
        ("jinja2.exceptions.TemplateNotFound: page.html", "'templates'"),
        ("zoneinfo._common.ZoneInfoNotFoundError: 'No time zone found with key Europe/Berlin'", "'zoneinfo'"),
    ],
)
def test_what_is_absent_can_be_included(last: str, setting: str) -> None:
    said = advice(f"some log\n{HEAD}{last}\n")
    assert said is not None
    assert f"include = [{setting}]" in said


@pytest.mark.parametrize("path", ["/usr/lib/python3.11/site-packages/p/not.txt", "/app/data/x.csv"])
def test_a_file_that_a_trace_left_out_is_told_with_its_rule(path: str) -> None:
    last = f"FileNotFoundError: [Errno 2] No such file or directory: '{path}'"
    said = advice(f"{HEAD}{last}\n", lambda: [path])
    assert said is not None and "prune = traced" in said
    assert f"include = ['{path.removeprefix('/app/')}']" in said
    other = advice(f"{HEAD}{last}\n")
    assert other is not None and "prune = traced" not in other


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ModuleNotFoundError: No module named 'x'",  # printed, not raised
        HEAD + "ValueError: No module named 'x'",
        HEAD + "FileNotFoundError: [Errno 2] No such file or directory: '/data/x'",
        HEAD + "ModuleNotFoundError: No module named 'ssl' (left out of this image; ...)",
        HEAD + "ZeroDivisionError: division by zero",
    ],
)
def test_other_ends_get_no_advice(text: str) -> None:
    assert advice(text) is None
