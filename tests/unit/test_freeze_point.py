"""Where a program is frozen that does not say so: between its definitions and its work."""

from __future__ import annotations

import ast
import textwrap

import pytest

from unikit.target import freeze_point

MAIN = 'if __name__ == "__main__":'


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("import asyncio\nasync def main(): ...", "asyncio.run(main())"),
        ("", "print('hello')"),
        ("import sys\nVERSION = '1' + '2'", "print(VERSION)"),
        ("from flask import Flask\napp = Flask(__name__)\n@app.get('/')\ndef index(): ...", "app.run()\nprint('end')"),
        ("def main(): ...", "port = int(environ['PORT'])\nmain()"),
        ("try:\n    import ujson as json\nexcept ImportError:\n    import json\nNAMES = ['a']", "json.dumps(NAMES)"),
        ("import sys\nif sys.version_info > (3, 11):\n    def f(): ...\nelse:\n    f = None", "f()"),
        ("import sys", "if len(sys.argv) > 1:\n    print(sys.argv)"),
        ("def f(): ...\nclass A: ...", ""),
        ('"""Text."""\nfrom __future__ import annotations', "work()"),
    ],
)
def test_it_is_before_the_trailing_work(before: str, after: str) -> None:
    assert _point(f"{before}\n{after}") == (ast.unparse(ast.parse(before)), ast.unparse(ast.parse(after)))


def test_imports_at_the_start_of_the_main_block_are_run_before() -> None:
    source = f"""
    import a
    def main(): ...
    {MAIN}
        import b
        from c import d
        options = parse()
        main()
    """
    tree = freeze_point.insert(ast.parse(textwrap.dedent(source)))
    block = tree.body[-1]
    assert isinstance(block, ast.If)
    assert [ast.unparse(s) for s in block.body] == [
        "import b", "from c import d", freeze_point.CALL, "options = parse()", "main()"
    ]  # fmt: skip


def test_a_main_block_of_imports_alone() -> None:
    tree = freeze_point.insert(ast.parse(f"{MAIN}\n    import b\n"))
    assert ast.unparse(tree).splitlines()[-1].strip() == freeze_point.CALL


def test_what_follows_the_main_block_is_after_it() -> None:
    tree = freeze_point.insert(ast.parse(f"def f(): ...\n{MAIN}\n    f()\nprint('end')\n"))
    assert isinstance(tree.body[1], ast.If) and ast.unparse(tree.body[1].body[0]) == freeze_point.CALL
    assert ast.unparse(tree.body[2]) == "print('end')"


def test_the_result_compiles_and_errors_keep_their_lines() -> None:
    tree = freeze_point.insert(ast.parse("import os\n\n\n1 / 0\n"))
    code = compile(tree, "app.py", "exec")
    assert {line for _, _, line in code.co_lines() if line} <= {1, 4}


@pytest.mark.parametrize(
    ("source", "does"),
    [
        ("import unikit\nunikit.freeze()", True),
        ("import unikit as u\ndef f():\n    u.freeze()", True),
        ("from unikit import freeze as stop\nstop()", True),
        ("import unikit\n@unikit.after_thaw\ndef f(): ...", False),
        ("import gc\ngc.freeze()", False),
        ("from unikit import freeze", False),
    ],
)
def test_programs_that_freeze_themselves(source: str, does: bool) -> None:
    assert freeze_point.freezes_itself(ast.parse(source)) is does


def _point(source: str) -> tuple[str, str]:
    lines = ast.unparse(freeze_point.insert(ast.parse(source))).split(freeze_point.CALL)
    assert len(lines) == 2
    before, after = (ast.unparse(ast.parse(part)) for part in lines)
    return before, after
