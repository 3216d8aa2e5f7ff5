"""A service whose server is imported by the call that starts it, and so is a module of its own."""

import socket  # noqa: F401
import sys


def main():
    loaded = [name for name in ("http.server", "own") if name in sys.modules]
    import http.server

    import own

    server = http.server.HTTPServer(("", 8080), http.server.BaseHTTPRequestHandler)
    server.timeout = 2
    with open("/dev/unikit/report", "w") as report:
        report.write(f"{loaded} {own.NAME}")
    server.handle_request()


main()
