"""Optional imports of heavy modules.

The rule: an import whose failure the importer itself handles (`try: import ssl` ... `except ImportError`), of a module
that costs megabytes of libraries, made by the standard library or by a package listed here, is followed only if
something can use it. What counts as use is written down below, on the side of keeping: any word of the application's
own code, any plain import by a package. `include = ["ssl"]` keeps a module whatever the rule says. What is left out
is listed by `unikit show imports`, and importing it in the guest raises an ImportError that names the setting.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Optional:
    """A heavy module and when it is kept."""

    modules: tuple[str, ...]
    why: str  # what it is for, for messages
    app_words: re.Pattern[str]  # in the application's own code: keep
    package_words: re.Pattern[str]  # in the code of packages: keep
    users: tuple[str, ...] = ()  # modules that use it by themselves, when the application or a package imports them
    # packages whose guarded import only serves an option of theirs: module -> words that ask for the option,
    # searched in the application and in other packages
    options: tuple[tuple[str, re.Pattern[str]], ...] = ()


def _words(*words: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{'|'.join(words)})\b")


RULES = (
    Optional(
        modules=("ssl", "_ssl"),
        why="TLS (OpenSSL)",
        app_words=re.compile(r"ssl|tls|https|wss", re.I),
        package_words=_words(
            "SMTP_SSL", "starttls", "HTTPSConnection", "HTTPSHandler", "FTP_TLS", "IMAP4_SSL", "POP3_SSL",
            "create_default_context", "start_tls", "wrap_socket",
        ),
        users=("urllib.request", "xmlrpc.client"),
        options=(
            ("werkzeug.serving", _words("ssl_context", "adhoc", "make_ssl_devcert", "load_ssl_context")),
            ("flask.cli", _words("ssl_context", "adhoc")),
            ("flask.app", _words("ssl_context", "adhoc")),
        ),
    ),
    Optional(
        modules=("_hashlib",),
        why="OpenSSL's hash functions",
        app_words=_words("scrypt", "pbkdf2_hmac", "_hashlib", "ripemd160", "sha512_2\\d\\d", "sm3", "md5_sha1"),
        package_words=_words("scrypt", "pbkdf2_hmac", "_hashlib", "ripemd160", "sha512_256", "sm3"),
        options=(
            ("werkzeug.security", _words("generate_password_hash", "check_password_hash")),
            ("flask.app", _words("generate_password_hash", "check_password_hash")),
        ),
    ),
    Optional(
        modules=("concurrent.futures.process",),
        why="pools of processes",
        app_words=_words("ProcessPoolExecutor"),
        package_words=_words("ProcessPoolExecutor"),
    ),
    Optional(
        modules=("multiprocessing.managers", "multiprocessing.sharedctypes"),
        why="objects shared between processes",
        app_words=_words("multiprocessing"),
        package_words=_words("managers", "Manager", "BaseManager", "SyncManager", "sharedctypes", "Raw(Array|Value)"),
    ),
)  # fmt: skip

# one pattern for everything above and for the words in stdlib.py: which words the scanner has to report
WORDS = (
    r"ssl|tls|https|wss|scrypt|pbkdf2_hmac|_hashlib|ripemd160|sha512_2|sm3|md5_sha1|wrap_socket|create_default_context"
    r"|_password_hash|adhoc|ProcessPoolExecutor|multiprocessing|manager|sharedctypes|RawArray|RawValue|\bbreakpoint\b|\bCapsuleType\b|\bwarn\b|\bfilterwarnings\b"
)
