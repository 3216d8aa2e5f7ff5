"""Messages made at run time: binary and JSON forms, well-known types, unknown fields."""

from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory, timestamp_pb2

file = descriptor_pb2.FileDescriptorProto(name="shop.proto", package="shop", syntax="proto3")
item = file.message_type.add(name="Item")
for number, (name, kind, label) in enumerate((("name", 9, 1), ("price", 1, 1), ("tags", 9, 3)), 1):
    item.field.add(name=name, number=number, type=kind, label=label)
pool = descriptor_pool.DescriptorPool()
pool.Add(file)
Item = message_factory.GetMessageClass(pool.FindMessageTypeByName("shop.Item"))
pen = Item(name="pen", price=2.5, tags=["a", "b"])
again = Item.FromString(pen.SerializeToString())
assert again == pen and json_format.MessageToDict(again) == {"name": "pen", "price": 2.5, "tags": ["a", "b"]}
assert json_format.Parse('{"name": "ink"}', Item()).name == "ink"
moment = timestamp_pb2.Timestamp()
moment.FromJsonString("2024-01-02T03:04:05Z")
assert moment.ToDatetime().year == 2024
