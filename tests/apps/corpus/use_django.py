"""A project in one file: settings, models in SQLite, templates, views, sessions, the admin's checks."""

import io

import django
from django.conf import settings

settings.configure(
    DEBUG=False,
    SECRET_KEY="not a secret",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions"],
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ],
    TEMPLATES=[{
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "OPTIONS": {"loaders": [("django.template.loaders.locmem.Loader", {
            "page.html": "<b>{{ name|upper }}</b>"})]},
    }],
    USE_TZ=True,
)  # fmt: skip
django.setup()

from django.contrib.auth.models import User  # noqa: E402
from django.core.handlers.wsgi import WSGIHandler  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.http import JsonResponse  # noqa: E402
from django.shortcuts import render  # noqa: E402
from django.urls import path  # noqa: E402


def page(request):
    request.session["seen"] = True
    return render(request, "page.html", {"name": request.GET["name"]})


def people(request):
    return JsonResponse({"names": list(User.objects.order_by("username").values_list("username", flat=True))})


urlpatterns = [path("page/", page), path("people/", people)]

call_command("migrate", verbosity=0)
User.objects.create_user("grace", password="hopper")
User.objects.create_user("ada", password="lovelace")
assert User.objects.get(username="ada").check_password("lovelace")


def ask(where: str, query: str = "") -> tuple[str, str]:
    environ = {
        "REQUEST_METHOD": "GET", "PATH_INFO": where, "QUERY_STRING": query, "SERVER_NAME": "x", "SERVER_PORT": "80",
        "wsgi.input": io.BytesIO(), "wsgi.errors": io.StringIO(), "wsgi.url_scheme": "http",
    }  # fmt: skip
    said = []
    body = b"".join(WSGIHandler()(environ, lambda status, headers, error=None: said.append(status)))
    return said[0], body.decode()


assert ask("/page/", "name=ada") == ("200 OK", "<b>ADA</b>")
assert ask("/people/") == ("200 OK", '{"names": ["ada", "grace"]}')
assert ask("/nowhere/")[0].startswith("404")
