"""XPath, XSLT, HTML, a schema, incremental parsing."""

import io

from lxml import etree, html

tree = etree.fromstring("<shop><item price='2'>pen</item><item price='5'>ink</item></shop>")
assert tree.xpath("sum(//item/@price)") == 7.0
style = etree.XSLT(etree.XML(
    '<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"><xsl:template match="/">'
    '<ul><xsl:for-each select="//item"><li><xsl:value-of select="."/></li></xsl:for-each></ul></xsl:template>'
    "</xsl:stylesheet>"
))  # fmt: skip
assert etree.tostring(style(tree)) == b"<ul><li>pen</li><li>ink</li></ul>"
page = html.fromstring("<div class='a'><p>one<p>two</div>")
assert [p.text for p in page.xpath("//p")] == ["one", "two"]
schema = etree.XMLSchema(etree.XML(
    '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:element name="n" type="xs:int"/></xs:schema>'
))  # fmt: skip
assert schema.validate(etree.XML("<n>3</n>")) and not schema.validate(etree.XML("<n>three</n>"))
assert sum(1 for _ in etree.iterparse(io.BytesIO(etree.tostring(tree)), tag="item")) == 2
