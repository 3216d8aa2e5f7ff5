"""Dataclasses, dates, UUIDs, sorted keys, errors."""

import dataclasses
import datetime
import uuid

import orjson


@dataclasses.dataclass
class Point:
    x: int
    y: float
    when: datetime.datetime
    id: uuid.UUID


point = Point(1, 2.5, datetime.datetime(2024, 1, 2, tzinfo=datetime.timezone.utc), uuid.UUID(int=5))
text = orjson.dumps(point)
assert text == b'{"x":1,"y":2.5,"when":"2024-01-02T00:00:00+00:00","id":"00000000-0000-0000-0000-000000000005"}'
assert orjson.dumps({"b": 1, "a": 2}, option=orjson.OPT_SORT_KEYS) == b'{"a":2,"b":1}'
assert orjson.loads(text)["y"] == 2.5
assert orjson.dumps({"ä": [None, True]}, option=orjson.OPT_INDENT_2).decode().startswith('{\n  "ä": [')
try:
    orjson.loads(b"{")
except orjson.JSONDecodeError as error:
    assert "line 1 column" in str(error)
else:
    raise AssertionError("no error")
