"""The same application made with FastAPI and with hoopsnake.web, and what either answers."""

import datetime
import enum
import uuid
from decimal import Decimal
from types import ModuleType
from typing import Annotated, Any, Literal

from asgi_client import client_of
from form_twins import add_forms
from pydantic import BaseModel, Field


class Colour(enum.Enum):
    """Texts, one of them with a quote."""

    red = "red"
    blue = "bl'ue"


class Size(enum.IntEnum):
    """Numbers."""

    small = 1
    large = 2


class Item(BaseModel):
    """A body."""

    name: str = Field(min_length=2)
    price: float = Field(gt=0)
    tags: list[str] = []
    when: datetime.datetime | None = None


class Stored(Item):
    """What is stored, and has more than is shown."""

    secret: str = "hidden"


def make(web: ModuleType) -> Any:
    """Make the application with whichever framework."""
    app = web.FastAPI() if hasattr(web, "FastAPI") else web.App()
    for add in (_add_values, _add_lists_and_types, _add_bodies, _add_dependencies, add_forms):
        add(app, web)
    return app


def _add_values(app: Any, web: ModuleType) -> None:
    query, header, cookie = web.Query, web.Header, web.Cookie

    @app.get("/numbers/{n}")
    async def numbers(
        n: int,
        x: float = 1.5,
        flag: bool | None = None,
        low: Annotated[int | None, query(gt=3, le=10)] = None,
        step: Annotated[int, query(multiple_of=7)] = 7,
    ) -> Any:
        return [n, x, flag, low, step]

    @app.get("/texts")
    async def texts(
        a: str,
        short: Annotated[str, query(min_length=2, max_length=4)] = "abc",
        like: Annotated[str | None, query(pattern="^a+$")] = None,
        other: Annotated[str | None, query(alias="o-ther")] = None,
    ) -> Any:
        return [a, short, like, other]

    @app.get("/fields")
    async def fields(
        x_token: Annotated[str, header()],
        many: Annotated[list[str] | None, header()] = None,
        session: Annotated[str | None, cookie()] = None,
        number: Annotated[int | None, cookie()] = None,
    ) -> Any:
        return [x_token, many, session, number]


def _add_lists_and_types(app: Any, web: ModuleType) -> None:
    query = web.Query

    @app.get("/lists")
    async def lists(
        q: Annotated[list[int], query(min_length=2, max_length=3)],
        names: Annotated[list[str] | None, query()] = None,
        some: Annotated[set[int], query()] = set(),  # noqa: B006
    ) -> Any:
        return [q, names, sorted(some)]

    @app.get("/choices/{colour}")
    async def choices(
        colour: Colour, size: Size = Size.small, kind: Literal["a", "b"] = "a"
    ) -> Any:
        return {"colour": colour, "size": size, "kind": kind}

    @app.get("/types")
    async def types(
        day: datetime.date | None = None,
        at: datetime.datetime | None = None,
        key: uuid.UUID | None = None,
        amount: Decimal | None = None,
        either: int | str | None = None,
    ) -> Any:
        return {"day": day, "at": at, "key": key, "amount": amount, "either": either}


def _add_bodies(app: Any, web: ModuleType) -> None:
    body, path = web.Body, web.Path

    @app.post("/items", status_code=201)
    async def create(item: Item) -> Item:
        return item

    @app.post("/stored")
    async def store(item: Item) -> Item:
        return Stored(**item.model_dump())

    @app.put("/two/{n}")
    async def two(
        n: Annotated[int, path(ge=1)], item: Item, other: Item, note: Annotated[str, body()]
    ) -> Any:
        return [n, item, other, note]

    @app.put("/embedded")
    async def embedded(item: Annotated[Item, body(embed=True)]) -> Any:
        return item

    @app.post("/maybe")
    async def maybe(item: Item | None = None) -> Any:
        return item

    @app.get("/models")
    def models(count: int = 2) -> list[Item]:
        return [Item(name=f"item {number}", price=number + 1) for number in range(count)]

    @app.get("/files/{rest:path}")
    async def files(rest: str) -> str:
        return rest


def _add_dependencies(app: Any, web: ModuleType) -> None:
    header = web.Header

    @app.get("/refused")
    async def refused(status: int, words: str | None = None) -> Any:
        raise web.HTTPException(status, words, {"x-why": "because"})

    def token(x_token: Annotated[str | None, header()] = None) -> str:
        if x_token is None:
            raise web.HTTPException(401, "no token")
        return x_token

    async def user(token: Annotated[str, web.Depends(token)], page: int = 1) -> dict[str, Any]:
        return {"token": token, "page": page}

    @app.get("/who")
    async def who(
        user: Annotated[dict[str, Any], web.Depends(user)],
        token: Annotated[str, web.Depends(token)],
    ) -> Any:
        return [user, token]


async def ask(app: Any, method: str, url: str, **options: Any) -> tuple[int, Any, dict[str, str]]:
    """Return status, body and those headers that count."""
    async with client_of(app) as client:
        answer = await client.request(method, url, **options)
    try:
        content = answer.json()
    except ValueError:
        content = answer.text
    if answer.status_code == 422:
        content = [_without_words_for_python(each) for each in content["detail"]]
    counting = ("content-type", "allow", "location", "x-why")
    return (
        answer.status_code,
        content,
        # Ours leave out the host: behind a proxy the server knows another one than the client.
        {
            name: answer.headers[name].removeprefix("http://here")
            for name in counting
            if name in answer.headers
        },
    )


def _without_words_for_python(error: dict[str, Any]) -> dict[str, Any]:
    """Take out where pydantic words what is wrong in JSON otherwise than what is in its objects.

    FastAPI makes objects of the JSON first; we give pydantic the bytes.
    """
    if error["type"] in ("model_type", "model_attributes_type"):
        return {"loc": error["loc"]}
    if error["type"] == "json_invalid":
        return {"loc": error["loc"][:1]}
    return {**error, "msg": error["msg"].replace("valid array", "valid list")}
