"""Notes in two databases, sqlite in /data (aiosqlite) and PostgreSQL (psycopg), by SQLAlchemy's asyncio side."""

import os
from contextlib import asynccontextmanager

from fastapi import FastAPI, HTTPException
from pydantic import BaseModel
from sqlalchemy import delete, event, select, update
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Note(Base):
    __tablename__ = "notes_fastapi"
    id: Mapped[int] = mapped_column(primary_key=True)
    author: Mapped[str] = mapped_column(index=True)
    text: Mapped[str]


class Given(BaseModel):
    author: str
    text: str


class Text(BaseModel):
    text: str


class Whole(Given):
    id: int


class Done(BaseModel):
    id: int


class Ids(BaseModel):
    ids: list[int]


SESSIONS = {}


@asynccontextmanager
async def lifespan(app):
    server = os.environ["POSTGRES"].replace("postgresql://", "postgresql+psycopg://")
    for name, url, options in (
        # one connection: those who wait for it are served in their order, which sqlite's own lock does not do
        ("sqlite", "sqlite+aiosqlite:////data/fastapi.db", {"pool_size": 1, "max_overflow": 0, "pool_timeout": 120}),
        ("postgres", server, {"pool_size": 4, "max_overflow": 2}),
    ):
        engine = create_async_engine(url, **options)
        if name == "sqlite":

            @event.listens_for(engine.sync_engine, "connect")
            def journal(connection, _):
                connection.cursor().execute("pragma journal_mode=wal")

        async with engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
        SESSIONS[name] = async_sessionmaker(engine, expire_on_commit=False)
    yield


app = FastAPI(lifespan=lifespan)


async def changed(database, statement, number):
    async with SESSIONS[database].begin() as session:
        if not (await session.execute(statement)).rowcount:
            raise HTTPException(404)
    return Done(id=number)


@app.post("/{database}/notes", status_code=201)
async def add(database: str, note: Given) -> Done:
    async with SESSIONS[database].begin() as session:
        kept = Note(author=note.author, text=note.text)
        session.add(kept)
    return Done(id=kept.id)


@app.get("/{database}/notes")
async def those_of(database: str, author: str) -> Ids:
    async with SESSIONS[database]() as session:
        return Ids(ids=list(await session.scalars(select(Note.id).where(Note.author == author).order_by(Note.id))))


@app.get("/{database}/notes/{number}")
async def read(database: str, number: int) -> Whole:
    async with SESSIONS[database]() as session:
        note = await session.get(Note, number)
    if note is None:
        raise HTTPException(404)
    return Whole(id=note.id, author=note.author, text=note.text)


@app.put("/{database}/notes/{number}")
async def change(database: str, number: int, new: Text) -> Done:
    return await changed(database, update(Note).where(Note.id == number).values(text=new.text), number)


@app.delete("/{database}/notes/{number}")
async def remove(database: str, number: int) -> Done:
    return await changed(database, delete(Note).where(Note.id == number), number)
