"""Classes with validators, converters, evolution, slots, and conversion to dictionaries."""

import attrs


@attrs.define(order=True)
class Point:
    x: int = attrs.field(converter=int, validator=attrs.validators.ge(0))
    y: int = attrs.field(default=0, validator=attrs.validators.instance_of(int))
    tags: list = attrs.Factory(list)


point = Point("3", tags=["a"])
assert attrs.asdict(point) == {"x": 3, "y": 0, "tags": ["a"]}
assert attrs.evolve(point, x=1) < point
try:
    Point(-1)
except ValueError as error:
    assert "x" in str(error)
else:
    raise AssertionError("no error")
