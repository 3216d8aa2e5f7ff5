"""A WSGI application: the digest of what it gets, and what Python's TLS client says of a server."""

import hashlib
import json
import ssl
import urllib.error
import urllib.parse
import urllib.request

import certifi

BUNDLES = {"system": None, "certifi": certifi.where(), "own": "/data/authority.pem"}


def fetch(url, bundle):
    context = ssl.create_default_context(cafile=BUNDLES[bundle])
    known = len(context.get_ca_certs())
    try:
        with urllib.request.urlopen(url, context=context, timeout=60) as answer:
            return {"known": known, "body": answer.read().decode()}
    except urllib.error.URLError as error:
        return {"known": known, "error": f"{type(error.reason).__name__}: {error.reason}"}


def app(environ, start):
    asked = dict(urllib.parse.parse_qsl(environ["QUERY_STRING"]))
    if "url" in asked:
        said = fetch(asked["url"], asked["bundle"])
    else:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        said = {"server": environ["SERVER_SOFTWARE"], "sha256": hashlib.sha256(body).hexdigest()}
    text = json.dumps(said).encode()
    start("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(text)))])
    return [text]
