"""Inheritance, macros, filters, loops, a sandbox, errors with their line."""

import contextlib

from jinja2 import DictLoader, Environment, TemplateSyntaxError, select_autoescape
from jinja2.sandbox import SandboxedEnvironment, SecurityError

pages = {
    "base.html": "<title>{% block title %}{% endblock %}</title>{% block body %}{% endblock %}",
    "page.html": "{% extends 'base.html' %}{% macro li(x) %}<li>{{ x }}</li>{% endmacro %}"
    "{% block title %}{{ title|title }}{% endblock %}"
    "{% block body %}{% for x in items|sort %}{{ loop.index }}{{ li(x) }}{% endfor %}{% endblock %}",
}
environment = Environment(loader=DictLoader(pages), autoescape=select_autoescape())
text = environment.get_template("page.html").render(title="a list", items=["<b>", "a"])
assert text == "<title>A List</title>1<li>&lt;b&gt;</li>2<li>a</li>", text
try:
    environment.from_string("{% if %}")
except TemplateSyntaxError as error:
    assert error.lineno == 1
else:
    raise AssertionError("no error")
with contextlib.suppress(SecurityError):
    SandboxedEnvironment().from_string("{{ ''.__class__.__mro__ }}").render()
