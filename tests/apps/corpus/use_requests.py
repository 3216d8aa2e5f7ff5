"""A session against a server in a thread: parameters, JSON, cookies, redirects, compressed answers, a time-out."""

import gzip
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import requests


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/there?a=1")
            self.send_header("Set-Cookie", "kind=oat")
            self.end_headers()
            return
        body = gzip.compress(json.dumps({"path": self.path, "cookie": self.headers.get("Cookie")}).encode())
        self.send_response(200)
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


server = ThreadingHTTPServer(("127.0.0.1", 8080), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
with requests.Session() as session:
    assert session.get("http://127.0.0.1:8080/", params={"q": "ä"}).json()["path"] == "/?q=%C3%A4"
    answer = session.get("http://127.0.0.1:8080/moved")
    assert answer.history[0].status_code == 302 and answer.json() == {"path": "/there?a=1", "cookie": "kind=oat"}
try:
    requests.get("https://127.0.0.1:1/", timeout=2)
except requests.ConnectionError:
    pass
else:
    raise AssertionError("nothing listens there")
server.shutdown()
