"""Untidy HTML, with the parser of the standard library: searching, CSS selectors, changes."""

from bs4 import BeautifulSoup

soup = BeautifulSoup("<ul class='x y'><li>one<li id=two>two</ul><p>caf&eacute;", "html.parser")
assert next(li.get_text() for li in soup.select("ul.x > li")).startswith("one")
assert soup.find(id="two").name == "li" and soup.p.string == "café"
soup.p.string.replace_with("tea")
soup.ul.decompose()
assert str(soup) == "<p>tea</p>"
assert BeautifulSoup("<p>\xe4".encode("latin-1"), "html.parser", from_encoding="latin-1").p.text == "ä"
