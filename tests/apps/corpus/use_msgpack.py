"""Packing and unpacking by the compiled module: types of its own, timestamps, streams."""

import datetime
import io

import msgpack

assert msgpack.Packer.__module__ == "msgpack._cmsgpack"
value = {"a": [1, 2.5, None, b"x"], "b": {"c": "ä"}}
assert msgpack.unpackb(msgpack.packb(value)) == value
packed = msgpack.packb(msgpack.Timestamp.from_unix(5.5))
assert msgpack.unpackb(packed, timestamp=3) == datetime.datetime(1970, 1, 1, 0, 0, 5, 500000, datetime.timezone.utc)
stream = io.BytesIO(b"".join(msgpack.packb(n) for n in range(10)))
assert list(msgpack.Unpacker(stream)) == list(range(10))
