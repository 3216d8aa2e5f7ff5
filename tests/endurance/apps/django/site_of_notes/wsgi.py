from django.core.management import call_command
from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()
for database in ("default", "postgres"):
    call_command("migrate", database=database, interactive=False, verbosity=0)
