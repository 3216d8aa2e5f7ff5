"""Models, validators, errors, settings of serialisation, JSON schema."""

from datetime import datetime

from pydantic import BaseModel, Field, TypeAdapter, ValidationError, field_validator


class Item(BaseModel):
    name: str = Field(min_length=2)
    price: float = Field(gt=0)
    tags: set[str] = set()
    made: datetime

    @field_validator("name")
    @classmethod
    def capital(cls, value: str) -> str:
        return value.capitalize()


item = Item.model_validate_json('{"name": "lamp", "price": "2.5", "tags": ["a", "a"], "made": "2024-01-02T03:04:05Z"}')
assert (item.name, item.price, item.tags) == ("Lamp", 2.5, {"a"})
assert '"price":2.5' in item.model_dump_json()
try:
    Item.model_validate({"name": "x", "price": -1, "made": "never"})
except ValidationError as error:
    assert {e["loc"][0] for e in error.errors()} == {"name", "price", "made"}
else:
    raise AssertionError("no error")
assert Item.model_json_schema()["properties"]["price"]["exclusiveMinimum"] == 0
assert TypeAdapter(list[int]).validate_python(["1", 2]) == [1, 2]
