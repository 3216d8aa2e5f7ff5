"""A service with threads that listens before it is frozen, and counts what it was asked."""

import http.server
import socket


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    asked = 0

    def do_GET(self):
        Handler.asked += 1
        answer = f"{Handler.asked} {socket.gethostbyname(socket.gethostname())}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)


server = http.server.ThreadingHTTPServer(("", 8080), Handler)


def main():
    server.serve_forever()


main()
