"""Programs for the chapters of FastAPI's tutorial about what a request brings."""

import datetime
import enum
import uuid
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, HttpUrl
from two_frameworks import Chapter, Web

__all__ = ["CHAPTERS"]


class Metal(str, enum.Enum):  # noqa: UP042
    """An enumeration of the path."""

    iron = "iron"
    tin = "tin"


class Coin(BaseModel):
    """A body."""

    metal: Metal
    worth: float = Field(gt=0, description="in the old money", examples=[2.5])
    year: int | None = None
    model_config = {"json_schema_extra": {"examples": [{"metal": "tin", "worth": 1.0}]}}


class Collector(BaseModel):
    """Another body."""

    name: str
    joined: datetime.date | None = None


class Picture(BaseModel):
    """What is nested."""

    url: HttpUrl
    title: str = ""


class Album(BaseModel):
    """What nests."""

    name: str
    tags: set[str] = set()
    pictures: list[Picture] = []
    by_page: dict[int, Picture] = {}


class Filters(BaseModel):
    """The query as a model."""

    limit: int = Field(10, gt=0, le=100)
    order: Literal["new", "old"] = "new"
    tags: list[str] = []


class StrictFilters(BaseModel):
    """The query as a model that takes nothing beside."""

    model_config = {"extra": "forbid"}
    limit: int = 10


class Told(BaseModel):
    """Headers as a model."""

    x_language: str
    if_none_match: str | None = None


class Crumbs(BaseModel):
    """Cookies as a model."""

    session: str
    tracker: int | None = None


@dataclass
class Barrel:
    """A dataclass as a body."""

    litres: float
    staves: list[str] = field(default_factory=list)


def first_steps(web: Web) -> Any:
    app = web.App(title="coins", version="2", description="All *coins*.")

    @app.get("/")
    async def root() -> Any:
        return {"message": "Hello"}

    return app


def path_parameters(web: Web) -> Any:
    app = web.App()

    @app.get("/coins/first")
    async def first() -> Any:
        return "first"

    @app.get("/coins/{number}")
    async def coin(
        number: Annotated[int, web.Path(title="Its number", ge=1, lt=1000)], q: str | None = None
    ) -> Any:
        return {"number": number, "q": q}

    @app.get("/metals/{metal}")
    async def metal(metal: Metal) -> Any:
        return {"metal": metal, "is_iron": metal is Metal.iron}

    @app.get("/files/{name:path}")
    async def file(name: str) -> Any:
        return name

    @app.get("/weights/{grams}")
    async def weight(grams: Annotated[float, web.Path(gt=0, lt=10.5)]) -> Any:
        return grams

    return app


def query_parameters(web: Web) -> Any:
    app = web.App()

    @app.get("/coins/")
    async def coins(skip: int = 0, limit: int = 10, short: bool = False) -> Any:
        return [skip, limit, short]

    @app.get("/needed")
    async def needed(needy: str, limit: int | None = None) -> Any:
        return [needy, limit]

    @app.get("/checked")
    async def checked(
        q: Annotated[
            str | None,
            web.Query(
                alias="the-query",
                title="Query",
                description="What to look for",
                min_length=3,
                max_length=8,
                pattern="^coin",
                deprecated=True,
            ),
        ] = None,
        hidden: Annotated[str | None, web.Query(include_in_schema=False)] = None,
    ) -> Any:
        return [q, hidden]

    @app.get("/many")
    async def many(q: Annotated[list[str], web.Query()] = ["a", "b"]) -> Any:  # noqa: B006
        return q

    @app.get("/old-style")
    async def old_style(q: str = web.Query("tea", max_length=5), n: int = web.Query()) -> Any:
        return [q, n]

    return app


def request_body(web: Web) -> Any:
    app = web.App()

    @app.put("/coins/{number}")
    async def put(number: int, coin: Coin, q: str | None = None) -> Any:
        return {"number": number, **coin.model_dump(), "q": q}

    @app.post("/both")
    async def both(
        coin: Coin, collector: Collector, importance: Annotated[int, web.Body(gt=0)]
    ) -> Any:
        return [coin, collector, importance]

    @app.post("/embedded")
    async def embedded(coin: Annotated[Coin, web.Body(embed=True)]) -> Any:
        return coin

    @app.post("/nested")
    async def nested(album: Album) -> Any:
        return album

    @app.post("/list")
    async def in_list(pictures: list[Picture]) -> Any:
        return len(pictures)

    @app.post("/weights")
    async def weights(weights: dict[int, float]) -> Any:
        return weights

    @app.post("/extra")
    async def extra(
        number: Annotated[uuid.UUID, web.Body()],
        start: Annotated[datetime.datetime, web.Body()],
        lasts: Annotated[datetime.timedelta, web.Body()],
        at: Annotated[datetime.time | None, web.Body()] = None,
    ) -> Any:
        return {"number": number, "end": start + lasts, "lasts": lasts, "at": at}

    @app.post("/barrels")
    async def barrels(barrel: Barrel) -> Barrel:
        return barrel

    return app


def cookies_and_headers(web: Web) -> Any:
    app = web.App()

    @app.get("/fields")
    async def fields(
        user_agent: Annotated[str | None, web.Header()] = None,
        x_many: Annotated[list[str] | None, web.Header()] = None,
        strange_one: Annotated[str | None, web.Header(convert_underscores=False)] = None,
        crumb: Annotated[str | None, web.Cookie()] = None,
    ) -> Any:
        return [user_agent, x_many, strange_one, crumb]

    return app


def parameter_models(web: Web) -> Any:
    app = web.App()

    @app.get("/query")
    async def query(filters: Annotated[Filters, web.Query()]) -> Any:
        return filters

    @app.get("/strict")
    async def strict(filters: Annotated[StrictFilters, web.Query()]) -> Any:
        return filters

    @app.get("/headers")
    async def headers(told: Annotated[Told, web.Header()]) -> Any:
        return told

    @app.get("/cookies")
    async def cookies(crumbs: Annotated[Crumbs, web.Cookie()]) -> Any:
        return crumbs

    return app


PNG = {"url": "http://coins.test/a.png", "title": "a"}
COIN = {"metal": "tin", "worth": 1}

CHAPTERS = [
    Chapter("first steps", first_steps, ["/", "/nowhere", ("POST", "/")]),
    Chapter(
        "path parameters",
        path_parameters,
        [
            *("/coins/first", "/coins/5?q=a", "/coins/0", "/coins/x", "/coins/1000"),
            *("/metals/iron", "/metals/gold", "/files/a/b.txt", "/weights/2.5", "/weights/10.5"),
        ],
    ),
    Chapter(
        "query parameters",
        query_parameters,
        [
            *("/coins/?skip=3&short=yes", "/coins/?limit=x&short=maybe", "/coins"),
            *("/needed", "/needed?needy=a&limit=2", "/checked?the-query=coins", "/checked"),
            *("/checked?the-query=co", "/checked?the-query=coinsandmore", "/many", "/many?q=x&q=y"),
            *("/old-style?n=1", "/old-style?q=toolong&n=x"),
        ],
    ),
    Chapter(
        "request bodies",
        request_body,
        [
            ("PUT", "/coins/3?q=a", COIN),
            ("PUT", "/coins/x", {"metal": "gold", "worth": 0}),
            ("POST", "/both", {"coin": COIN, "collector": {"name": "me"}, "importance": 1}),
            ("POST", "/both", {"coin": COIN, "importance": 0}),
            ("POST", "/embedded", {"coin": COIN}),
            ("POST", "/embedded", COIN),
            ("POST", "/nested", {"name": "a", "tags": ["x", "x"], "pictures": [PNG]}),
            ("POST", "/nested", {"name": "a", "by_page": {"1": {"url": "no url"}}}),
            ("POST", "/list", [PNG, PNG]),
            ("POST", "/list", [{}]),
            ("POST", "/weights", {"1": 2.5, "2": 3}),
            ("POST", "/weights", {"x": "y"}),
            (
                "POST",
                "/extra",
                {
                    "number": "12345678-1234-5678-1234-567812345678",
                    "start": "2026-01-02T03:04:05Z",
                    "lasts": 90,
                    "at": "12:30",
                },
            ),
            ("POST", "/extra", {"number": "x", "start": "y", "lasts": "z"}),
            ("POST", "/barrels", {"litres": 3, "staves": ["oak"]}),
            ("POST", "/barrels", {}),
        ],
    ),
    Chapter(
        "cookies and headers",
        cookies_and_headers,
        [
            "/fields",
            ("GET", "/fields", None, {"x-many": "1", "cookie": "crumb=c", "strange_one": "s"}),
        ],
    ),
    Chapter(
        "parameter models",
        parameter_models,
        [
            *("/query", "/query?limit=5&order=old&tags=a&tags=b", "/query?limit=0&order=x"),
            *("/strict?limit=3", "/strict?limit=3&tool=hammer", "/headers", "/cookies"),
            ("GET", "/headers", None, {"x-language": "de", "if-none-match": "x"}),
            ("GET", "/cookies", None, {"cookie": "session=s; tracker=4"}),
            ("GET", "/cookies", None, {"cookie": "session=s; tracker=x"}),
        ],
    ),
]
