"""A web server with TLS, on asyncio alone: files of SITE over HTTPS.

CERTIFICATE and KEY are PEM files, usually in a folder of the host (`unikit run -v ./certs:/certs:ro`); SIGHUP reads
them again, so that a certificate is renewed without a break. PORT is 443.
"""

from __future__ import annotations

import asyncio
import mimetypes
import os
import signal
import ssl
from pathlib import Path
from urllib.parse import unquote

PORT = int(os.environ.get("PORT", "443"))
CERTIFICATE = os.environ.get("CERTIFICATE", "/certs/server.pem")
KEY = os.environ.get("KEY", "/certs/server.key")
SITE = Path(os.environ.get("SITE", Path(__file__).with_name("site"))).resolve()
IDLE = 30.0  # seconds that a connection may wait for its next request
TEXT = {400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed"}


def find(target: str) -> tuple[int, str, bytes]:
    """Status, type and body for the target of a request."""
    path = (SITE / unquote(target.partition("?")[0]).lstrip("/")).resolve()
    if path.is_dir():
        path /= "index.html"
    if not path.is_relative_to(SITE) or not path.is_file():
        return 404, "text/plain", b"There is nothing here.\n"
    return 200, mimetypes.guess_type(path.name)[0] or "application/octet-stream", path.read_bytes()


def respond(head: bytes) -> tuple[bytes, bool]:
    """The bytes of the response, and whether the connection stays."""
    request, *lines = head.decode("latin-1").split("\r\n")
    try:
        method, target, version = request.split(" ")
    except ValueError:
        method = target = version = ""
    fields = {k.strip().lower(): v.strip().lower() for k, _, v in (line.partition(":") for line in lines if line)}
    stays = version == "HTTP/1.1" and fields.get("connection") != "close"
    if not target.startswith("/") or not version.startswith("HTTP/1."):
        status, kind, body, stays = 400, "text/plain", b"That is no request.\n", False
    elif method not in ("GET", "HEAD"):
        status, kind, body, stays = 405, "text/plain", b"Only GET and HEAD.\n", False
    else:
        try:
            status, kind, body = find(target)
        except (OSError, ValueError):  # names that no file can have
            status, kind, body = 404, "text/plain", b"There is nothing here.\n"
    start = (
        f"HTTP/1.1 {status} {TEXT.get(status, 'OK')}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
        f"Strict-Transport-Security: max-age=31536000\r\n{'' if stays else 'Connection: close' + chr(13) + chr(10)}\r\n"
    ).encode()
    return start if method == "HEAD" else start + body, stays


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        stays = True
        while stays:
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), IDLE)
            data, stays = respond(head[:-4])
            writer.write(data)
            await asyncio.wait_for(writer.drain(), IDLE)
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError, OSError):
        pass
    finally:
        writer.close()


def complain(loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
    """Strangers who do not speak TLS are no news."""
    if not isinstance(context.get("exception"), ssl.SSLError | ConnectionError):
        loop.default_exception_handler(context)


async def main() -> None:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(CERTIFICATE, KEY)

    def renew() -> None:
        try:
            tls.load_cert_chain(CERTIFICATE, KEY)
            print("the certificate was read again", flush=True)
        except (OSError, ssl.SSLError) as error:
            print(f"the certificate stays as it was: {error}", flush=True)

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(complain)
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, renew)
    async with await asyncio.start_server(
        serve, "0.0.0.0", PORT, ssl=tls, ssl_handshake_timeout=10, ssl_shutdown_timeout=2, backlog=256
    ):
        print(f"https on port {PORT}", flush=True)
        await stop.wait()


asyncio.run(main())
