"""Notes in two databases, sqlite in /data and PostgreSQL, by Django's own models."""

import json

from django.http import Http404, JsonResponse
from django.views import View

from notes.models import Note

DATABASES = {"sqlite": "default", "postgres": "postgres"}


def notes_of(database):
    return Note.objects.using(DATABASES[database])


def done(changed, number):
    if not changed:
        raise Http404
    return JsonResponse({"id": number})


class Notes(View):
    def get(self, request, database):
        found = notes_of(database).filter(author=request.GET["author"]).order_by("id")
        return JsonResponse({"ids": list(found.values_list("id", flat=True))})

    def post(self, request, database):
        note = notes_of(database).create(**json.loads(request.body))
        return JsonResponse({"id": note.id}, status=201)


class OneNote(View):
    def get(self, request, database, number):
        note = notes_of(database).filter(id=number).first()
        if note is None:
            raise Http404
        return JsonResponse({"id": note.id, "author": note.author, "text": note.text})

    def put(self, request, database, number):
        return done(notes_of(database).filter(id=number).update(text=json.loads(request.body)["text"]), number)

    def delete(self, request, database, number):
        return done(notes_of(database).filter(id=number).delete()[0], number)
