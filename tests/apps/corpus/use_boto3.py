"""Clients and a resource against a small S3 in a thread; a presigned address."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

objects: dict[str, bytes] = {}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status: int, body: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", '"1"')
        self.end_headers()
        self.wfile.write(body)

    def do_PUT(self) -> None:
        size = int(self.headers.get("Content-Length", 0))
        if self.headers.get("Expect"):
            self.send_response_only(100)
            self.end_headers()
        objects[self.path.partition("?")[0]] = self.rfile.read(size)
        self.answer(200)

    def do_GET(self) -> None:
        body = objects.get(self.path.partition("?")[0])
        if body is None:
            self.answer(404, b"<Error><Code>NoSuchKey</Code><Message>no</Message></Error>")
        else:
            self.answer(200, body)

    def log_message(self, *args: object) -> None:
        pass


server = ThreadingHTTPServer(("127.0.0.1", 9000), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
session = boto3.Session("key", "secret", region_name="eu-north-1")
where = {
    "endpoint_url": "http://127.0.0.1:9000",
    "config": Config(
        s3={"addressing_style": "path"},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    ),
}
s3 = session.client("s3", **where)
s3.put_object(Bucket="box", Key="a/b.txt", Body=b"hello")
assert s3.get_object(Bucket="box", Key="a/b.txt")["Body"].read() == b"hello"
try:
    s3.get_object(Bucket="box", Key="none")
except ClientError as error:
    assert error.response["Error"]["Code"] == "NoSuchKey"
else:
    raise AssertionError("no error")
assert "Signature=" in s3.generate_presigned_url("get_object", Params={"Bucket": "box", "Key": "a"})
assert session.resource("s3", **where).Object("box", "a/b.txt").get()["ContentLength"] == 5
server.shutdown()
