"""Documents read by the C library and by Python, anchors, dates, own tags, errors with their place."""

import datetime

import yaml

text = "a: &x [1, 2.5, true]\nb: *x\nday: 2024-01-02\n---\n- second\n"
for loader in (yaml.SafeLoader, yaml.CSafeLoader):
    first, second = yaml.load_all(text, Loader=loader)
    assert first["b"] == [1, 2.5, True] and first["day"] == datetime.date(2024, 1, 2) and second == ["second"]
assert yaml.safe_load(yaml.dump({"ä": [1, {"b": None}]}, allow_unicode=True)) == {"ä": [1, {"b": None}]}
try:
    yaml.safe_load("a: [1")
except yaml.YAMLError as error:
    assert "line 1" in str(error)
else:
    raise AssertionError("no error")
