"""Notes in two databases: sqlite in /data by Python's own module, PostgreSQL by a pool of psycopg connections."""

import os
import sqlite3
import threading
from contextlib import contextmanager

from flask import Flask, abort, request
from psycopg_pool import ConnectionPool

app = Flask(__name__)
TABLE = "create table if not exists notes (id {} primary key, author text not null, text text not null)"
local = threading.local()
pools = {}


@contextmanager
def sqlite():
    """This thread's connection, in a transaction that takes the lock at once."""
    if not hasattr(local, "db"):
        local.db = sqlite3.connect("/data/flask.db", timeout=60, isolation_level=None)
        local.db.execute(TABLE.format("integer"))
    local.db.execute("begin immediate" if request.method != "GET" else "begin")
    try:
        yield local.db
    except BaseException:
        local.db.rollback()
        raise
    local.db.commit()


@contextmanager
def postgres():
    """A connection of the pool; the pool's threads begin with the first request."""
    with lock:
        if not pools:
            pools["notes"] = ConnectionPool(os.environ["POSTGRES"], min_size=2, max_size=4, timeout=60)
            with pools["notes"].connection() as db:
                db.execute(TABLE.format("serial"))
    with pools["notes"].connection() as db:
        yield db


lock = threading.Lock()
DATABASES = {"sqlite": (sqlite, "?"), "postgres": (postgres, "%s")}


def ask(database, query, *values):
    """The rows that a query gives, after it is committed."""
    connect, mark = DATABASES[database]
    with connect() as db:
        return db.execute(query.replace("?", mark), values).fetchall()


@app.post("/<database>/notes")
def add(database):
    note = request.get_json()
    rows = ask(database, "insert into notes (author, text) values (?, ?) returning id", note["author"], note["text"])
    return {"id": rows[0][0]}, 201


@app.get("/<database>/notes")
def those_of(database):
    rows = ask(database, "select id from notes where author = ? order by id", request.args["author"])
    return {"ids": [row[0] for row in rows]}


@app.get("/<database>/notes/<int:number>")
def read(database, number):
    rows = ask(database, "select author, text from notes where id = ?", number)
    return {"id": number, "author": rows[0][0], "text": rows[0][1]} if rows else abort(404)


@app.put("/<database>/notes/<int:number>")
def change(database, number):
    rows = ask(database, "update notes set text = ? where id = ? returning id", request.get_json()["text"], number)
    return {"id": rows[0][0]} if rows else abort(404)


@app.delete("/<database>/notes/<int:number>")
def remove(database, number):
    rows = ask(database, "delete from notes where id = ? returning id", number)
    return {"id": rows[0][0]} if rows else abort(404)
