"""A notebook on Flask and SQLite: the page lists the notes and takes new ones; /api/notes does the same as JSON."""

import sqlite3
import threading
from pathlib import Path

from flask import Flask, abort, jsonify, redirect, render_template, request

app = Flask(__name__)
FILE = Path("/tmp/notes.db")
local = threading.local()


def database() -> sqlite3.Connection:
    """This thread's connection."""
    if not hasattr(local, "connection"):
        local.connection = sqlite3.connect(FILE)
        local.connection.row_factory = sqlite3.Row
    return local.connection


with database() as first:
    first.execute(
        "CREATE TABLE IF NOT EXISTS note"
        " (id INTEGER PRIMARY KEY, text TEXT NOT NULL, at TEXT DEFAULT CURRENT_TIMESTAMP)"
    )


def add(text: str) -> int:
    if not text.strip():
        abort(400, "an empty note")
    with database() as connection:
        return connection.execute("INSERT INTO note (text) VALUES (?)", (text.strip(),)).lastrowid


@app.get("/")
def page() -> str:
    notes = database().execute("SELECT * FROM note ORDER BY id DESC LIMIT 50").fetchall()
    return render_template("notes.html", notes=notes)


@app.post("/")
def submit():
    add(request.form.get("text", ""))
    return redirect("/")


@app.get("/api/notes")
def notes():
    return jsonify([dict(row) for row in database().execute("SELECT * FROM note ORDER BY id")])


@app.post("/api/notes")
def create():
    return jsonify(id=add(str((request.get_json() or {}).get("text", "")))), 201


if __name__ == "__main__":
    app.run("0.0.0.0", 8080, threaded=True)
