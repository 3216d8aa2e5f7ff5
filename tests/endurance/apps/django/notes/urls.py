from django.urls import path

from notes import views

urlpatterns = [
    path("<database>/notes", views.Notes.as_view()),
    path("<database>/notes/<int:number>", views.OneNote.as_view()),
]
