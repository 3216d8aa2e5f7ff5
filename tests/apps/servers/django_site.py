"""Django without a project's files: settings, a view, a middleware, served by what is not its own runserver."""

import hashlib

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import JsonResponse
from django.urls import path

settings.configure(
    ALLOWED_HOSTS=["*"],
    DATA_UPLOAD_MAX_MEMORY_SIZE=None,
    DEBUG=False,
    MIDDLEWARE=["django.middleware.security.SecurityMiddleware", "django.middleware.common.CommonMiddleware"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="only for this test",
)


def digest(request):
    return JsonResponse({"django": django.__version__, "sha256": hashlib.sha256(request.body).hexdigest()})


urlpatterns = [path("", digest)]
app = get_wsgi_application()
