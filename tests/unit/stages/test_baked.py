"""What is told of programs that are frozen: values of the build, connections, and a module that hides unikit's own."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.stages.conftest import Workshop
from unikit.analysis import imports
from unikit.errors import ExitCode, UserError


def warnings(workshop: Workshop, *, freeze: bool = True, **files: str) -> list[str]:
    found = workshop.load(workshop.app(**files))
    return list(imports.analyse(replace(found, settings=replace(found.settings, freeze=freeze))).warnings)


def test_calls_before_the_freeze_are_told(workshop: Workshop) -> None:
    files = {
        "main": "import os, settings\nON = os.getenv('ON')\ndef main():\n    os.getenv('A')\nmain(os.getenv('B'))",
        "settings": "import os, random as r\nP = os.environ.get('P')\n\ndef f(): return r.Random()\nX = r.Random()",
    }
    said = warnings(workshop, **files)
    assert len(said) == 3
    assert "main.py:2: calls os.getenv before the freeze" in said[0] and "of the build" in said[0]
    assert "settings.py:2: calls os.environ.get" in said[1]
    assert "settings.py:5: calls random.Random" in said[2] and "after_thaw" in said[2]
    assert warnings(workshop, freeze=False, **files) == []


def test_connections_are_told(workshop: Workshop) -> None:
    said = warnings(
        workshop, main="import socket\nDB = socket.create_connection(('db', 5432))\ndef main(): pass\nmain()"
    )
    assert len(said) == 1 and "main.py:2: calls socket.create_connection" in said[0]


def test_a_module_that_hides_unikit_is_refused(workshop: Workshop) -> None:
    with pytest.raises(UserError, match="hides the module unikit") as caught:
        warnings(workshop, main="print(1)", unikit="")
    assert caught.value.code == ExitCode.FREEZE and caught.value.hint
    assert warnings(workshop, freeze=False, main="print(1)", unikit="") == []
