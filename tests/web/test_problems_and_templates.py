"""Problem details, URLs of routes, templates, and WebSockets that are refused."""

from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, TypedDict

import pytest
from asgi_client import client_of, get
from asgi_messages import ask, scope_of, text

from hoopsnake.web import (
    App,
    Depends,
    HTTPException,
    NoMatchFound,
    ProblemResponse,
    Request,
    Response,
    Router,
    Templates,
    WebError,
    WebSocket,
)


async def test_what_is_wrong_is_told_as_problem_details() -> None:
    app = App(errors="problem")

    @app.get("/{n}")
    async def handler(n: int) -> Any:
        details: list[Any] = [None, "sold out", {"type": "/no-stock", "left": 0}, ["a", "b"]]
        if n == 9:
            raise ValueError
        if n == 8:
            return ProblemResponse(402, "30 are needed", type="/no-credit", balance=20)
        raise HTTPException(409, details[n], {"x-why": "because"})

    async with client_of(app) as client:

        async def told(path: str) -> Any:
            answer = await client.get(path)
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["status"] == answer.status_code
            return answer.json()

        blank = {"type": "about:blank", "title": "Conflict", "status": 409}
        assert await told("/0") == blank
        assert await told("/1") == {**blank, "detail": "sold out"}
        assert await told("/2") == {**blank, "type": "/no-stock", "left": 0}
        assert await told("/3") == {**blank, "errors": ["a", "b"]}
        assert (await client.get("/1")).headers["x-why"] == "because"
        invalid = await told("/x")
        assert (invalid["status"], invalid["detail"]) == (422, "1 error in the request")
        assert [each["loc"] for each in invalid["errors"]] == [["path", "n"]]
        assert (await told("/1/2"))["title"] == "Not Found"
        answer = await client.post("/1")
        assert (answer.status_code, answer.json()["title"]) == (405, "Method Not Allowed")
        assert (await told("/8"))["balance"] == 20
    failed = await get(app, "/9")
    assert failed.json() == {
        "type": "about:blank",
        "title": "Internal Server Error",
        "status": 500,
    }


def test_the_document_tells_of_problems() -> None:
    app = App(errors="problem")

    @app.get("/{n}")
    async def handler(n: int) -> None: ...

    document = app.openapi()
    refusal = document["paths"]["/{n}"]["get"]["responses"]["422"]["content"]
    assert refusal == {
        "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
    }
    assert sorted(document["components"]["schemas"]) == ["Problem", "ValidationError"]


def shop() -> App:
    app, router, inner = App(), Router(prefix="/shop"), App()

    @router.get("/{kind}/{number:int}", name="article")
    async def article(kind: str, number: int, request: Request) -> list[str]:
        return [
            request.url_path_for("article", kind="a/b ü", number=7),
            request.url_for("files", rest="x/y z"),
            request.url_for("static", path="/logo.svg"),
            request.url_path_for("inner:users"),
        ]

    @app.get("/files/{rest:path}")
    async def files(rest: str) -> None: ...

    @inner.get("/users")
    async def users() -> None: ...

    app.include_router(router)
    app.mount("/static", text, name="static")
    app.mount("/inner", inner, name="inner")
    return app


async def test_a_route_is_found_by_its_name() -> None:
    app = shop()
    answer = await get(app, "/shop/book/1")
    assert answer.json() == [
        "/shop/a%2Fb%20%C3%BC/7",
        "http://here/files/x/y%20z",
        "http://here/static/logo.svg",
        "/inner/users",
    ]
    scope = {**scope_of("GET", "/api/shop/book/1", host="here"), "root_path": "/api"}
    assert (await ask(app, scope)).body.startswith(b'["/api/shop/a%2Fb')
    for name, parameters in (("article", {"kind": "x"}), ("none", {}), ("inner:none", {})):
        with pytest.raises(NoMatchFound, match=name):
            app.url_path_for(name, **parameters)


async def test_a_page_is_made_of_a_template(tmp_path: Path) -> None:
    pytest.importorskip("jinja2", reason="jinja2 is not installed")
    Path(tmp_path, "page.html").write_text(
        "<p>{{ name }} of {{ site }} at {{ url_for('page', name='a b') }} {{ request.method }}"
    )
    templates = Templates(tmp_path, context_processors=[lambda request: {"site": "S", "name": "?"}])
    app = App()

    @app.get("/page/{name}")
    async def page(request: Request, name: str) -> Response:
        return templates.response(request, "page.html", {"name": name}, headers={"x-one": "1"})

    answer = await get(app, "/page/<b>")
    assert answer.text == "<p>&lt;b&gt; of S at /page/a%20b GET"
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["x-one"] == "1"
    made = templates.TemplateResponse(Request({"app": app, "method": "X"}, None), "page.html")  # type: ignore[arg-type]
    assert made.context["name"] == "?"
    with pytest.raises(WebError, match="one of the two"):
        Templates()


async def test_a_websocket_that_is_refused_by_a_dependency_is_told_so() -> None:
    app = App()

    async def user() -> None:
        raise HTTPException(401, "who are you", {"www-authenticate": "Bearer"})

    @app.websocket("/ws")
    async def socket(websocket: WebSocket, _: Annotated[None, Depends(user)]) -> None:
        raise AssertionError

    scope = {**scope_of("GET", "/ws"), "type": "websocket"}
    assert (await ask(app, scope)).messages == [
        {"type": "websocket.close", "code": 1008, "reason": ""}
    ]
    denied = await ask(app, {**scope, "extensions": {"websocket.http.response": {}}})
    assert (denied.status, denied.header("www-authenticate")) == (401, "Bearer")
    assert denied.body == b'{"detail":"who are you"}'
    assert denied.messages[0]["type"] == "websocket.http.response.start"


class Shared(TypedDict):
    """What the lifespan gives to all requests."""

    greeting: str


async def test_the_lifespans_state_is_each_requests_own_to_add_to() -> None:
    @asynccontextmanager
    async def lifespan(app: App) -> Any:
        app.state.opened = True
        yield Shared(greeting="hi")
        app.state.opened = False

    app = App(lifespan=lifespan)

    @app.middleware("http")
    async def name(request: Request, call_next: Any) -> Response:
        assert "user" not in request.state
        request.state.user = "ada"
        response: Response = await call_next(request)
        return response

    @app.get("/")
    async def handler(request: Request) -> Any:
        state = request.state
        return [state.greeting, state["greeting"], state.user, request.app.state.opened, len(state)]

    async with client_of(app, served=True) as client:
        for _ in range(2):
            assert (await client.get("/")).json() == ["hi", "hi", "ada", True, 2]
    assert app.state.opened is False
    with pytest.raises(AttributeError, match="no 'nothing'"):
        _ = app.state.nothing
