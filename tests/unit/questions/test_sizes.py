"""The tree of sizes: each level is the sum of the one below."""

from __future__ import annotations

from unikit.questions.sizes import Part


def total(part: Part) -> int:
    return sum(total(member) for member in part.parts.values()) if part.parts else part.size


def test_a_part_is_the_sum_of_its_parts() -> None:
    whole = Part("image")
    whole.add(("dependencies", "flask", "app.pyc"), 4096, "module:flask.app")
    whole.add(("dependencies", "flask", "cli.pyc"), 8192)
    whole.add(("dependencies", "jinja2", "lexer.pyc"), 12288)
    whole.add(("kernel", "vfs", "pipe"), 100)
    assert whole.size == total(whole) == 4096 + 8192 + 12288 + 100
    assert [part.name for part in whole.sorted()] == ["dependencies", "kernel"]
    flask = whole.parts["dependencies"].parts["flask"]
    assert flask.size == 12288 and flask.node == "" and flask.parts["app.pyc"].node == "module:flask.app"


def test_the_largest_come_first_and_equals_by_name() -> None:
    whole = Part("image")
    for name, size in (("b", 5), ("a", 5), ("c", 9)):
        whole.add((name,), size)
    assert [part.name for part in whole.sorted()] == ["c", "a", "b"]
