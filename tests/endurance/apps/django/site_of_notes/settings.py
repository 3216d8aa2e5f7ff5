import os
from urllib.parse import urlsplit

SECRET_KEY = "only for this test"
DEBUG = False
ALLOWED_HOSTS = ["*"]
INSTALLED_APPS = ["notes"]
MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
ROOT_URLCONF = "notes.urls"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

server = urlsplit(os.environ.get("POSTGRES", "postgresql://unikit@10.0.2.2:5432/postgres"))
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": "/data/django.db",
        "CONN_MAX_AGE": None,
        "ATOMIC_REQUESTS": False,
        "OPTIONS": {"timeout": 60, "transaction_mode": "IMMEDIATE", "init_command": "pragma journal_mode=wal"},
    },
    "postgres": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": server.path.lstrip("/"),
        "USER": server.username,
        "HOST": server.hostname,
        "PORT": server.port,
        "CONN_MAX_AGE": None,
    },
}
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["console"], "level": "ERROR"},
}
