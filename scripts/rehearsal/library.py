"""An application of `hoopsnake.web` with models, dependencies, forms and files."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from hoopsnake.web import (
    App,
    Cookie,
    Depends,
    Form,
    Header,
    HTTPException,
    Query,
    Router,
    StreamingResponse,
    UploadFile,
)


class Author(BaseModel):
    """Who wrote it."""

    name: str = Field(min_length=2)
    born: date | None = None


class Book(BaseModel):
    """What is lent."""

    title: str = Field(min_length=1, max_length=200)
    pages: int = Field(gt=0)
    authors: list[Author]
    tags: set[str] = set()
    price: float | None = None


class Reader(BaseModel):
    """Who borrows it."""

    name: str
    age: int = Field(ge=0)
    interests: list[str] = []


BOOKS = [
    Book(
        title=f"Volume {number}",
        pages=100 + number,
        authors=[Author(name="Ann Onymous", born=date(1950, 2, 1 + number % 28))],
        tags={"shelf"},
        price=number / 4,
    )
    for number in range(45)
]


async def language(accept_language: Annotated[str, Header()] = "en") -> str:
    """What the answer should be in."""
    return accept_language[:2]


async def borrower(
    language: Annotated[str, Depends(language)], card: Annotated[str | None, Cookie()] = None
) -> Reader:
    """Who asks."""
    return Reader(name=card or "somebody", age=30, interests=[language])


async def opened() -> AsyncIterator[list[str]]:
    """What is open while the request is."""
    lines: list[str] = []
    yield lines
    lines.clear()


app = App(title="library")
lending = Router(prefix="/lending", tags=["lending"])


@app.get("/books/{number}")
async def one_book(number: int, currency: Literal["EUR", "CHF"] = "EUR", full: bool = True) -> Book:
    """A model, by a number of the path; 404 where there is none."""
    if number >= len(BOOKS):
        raise HTTPException(404, f"there is no book {number}")
    return BOOKS[number]


@app.get("/books")
async def all_books(
    least: Annotated[int, Query(ge=0)] = 0, tag: Annotated[list[str] | None, Query()] = None
) -> list[Book]:
    """Many models."""
    return [book for book in BOOKS if book.pages >= least]


@app.post("/books", status_code=201)
async def add(book: Book) -> Book:
    """A model there and back."""
    return book


@app.get("/plain")
async def plain() -> dict[str, object]:
    """No model at all."""
    return {
        "open": True,
        "floors": 3,
        "rooms": ["reading", "talking"],
        "rating": 4.5,
        "closed": None,
    }


@app.get("/identified/{identity}/{day}")
async def identified(identity: UUID, day: date, weight: float = 0.5) -> str:
    """Parameters of other types."""
    return f"{identity} {day} {weight}"


@app.put("/sync/{name}")
def in_a_thread(name: str) -> dict[str, str]:
    """A handler that is not async."""
    return {"name": name}


@app.post("/readers")
async def register(reader: Annotated[Reader, Form()]) -> Reader:
    """A form as a model."""
    return reader


@app.post("/covers")
async def upload(cover: UploadFile, title: Annotated[str, Form()]) -> dict[str, object]:
    """A form with a file."""
    return {"title": title, "size": len(await cover.read()), "name": cover.filename}


@app.get("/lines")
async def lines() -> StreamingResponse:
    """A stream."""

    async def content() -> AsyncIterator[str]:
        for number in range(12):
            yield f"line {number}\n"

    return StreamingResponse(content(), media_type="text/plain")


@lending.get("/me")
async def me(reader: Annotated[Reader, Depends(borrower)]) -> Reader:
    """Dependencies, one of the other."""
    return reader


@lending.delete("/{number}", status_code=204)
async def give_back(number: int, lines: Annotated[list[str], Depends(opened)]) -> None:
    """A dependency that is closed again."""
    lines.append(f"book {number} is back")


app.include_router(lending)
