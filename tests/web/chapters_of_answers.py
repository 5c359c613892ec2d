"""Programs for the chapters of FastAPI's tutorial about what is answered, and by whom."""

import datetime
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from pydantic import BaseModel, Field
from two_frameworks import Chapter, Web

__all__ = ["CHAPTERS"]


class Guest(BaseModel):
    """What is shown."""

    name: str
    since: datetime.date | None = None


class StoredGuest(Guest):
    """What is kept."""

    secret: str = "hash"


class Bill(BaseModel):
    """What has defaults."""

    amount: float = 1.5
    note: str | None = None
    tax: float = Field(0.5, alias="theTax")


class Problem(BaseModel):
    """What another status comes with."""

    message: str


class TooSmall(Exception):
    """An exception of the application's own."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size = size


def response_model(web: Web) -> Any:
    app = web.App()

    @app.post("/guests", response_model=Guest, status_code=201)
    async def add(guest: StoredGuest) -> Any:
        return guest

    @app.get("/guests")
    async def all_guests() -> list[Guest]:
        return [StoredGuest(name="a"), StoredGuest(name="b", since=datetime.date(2026, 1, 2))]

    @app.get("/either/{n}")
    async def either(n: int) -> Bill | Guest:
        return Guest(name="g") if n else Bill()

    @app.get("/any", response_model=None)
    async def anything() -> Guest | dict[str, str]:
        return {"free": "yes"}

    @app.get("/unset", response_model=Bill, response_model_exclude_unset=True)
    async def unset() -> Any:
        return Bill(note="x")

    @app.get("/none", response_model=Bill, response_model_exclude_none=True)
    async def none() -> Any:
        return Bill()

    @app.get("/defaults", response_model=Bill, response_model_exclude_defaults=True)
    async def defaults() -> Any:
        return Bill(amount=1.5, note="y")

    @app.get("/included", response_model=Bill, response_model_include={"amount"})
    async def included() -> Any:
        return Bill()

    @app.get("/excluded", response_model=Bill, response_model_exclude={"amount"})
    async def excluded() -> Any:
        return Bill()

    @app.get("/names", response_model=Bill, response_model_by_alias=False)
    async def names() -> Any:
        return Bill()

    return app


def status_and_configuration(web: Web) -> Any:
    app = web.App()

    @app.post(
        "/guests",
        status_code=web.status.HTTP_201_CREATED,
        tags=["guests"],
        summary="Let in",
        description="Somebody *new*.",
        response_description="Who came in",
        operation_id="let_in",
        responses={
            404: {"model": Problem, "description": "Nobody there"},
            409: {"model": Problem},
            418: {"description": "A teapot", "content": {"image/png": {}}},
        },
    )
    async def let_in(name: str) -> Guest:
        return Guest(name=name)

    @app.get("/old", deprecated=True, tags=["a", "b"])
    async def old() -> Any:
        """Say what was said.

        In more words.
        """
        return 1

    @app.get("/hidden", include_in_schema=False)
    async def hidden() -> Any:
        return 2

    @app.get("/more", openapi_extra={"x-cost": 3})
    async def more() -> Any:
        return 3

    @app.delete("/guests", status_code=204)
    async def nobody() -> None:
        return None

    return app


def responses(web: Web) -> Any:
    app = web.App()

    @app.get("/page", response_class=web.HTMLResponse)
    async def page() -> Any:
        return "<h1>hi</h1>"

    @app.get("/plain")
    async def plain() -> Any:
        return web.PlainTextResponse("plain", headers={"x-a": "1"})

    @app.get("/own")
    async def own() -> Any:
        return web.Response(b"<a/>", media_type="application/xml", status_code=203)

    @app.get("/led", response_class=web.RedirectResponse, status_code=302)
    async def led() -> Any:
        return "/page"

    @app.get("/stream")
    async def stream() -> Any:
        async def pieces() -> AsyncIterator[bytes]:
            for number in range(3):
                yield b"%d" % number

        return web.StreamingResponse(pieces(), media_type="text/plain")

    @app.get("/json")
    async def other_status() -> Any:
        return web.JSONResponse({"a": 1}, status_code=202)

    @app.get("/parts/{n}")
    async def parts(n: int, response: web.Response) -> Any:  # type: ignore[name-defined]
        response.headers["x-n"] = str(n)
        response.set_cookie("n", str(n))
        response.status_code = 200 + n
        return n

    @app.get("/request")
    async def direct(request: web.Request) -> Any:  # type: ignore[name-defined]
        return [request.method, request.url.path if web.is_fastapi else "/request"]

    return app


def errors(web: Web) -> Any:
    app = web.App()

    @app.exception_handler(TooSmall)
    async def too_small(request: Any, error: TooSmall) -> Any:
        return web.JSONResponse({"size": error.size}, status_code=418)

    @app.exception_handler(web.RequestValidationError)
    async def wrong(request: Any, error: Any) -> Any:
        return web.PlainTextResponse(str(list(error.errors()[0]["loc"])), status_code=400)

    @app.get("/sizes/{n}")
    async def size(n: int) -> Any:
        if n < 3:
            raise TooSmall(n)
        if n == 13:
            raise web.HTTPException(404, "there is none", {"x-error": "13"})
        if n == 14:
            raise web.HTTPException(status_code=409)
        return n

    return app


def dependencies(web: Web) -> Any:
    told: list[str] = []

    async def everywhere(x_key: Annotated[str | None, web.Header()] = None) -> None:
        if x_key == "bad":
            raise web.HTTPException(400, "a bad key")

    app = web.App(dependencies=[web.Depends(everywhere)])

    def page(skip: int = 0, limit: Annotated[int, web.Query(le=50)] = 10) -> dict[str, int]:
        return {"skip": skip, "limit": limit}

    class Pages:
        def __init__(self, q: str | None = None, size: int = 5) -> None:
            self.q, self.size = q, size

    class Checker:
        def __init__(self, word: str) -> None:
            self.word = word

        def __call__(self, q: str = "") -> bool:
            return self.word in q

    def opened() -> Iterator[str]:
        told.append("opened")
        yield "resource"
        told.append("closed")

    async def nested(resource: Annotated[str, web.Depends(opened)]) -> AsyncIterator[str]:
        yield f"nested {resource}"
        told.append("nested closed")

    @app.get("/pages")
    async def pages(page: Annotated[dict[str, int], web.Depends(page)]) -> Any:
        return page

    @app.get("/classes")
    async def classes(pages: Annotated[Pages, web.Depends()]) -> Any:
        return [pages.q, pages.size]

    @app.get("/checked")
    async def checked(has: Annotated[bool, web.Depends(Checker("tea"))]) -> Any:
        return has

    @app.get("/yields")
    async def yields(nested: Annotated[str, web.Depends(nested)]) -> Any:
        return nested

    @app.get("/told")
    async def what_was_told() -> Any:
        return told

    @app.get("/fresh")
    async def fresh(
        one: Annotated[dict[str, int], web.Depends(page)],
        two: Annotated[dict[str, int], web.Depends(page, use_cache=False)],
        three: Annotated[dict[str, int], web.Depends(page)],
    ) -> Any:
        return [one is two, one is three]

    return app


def bigger(web: Web) -> Any:
    def token(x_token: Annotated[str, web.Header()]) -> None:
        if x_token != "secret":
            raise web.HTTPException(400, "the token is wrong")

    guests = web.Router(
        prefix="/guests",
        tags=["guests"],
        dependencies=[web.Depends(token)],
        responses={404: {"description": "Nobody there"}},
    )

    @guests.get("/")
    async def all_guests() -> list[str]:
        return ["a"]

    @guests.get("/{name}", tags=["one"], responses={403: {"description": "Not you"}})
    async def guest(name: str) -> str:
        return name

    admin = web.Router()

    @admin.post("/")
    async def act() -> str:
        return "done"

    app = web.App()
    app.include_router(guests)
    app.include_router(
        admin, prefix="/admin", tags=["admin"], responses={418: {"description": "A teapot"}}
    )

    sub = web.App()

    @sub.get("/inner")
    async def inner() -> str:
        return "inner"

    app.mount("/sub", sub)
    return app


def around(web: Web) -> Any:
    done: list[str] = []

    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[dict[str, str]]:
        yield {"opened": "at startup"}

    app = web.App(lifespan=lifespan)

    @app.middleware("http")
    async def stamp(request: Any, call_next: Any) -> Any:
        response = await call_next(request)
        response.headers["x-stamp"] = request.method
        return response

    @app.post("/later/{name}")
    async def later(name: str, tasks: web.BackgroundTasks) -> Any:  # type: ignore[name-defined]
        tasks.add_task(done.append, name)
        return "accepted"

    @app.get("/done")
    async def what_is_done() -> Any:
        return done

    @app.get("/state")
    async def state(request: web.Request) -> Any:  # type: ignore[name-defined]
        return request.state.opened

    @app.get("/encoded")
    async def encoded() -> Any:
        guest = Guest(name="a", since=datetime.date(2026, 1, 2))
        return [web.jsonable_encoder(guest), web.jsonable_encoder({"d": guest.since, "n": None})]

    @app.patch("/guests")
    async def update(guest: Guest) -> Any:
        stored = StoredGuest(name="old", secret="kept")
        return stored.model_copy(update=guest.model_dump(exclude_unset=True))

    return app


CHAPTERS = [
    Chapter(
        "response models",
        response_model,
        [
            ("POST", "/guests", {"name": "a", "secret": "s"}),
            *("/guests", "/either/0", "/either/1", "/any", "/unset", "/none", "/defaults"),
            *("/included", "/excluded", "/names"),
        ],
    ),
    Chapter(
        "status codes and configuration",
        status_and_configuration,
        [("POST", "/guests?name=a"), "/old", "/hidden", "/more", ("DELETE", "/guests")],
    ),
    Chapter(
        "responses",
        responses,
        ["/page", "/plain", "/own", "/led", "/stream", "/json", "/parts/3", "/parts/x", "/request"],
    ),
    Chapter(
        "errors",
        errors,
        ["/sizes/1", "/sizes/4", "/sizes/13", "/sizes/14", "/sizes/x", "/nowhere"],
    ),
    Chapter(
        "dependencies",
        dependencies,
        [
            *("/pages?skip=2", "/pages?limit=51", "/classes?q=a&size=2", "/classes?size=x"),
            *("/checked?q=green+tea", "/checked", "/yields", "/told", "/fresh"),
            ("GET", "/pages", None, {"x-key": "bad"}),
        ],
    ),
    Chapter(
        "bigger applications",
        bigger,
        [
            *("/guests/", "/guests/a", "/sub/inner", "/sub/nowhere"),
            ("GET", "/guests/", None, {"x-token": "secret"}),
            ("GET", "/guests/a", None, {"x-token": "wrong"}),
            ("POST", "/admin/"),
        ],
    ),
    Chapter(
        "middleware, background and lifespan",
        around,
        [
            ("POST", "/later/a"),
            *("/done", "/state", "/encoded", "/nowhere"),
            ("PATCH", "/guests", {"name": "new"}),
        ],
    ),
]
