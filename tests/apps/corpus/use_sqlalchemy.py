"""An object-relational mapping on SQLite: relations, queries, transactions, a core expression."""

from sqlalchemy import ForeignKey, create_engine, func, select, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship


class Base(DeclarativeBase):
    pass


class Author(Base):
    __tablename__ = "author"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    books: Mapped[list["Book"]] = relationship(back_populates="author", cascade="all, delete-orphan")


class Book(Base):
    __tablename__ = "book"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    author_id: Mapped[int] = mapped_column(ForeignKey("author.id"))
    author: Mapped[Author] = relationship(back_populates="books")


engine = create_engine("sqlite://")
Base.metadata.create_all(engine)
with Session(engine) as session:
    session.add(Author(name="Le Guin", books=[Book(title="The Dispossessed"), Book(title="Lavinia")]))
    session.commit()
    counted = select(Author.name, func.count(Book.id)).join(Book).group_by(Author.name)
    assert session.execute(counted).all() == [("Le Guin", 2)]
    assert session.scalars(select(Book).where(Book.title.like("L%"))).one().author.name == "Le Guin"
    session.delete(session.get(Author, 1))
    session.commit()
    assert session.scalar(text("select count(*) from book")) == 0
