"""Validation with references and formats, all errors with their places."""

from jsonschema import Draft202012Validator, FormatChecker, ValidationError, validate

schema = {
    "type": "object",
    "properties": {"n": {"$ref": "#/$defs/positive"}, "day": {"type": "string", "format": "date"}},
    "required": ["n"],
    "$defs": {"positive": {"type": "integer", "minimum": 1}},
}
validate({"n": 3}, schema)
errors = Draft202012Validator(schema, format_checker=FormatChecker()).iter_errors({"n": 0, "day": "never"})
assert sorted(next(iter(e.path)) for e in errors) == ["day", "n"]
try:
    validate({}, schema)
except ValidationError as error:
    assert error.validator == "required"
else:
    raise AssertionError("no error")
