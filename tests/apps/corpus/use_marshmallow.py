"""Schemas: loading, dumping, nested objects, hooks, errors by field."""

from marshmallow import Schema, ValidationError, fields, post_load, validate


class Author(Schema):
    name = fields.Str(required=True, validate=validate.Length(min=2))
    email = fields.Email()


class Book(Schema):
    title = fields.Str(required=True)
    published = fields.Date()
    author = fields.Nested(Author)

    @post_load
    def mark(self, data, **_):
        return {**data, "loaded": True}


book = Book().load({"title": "Lavinia", "published": "2008-04-21", "author": {"name": "Le Guin"}})
assert book["loaded"] and book["published"].year == 2008
assert Book().dump(book)["author"] == {"name": "Le Guin"}
try:
    Book().load({"author": {"name": "x", "email": "no"}})
except ValidationError as error:
    assert set(error.messages) == {"title", "author"} and set(error.messages["author"]) == {"name", "email"}
else:
    raise AssertionError("no error")
