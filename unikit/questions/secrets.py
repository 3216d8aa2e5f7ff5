"""Files of an image that look as if they held a secret. A hint, no proof: names and a few patterns that are seldom
anything else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from unikit.image.rootfs import Entry
from unikit.model import FileKind

LARGEST = 1 << 20  # a secret is in a small file
NAMES = re.compile(
    r"(?:^|/)(?:\.env(?:\..+)?|\.netrc|\.pgpass|\.htpasswd|\.git-credentials|\.npmrc|\.pypirc"
    r"|id_(?:rsa|dsa|ecdsa|ed25519)|credentials(?:\.json)?|secrets?\.(?:json|ya?ml|toml|ini|txt)|.*\.(?:p12|pfx|jks|keystore|kdbx))$"
)
EXAMPLES = re.compile(r"\.env\.(?:example|sample|template|dist)$")
PATTERNS = tuple(
    (what, re.compile(pattern))
    for what, pattern in (
        ("a private key", rb"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY(?: BLOCK)?-----\s+[A-Za-z0-9+/=:\s,-]{64}"),
        ("an AWS access key", rb"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
        ("a GitHub token", rb"\bgh[pousr]_[A-Za-z0-9]{36}\b"),
        ("a GitLab token", rb"\bglpat-[A-Za-z0-9_-]{20}\b"),
        ("a Slack token", rb"\bxox[abprs]-[0-9]{8,}-[A-Za-z0-9-]{10,}"),
        ("a Stripe key", rb"\bsk_live_[A-Za-z0-9]{20,}\b"),
        ("a password in a URL", rb"\b[a-z][a-z0-9+]{2,15}://[^\s:/@'\"{}$%<>]{1,64}:[^\s:/@'\"{}$%<>]{4,64}@\w"),
        ("a secret in an assignment", rb"""(?i)\b(?:secret_?key|api_?key|auth_?token|passw(?:or)?d)\b["']?\s*[:=]\s*"""
                                      rb"""["'](?!change|password|secret|example|test|xxx|\*|your)[^\s"'{}$<>]{12,}["']"""),
    )
)  # fmt: skip
VARIABLES = re.compile(r"(?i)secret|password|passwd|token|api_?key|private_?key|credential")


@dataclass(frozen=True)
class Suspect:
    """A file and what it seems to hold; `line` is 0 where the name alone is telling. What is found is not repeated."""

    path: str
    line: int
    what: str


def suspects(files: dict[str, Entry], folder: str = "/app/") -> list[Suspect]:
    """Among the files below a folder. Compiled modules are left to their sources."""
    found = []
    for path, entry in sorted(files.items()):
        if path.startswith(folder) and entry.kind is FileKind.FILE and not path.endswith(".pyc"):
            found += list(_of_file(path, entry))
    return found


def _of_file(path: str, entry: Entry) -> Iterator[Suspect]:
    if NAMES.search(path) and not EXAMPLES.search(path) and entry.size:
        yield Suspect(path, 0, "a file of that name")
    if entry.size > LARGEST:
        return
    content = bytes(entry.content)
    if b"\0" in content[:4096]:
        return
    for what, pattern in PATTERNS:
        if match := pattern.search(content):
            yield Suspect(path, content.count(b"\n", 0, match.start()) + 1, what)
