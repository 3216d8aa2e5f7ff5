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


def test_variables_that_are_read_by_operators_are_told(workshop: Workshop) -> None:
    said = warnings(
        workshop,
        main="import settings, other\ndef main(): pass\nmain()",
        settings="import os\nfrom os import environ as e\nA = os.environ['A']\nB = 'B' in e\nos.environ['C'] = 'c'\n"
        "os.environ |= {'D': 'd'}\ndef f(): return e['E']\nclass Config:\n    F = e['F']\ndel e['F']",
        other="import os\nG = dict(os.environ.items())\nH = os.sep[0], 'x' in os.name",
    )
    assert len(said) == 4
    assert "other.py:2: calls os.environ.items before the freeze" in said[0]
    assert "settings.py:3: reads os.environ[...] before the freeze" in said[1] and "of the build" in said[1]
    assert "settings.py:4: looks into os.environ before the freeze" in said[2]
    assert "settings.py:9: reads os.environ[...]" in said[3]


def test_secrets_and_names_of_the_build_are_told(workshop: Workshop) -> None:
    said = warnings(
        workshop,
        main="import settings\ndef main(): pass\nmain()",
        settings="import secrets, socket\nKEY = secrets.token_hex(32)\nHOST = socket.gethostname()\n"
        "def key(): return secrets.token_hex(32)",
    )
    assert len(said) == 2
    assert "settings.py:2: calls secrets.token_hex" in said[0] and "in every boot" in said[0]
    assert "settings.py:3: calls socket.gethostname" in said[1]


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


def test_what_a_factory_asks_for_is_told(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is called before the freeze, as an application at the top of its module is made."""
    app = workshop.app(
        made="import os\ndef create_app():\n    KEY = os.environ['KEY']\n    def view(): return os.environ['VIEW']\n"
        "    return lambda environ, start: [KEY]\ndef other(): return os.environ['OTHER']"
    )
    (app.parent / "pyproject.toml").write_text('[tool.unikit]\ninterface = "wsgi"\nfreeze = true\n')
    monkeypatch.chdir(app.parent)
    said = imports.analyse(workshop.load("made:create_app()")).warnings
    assert any("made.py:3: reads os.environ[...] before the freeze" in text for text in said), said
    assert not any("made.py:6" in text for text in said)


def test_settings_that_are_read_of_the_environment_are_told(workshop: Workshop) -> None:
    workshop.packages({"pydantic_settings/__init__.py": "class BaseSettings: pass"})
    said = warnings(
        workshop,
        main="import conf\nfrom conf import Settings\nX = Settings()\ndef main(): Settings()\nmain()",
        conf="import pydantic_settings as p\nclass Settings(p.BaseSettings):\n    url: str = ''\nclass Other: pass\n"
        "settings, other = Settings(), Other()\ndef get(): return Settings()",
    )
    assert len(said) == 2, said
    assert "main.py:3: calls conf.Settings before the freeze" in said[0] and "the build's environment" in said[0]
    assert "conf.py:5: calls conf.Settings before the freeze" in said[1]
