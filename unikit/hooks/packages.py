"""Facts of some packages that their source does not show."""

from __future__ import annotations

from dataclasses import dataclass

# folders beside an application's module that these find by convention
FOLDERS: dict[str, tuple[str, ...]] = {
    "flask": ("templates", "static", "instance"),
    "quart": ("templates", "static"),
    "django": ("templates", "static", "locale"),
    "aiohttp_jinja2": ("templates",),
    "starlette": ("templates", "static"),
    "fastapi": ("templates", "static"),
    "bottle": ("views",),
}

# six.moves: the names that are other modules on Python 3
SIX_MOVES = {
    "builtins": "builtins", "configparser": "configparser", "copyreg": "copyreg", "cPickle": "pickle",
    "cStringIO": "io",
    "dbm_gnu": "dbm.gnu", "dbm_ndbm": "dbm.ndbm", "_dummy_thread": "_thread", "_thread": "_thread",
    "http_cookiejar": "http.cookiejar", "http_cookies": "http.cookies", "html_entities": "html.entities",
    "html_parser": "html.parser", "http_client": "http.client", "email_mime_base": "email.mime.base",
    "email_mime_image": "email.mime.image", "email_mime_multipart": "email.mime.multipart",
    "email_mime_nonmultipart": "email.mime.nonmultipart", "email_mime_text": "email.mime.text",
    "BaseHTTPServer": "http.server", "CGIHTTPServer": "http.server", "SimpleHTTPServer": "http.server",
    "collections_abc": "collections.abc", "queue": "queue", "reprlib": "reprlib", "socketserver": "socketserver",
    "urllib": "urllib", "urllib_parse": "urllib.parse", "urllib_error": "urllib.error",
    "urllib_request": "urllib.request", "urllib_robotparser": "urllib.robotparser", "xmlrpc_client": "xmlrpc.client",
    "xmlrpc_server": "xmlrpc.server", "UserDict": "collections", "UserList": "collections", "UserString": "collections",
    "StringIO": "io", "filter": "builtins", "input": "builtins", "intern": "sys", "map": "builtins", "getcwd": "os",
    "range": "builtins", "reduce": "functools", "reload_module": "importlib", "shlex_quote": "shlex",
    "xrange": "builtins", "zip": "builtins", "zip_longest": "itertools", "urllib.parse": "urllib.parse",
    "urllib.error": "urllib.error", "urllib.request": "urllib.request", "urllib.response": "urllib.response",
    "urllib.robotparser": "urllib.robotparser",
}  # fmt: skip

# imports that these compute, where no hook is at hand; `.*`: everything below
HIDDEN: dict[str, tuple[str, ...]] = {
    "sqlalchemy": ("sqlalchemy.dialects.*", "sqlalchemy.sql.default_comparator", "sqlalchemy.ext.baked"),
    "django": (
        "django.conf.*", "django.core.*", "django.db.*", "django.middleware.*", "django.template.*",
        "django.templatetags.*",        "django.contrib.sessions.*",
        "django.contrib.messages.*", "django.contrib.staticfiles.*",
    ),
    "gunicorn": ("gunicorn.glogging", "gunicorn.workers.sync", "gunicorn.workers.gthread"),
    "PIL": ("PIL.*",),
    "passlib": ("passlib.handlers.*",),
    "dns": ("dns.*",),
    "babel": ("babel.dates", "babel.numbers"),
    "gevent": ("gevent.*",),
    "eventlet": ("eventlet.*",),
    "apscheduler": ("apscheduler.*",),
    "celery": ("celery.*", "kombu.*"),
    "matplotlib": tuple(f"matplotlib.backends.backend_{b}" for b in ("agg", "svg", "pdf")),
    "scipy": ("scipy._lib.*", "scipy.special.*", "scipy.spatial.transform.*", "scipy.linalg.*"),
    "peewee": ("playhouse.*",),
    "tortoise": ("tortoise.*",),
    "sentry_sdk": ("sentry_sdk.integrations.*",),
}  # fmt: skip


@dataclass(frozen=True)
class Convention:
    """What a framework takes from an application: modules `beside` each other in its packages, and the packages that
    a `table` in its settings names."""

    table: str
    beside: tuple[str, ...]


CONVENTIONS = {
    "django": Convention(
        "INSTALLED_APPS", ("apps", "models.*", "admin", "migrations.*", "management.commands.*", "templatetags.*")
    ),
}

# packages that a plain import reaches but that only serve development
DEVELOPMENT = frozenset({"pytest", "_pytest", "IPython", "pip", "setuptools", "wheel", "mypy", "ruff", "sphinx"})

# (importer, what it imports or a package above that): imports that are not followed, as they only serve tests or
# building from source
CUT = frozenset({
    ("numpy._pytesttester", "numpy"), ("numpy._pytesttester", "pytest"), ("scipy._lib._testutils", "numpy.testing"),
    ("numpy.testing._private.utils", "numpy.distutils"), ("numpy.testing._private.extbuild", "numpy.distutils"),
})  # fmt: skip
