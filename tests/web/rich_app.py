"""An application with parameters and bodies of every kind, for what is made of its schema."""

from __future__ import annotations

import datetime
import enum
import uuid
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from hoopsnake.web import App, Body, Cookie, Depends, Header, Path, Query, Response, Router

app = App(title="rich", version="1.2.3", description="Of everything some.")


class Colour(enum.Enum):
    """Some texts."""

    red = "red"
    blue = "bl'ue"


class Size(enum.IntEnum):
    """Some numbers."""

    small = 1
    large = 2


class Part(BaseModel):
    """Something within something."""

    name: Annotated[str, Field(min_length=1, max_length=10)]
    weight: Annotated[float, Field(gt=0, le=1000)] = 1.0


class Cat(BaseModel):
    """One kind of a union."""

    kind: Literal["cat"]
    lives: Annotated[int, Field(ge=0, le=9)]


class Dog(BaseModel):
    """Another kind of it."""

    kind: Literal["dog"]
    name: str


class Item(BaseModel):
    """A body of many parts."""

    name: Annotated[str, Field(pattern="^[a-z]+$")]
    parts: Annotated[list[Part], Field(max_length=3)] = []
    tags: set[str] = set()
    colour: Colour = Colour.red
    pet: Annotated[Cat | Dog, Field(discriminator="kind")] | None = None
    when: datetime.datetime | None = None
    day: datetime.date | None = None
    key: uuid.UUID | None = None
    amount: Annotated[Decimal, Field(ge=0, max_digits=8, decimal_places=2)] | None = None
    extra: dict[str, int] = {}


class Stored(BaseModel):
    """What comes back."""

    id: int
    item: Item


@dataclass
class Point:
    """A dataclass as a body."""

    x: int
    y: int = 0


class Page(TypedDict):
    """A TypedDict as an answer."""

    first: int
    total: int


def page(
    first: Annotated[int, Query(ge=0, le=1000)] = 0,
    size: Annotated[int, Query(ge=1, le=100)] = 10,
) -> Page:
    return {"first": first, "total": size}


@app.get("/numbers/{n}/{x}")
async def numbers(
    n: Annotated[int, Path(ge=-5, lt=100)],
    x: float,
    step: Annotated[int, Query(multiple_of=3)] = 3,
    flag: bool = False,
) -> list[float]:
    return [n, step, flag]


@app.get("/texts/{text}")
async def texts(
    text: Annotated[str, Path(min_length=2, max_length=20)],
    like: Annotated[str | None, Query(pattern="^a*$")] = None,
    many: Annotated[list[str], Query(max_length=3)] = [],  # noqa: B006
) -> list[str | None]:
    return [text, like, *many]


@app.get("/types/{colour}")
async def types(
    colour: Colour,
    size: Size = Size.small,
    kind: Literal["a", "b"] = "a",
    day: datetime.date | None = None,
    at: datetime.datetime | None = None,
    key: uuid.UUID | None = None,
    numbers: Annotated[list[int] | None, Query()] = None,
) -> dict[str, Any]:
    return {"colour": colour, "size": size, "kind": kind, "day": day, "at": at, "key": key}


@app.get("/fields")
async def fields(
    x_number: Annotated[int | None, Header(ge=0)] = None,
    taste: Annotated[Literal["sweet", "sour"] | None, Cookie()] = None,
) -> list[int | str | None]:
    return [x_number, taste]


@app.get("/pages")
def pages(page: Annotated[Page, Depends(page)]) -> Page:
    return page


items = Router(prefix="/items", tags=["items"])


@items.post("", status_code=201)
async def create(item: Item) -> Stored:
    return Stored(id=1, item=item)


@items.put("/{id}")
async def replace(
    id: Annotated[int, Path(ge=1)], item: Item, note: Annotated[str, Body(max_length=5)] = ""
) -> Stored:
    return Stored(id=id, item=item)


@items.patch("/{id}/points")
async def points(id: uuid.UUID, points: list[Point]) -> list[Point]:
    return points


@items.delete("/{id}", status_code=204)
async def delete(id: int) -> None:
    return


@app.post("/maybe")
async def maybe(item: Annotated[Item | None, Body()] = None) -> Item | None:
    return item


@items.get("/plain", response_class=Response, include_in_schema=False)
async def plain() -> Response:
    return Response("plain")


app.include_router(items)
