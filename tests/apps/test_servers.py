"""Servers that the world runs its applications on, all in one guest, asked by clients that are not theirs."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import socket
import ssl
import subprocess
import sys
import threading
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import certifi
import grpc
import httpx
import pytest
import websockets

from tests.guest import Guest, start
from unikit.vm.machine import Volume

SERVERS = Path(__file__).parent / "servers"
PATIENCE = 120.0
BODY = os.urandom(3_000_000)
SHA = hashlib.sha256(BODY).hexdigest()
HOST = "10.0.2.2"  # the host's loopback, as the guest sees it


def openssl(*words: str | Path) -> None:
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)


def certificate(folder: Path, file: str, name: str, days: int = 2) -> None:
    """A key and a certificate for a DNS name, an address or a date, signed by the folder's authority."""
    kind = "IP" if name[0].isdigit() else "DNS"
    extension = folder / f"{file}.ext"
    extension.write_text(f"subjectAltName={kind}:{name}\nbasicConstraints=CA:FALSE\n")
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", folder / f"{file}.key"]
    openssl("req", *key, "-out", folder / f"{file}.csr", "-subj", f"/CN={name}")
    signer = ["-CA", folder / "authority.pem", "-CAkey", folder / "authority.key", "-CAcreateserial"]
    openssl("x509", "-req", "-in", folder / f"{file}.csr", *signer, "-days", str(days), "-extfile", extension,
            "-out", folder / f"{file}.pem")  # fmt: skip


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificates")
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
            "/CN=an authority of this test", "-keyout", folder / "authority.key", "-out",
            folder / "authority.pem")  # fmt: skip
    certificate(folder, "server", "servers.test")
    certificate(folder, "host", HOST)
    certificate(folder, "other", "other.test")
    certificate(folder, "old", HOST, days=-1)
    return folder


@pytest.fixture(scope="module")
def guest(certificates: Path) -> Iterator[Guest]:
    ports = range(8001, 8008)
    volumes = [Volume(certificates, "/data", read_only=True)]
    with start(SERVERS, memory=256, ports=ports, python=sys.executable, volumes=volumes) as running:
        for port in ports:
            running.wait_listening(port)
        yield running
        assert running.stop() == 0, running.console()
        assert running.console() == "READY\nall servers ended\n"


def post(guest: Guest, port: int) -> dict[str, Any]:
    url = f"http://127.0.0.1:{guest.port(port)}/"
    answer = urllib.request.urlopen(urllib.request.Request(url, BODY), timeout=PATIENCE).read()
    assert isinstance(answer, bytes)
    said: dict[str, Any] = json.loads(answer)
    return said


@pytest.mark.parametrize("port", [8001, 8002], ids=["asyncio and h11", "uvloop and httptools"])
def test_uvicorn(guest: Guest, port: int) -> None:
    assert post(guest, port) == {"http": "1.1", "scheme": "http", "sha256": SHA}
    url = f"http://127.0.0.1:{guest.port(port)}/stream"
    streamed = urllib.request.urlopen(url, timeout=PATIENCE).read()
    assert streamed == b"".join(b"%4d" % n * 1000 for n in range(100)) + b"end"


@pytest.mark.parametrize(
    ("port", "path"), [(8001, "/"), (8002, "/"), (8004, "/echo")], ids=["asyncio", "uvloop", "aiohttp"]
)
def test_websockets(guest: Guest, port: int, path: str) -> None:
    messages: list[str | bytes] = ["", "grüße \U0001f40d", b"", BODY[:300_000], "x" * 200_000]

    async def talk() -> None:
        url = f"ws://127.0.0.1:{guest.port(port)}{path}"
        async with websockets.connect(url, subprotocols=[websockets.Subprotocol("echo")], max_size=None) as one:
            assert one.subprotocol == "echo"
            for message in messages:
                await one.send(message)
            assert [await asyncio.wait_for(one.recv(), PATIENCE) for _ in messages] == messages
            await asyncio.wait_for(await one.ping(), PATIENCE)

    asyncio.run(talk())


def test_hypercorn_speaks_http_2_over_tls(guest: Guest, certificates: Path) -> None:
    port = guest.port(8003)
    where = ["--resolve", f"servers.test:{port}:127.0.0.1", "--cacert", str(certificates / "authority.pem")]
    form = "%{http_version} %{ssl_verify_result}"
    line = ["curl", "-sS", "-m", "100", "--http2", "-w", form, *where, f"https://servers.test:{port}/"]
    done = subprocess.run(line, capture_output=True, text=True, timeout=PATIENCE)
    assert done.stdout.endswith("}2 0") and '"scheme": "https"' in done.stdout, (done.stdout, done.stderr)

    async def many() -> None:
        """Streams of one connection, at once."""
        context = ssl.create_default_context(cafile=str(certificates / "authority.pem"))
        async with httpx.AsyncClient(http2=True, http1=False, verify=context, timeout=PATIENCE) as client:
            extensions = {"sni_hostname": "servers.test"}
            url = f"https://127.0.0.1:{port}/"
            asked = [client.post(url, content=BODY[: n * 10_000], extensions=extensions) for n in range(20)]
            for n, answer in enumerate(await asyncio.gather(*asked)):
                assert answer.http_version == "HTTP/2" and answer.json()["http"] == "2"
                assert answer.json()["sha256"] == hashlib.sha256(BODY[: n * 10_000]).hexdigest()

    asyncio.run(many())
    with pytest.raises(ssl.SSLCertVerificationError), socket.create_connection(("127.0.0.1", port), PATIENCE) as sock:
        ssl.create_default_context().wrap_socket(sock, server_hostname="servers.test")


def test_aiohttp(guest: Guest) -> None:
    assert post(guest, 8004) == {"sha256": SHA}


def test_django_on_waitress(guest: Guest) -> None:
    said = post(guest, 8005)
    assert said["sha256"] == SHA and said["django"]


def test_grpc(guest: Guest) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{guest.port(8006)}") as channel:
        grpc.channel_ready_future(channel).result(PATIENCE)

        def unary(name: str) -> grpc.UnaryUnaryMultiCallable:
            return channel.unary_unary(f"/Test/{name}")

        assert unary("Digest")(BODY, timeout=PATIENCE) == hashlib.sha256(BODY).digest()
        parts = [b"%d" % n for n in range(500)]
        assert list(channel.unary_stream("/Test/Count")(b"500", timeout=PATIENCE)) == parts
        assert channel.stream_unary("/Test/Join")(iter(parts), timeout=PATIENCE) == b"".join(parts)
        assert list(channel.stream_stream("/Test/Echo")(iter(parts), timeout=PATIENCE)) == parts
        with pytest.raises(grpc.RpcError) as refused:
            unary("Refuse")(b"", timeout=PATIENCE)
        assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert refused.value.details() == "no more of this"
        with pytest.raises(grpc.RpcError) as unknown:
            unary("Nothing")(b"", timeout=PATIENCE)
        assert unknown.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_gunicorns_worker_with_threads(guest: Guest) -> None:
    said = post(guest, 8007)
    assert said["sha256"] == SHA and said["server"].startswith("gunicorn/")


NOTING = """import json
noted = {}
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(noted).encode()]
"""
CONFIG = """import colorsys
import web
bind = ["0.0.0.0:8123"]
threads = 3
workers = 5
def post_worker_init(worker):
    web.noted.update(threads=worker.cfg.threads, red=colorsys.hsv_to_rgb(0, 1, 1), timeout=worker.cfg.timeout)
"""


@pytest.mark.parametrize("sources", ["app", "none"])
def test_gunicorns_settings_come_from_its_file(tmp_path: Path, sources: str) -> None:
    settings = f"[tool.unikit]\nentry = 'web:app'\nserver = 'gunicorn'\nsources = '{sources}'\n"
    for name, text in (("web.py", NOTING), ("gunicorn.conf.py", CONFIG), ("pyproject.toml", settings)):
        (tmp_path / name).write_text(text)
    environment = {"GUNICORN_CMD_ARGS": "--timeout 77"}
    with start(tmp_path, memory=128, ports=[8123], python=sys.executable, environment=environment) as guest:
        guest.wait_listening(8123)
        answer = urllib.request.urlopen(f"http://127.0.0.1:{guest.port(8123)}/", timeout=PATIENCE).read()
        assert json.loads(answer) == {"threads": 3, "red": [1, 0, 0], "timeout": 77}
        assert guest.stop() == 0, guest.console()
        assert "a guest is one process: one worker with 3 threads serves" in guest.console()


class TlsServer(threading.Thread):
    """Answers one HTTPS request after the other with a certificate, on the host's loopback."""

    def __init__(self, certificates: Path, name: str) -> None:
        super().__init__(daemon=True)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificates / f"{name}.pem", certificates / f"{name}.key")
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://{HOST}:{self.listener.getsockname()[1]}/"
        self.start()

    def run(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            try:
                connection.settimeout(PATIENCE)
                with self.context.wrap_socket(connection, server_side=True) as secure:
                    secure.recv(65536)
                    secure.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nsecret")
            except OSError:
                connection.close()


@pytest.mark.parametrize(
    ("server", "bundle", "said"),
    [
        ("host", "own", "secret"),
        ("host", "system", "unable to get local issuer certificate"),
        ("host", "certifi", "unable to get local issuer certificate"),
        ("other", "own", f"IP address mismatch, certificate is not valid for '{HOST}'"),
        ("old", "own", "certificate has expired"),
    ],
)
def test_a_tls_client_trusts_whom_it_should(
    guest: Guest, certificates: Path, server: str, bundle: str, said: str
) -> None:
    other = TlsServer(certificates, server)
    try:
        query = urllib.parse.urlencode({"url": other.url, "bundle": bundle})
        url = f"http://127.0.0.1:{guest.port(8007)}/?{query}"
        answer = json.loads(urllib.request.urlopen(url, timeout=PATIENCE).read())
    finally:
        other.listener.close()
    if said == "secret":
        assert answer["body"] == said, answer
    else:
        assert answer["error"].startswith("SSLCertVerificationError:") and said in answer["error"], answer
    files = {"system": None, "certifi": certifi.where(), "own": str(certificates / "authority.pem")}
    assert answer["known"] == len(ssl.create_default_context(cafile=files[bundle]).get_ca_certs()) > 0
