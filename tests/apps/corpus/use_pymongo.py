"""BSON by the compiled module; a client that finds no server and says so in time."""

import datetime

import bson
import pymongo
from bson import ObjectId, decode, encode
from pymongo.errors import ServerSelectionTimeoutError

assert bson.has_c()
document = {"_id": ObjectId(), "n": 5, "when": datetime.datetime(2024, 1, 2), "nested": {"a": [1, "ä", None]}}
assert decode(encode(document)) == document
client = pymongo.MongoClient("mongodb://127.0.0.1:1/", serverSelectionTimeoutMS=500)
try:
    client.shop.items.find_one({"n": 5})
except ServerSelectionTimeoutError as error:
    assert "127.0.0.1:1" in str(error)
else:
    raise AssertionError("no server is there")
client.close()
