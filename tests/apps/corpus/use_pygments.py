"""Highlighting by the names of lexers and formatters, guessing a lexer, styles."""

from pygments import highlight
from pygments.formatters import HtmlFormatter, get_formatter_by_name
from pygments.lexers import get_lexer_by_name, guess_lexer
from pygments.styles import get_style_by_name

text = highlight("def f(): return 1", get_lexer_by_name("python"), HtmlFormatter(nowrap=True))
assert '<span class="k">def</span>' in text
assert "\x1b[" in highlight("SELECT 1", get_lexer_by_name("sql"), get_formatter_by_name("terminal"))
assert guess_lexer("#!/usr/bin/python\nimport os").name == "Python"
assert get_style_by_name("monokai").background_color
