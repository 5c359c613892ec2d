"""Applications: routers, mounts, middleware, exceptions, background work and the lifespan."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from asgi_client import Conversation, get, request
from asgi_messages import ask, scope_of

from hoopsnake.web import (
    App,
    BackgroundTasks,
    HTMLResponse,
    HTTPException,
    JSONResponse,
    RedirectResponse,
    Request,
    RequestValidationError,
    Response,
    Router,
    StreamingResponse,
    WebError,
)


async def test_routers_nest() -> None:
    inner, outer, app = Router(prefix="/inner"), Router(prefix="/outer"), App()

    @inner.get("/{name}", tags=["deep"])
    async def handler(name: str) -> str:
        return name

    outer.include_router(inner, tags=["middle"])
    app.include_router(outer, prefix="/api")
    assert (await get(app, "/api/outer/inner/tea")).json() == "tea"
    operation = app.openapi()["paths"]["/api/outer/inner/{name}"]["get"]
    assert operation["tags"] == ["middle", "deep"]


async def test_a_mounted_application_sees_its_own_paths() -> None:
    async def mounted(scope: Any, receive: Any, send: Any) -> None:
        said = f"{scope['root_path']} {scope['path']}".encode()
        await send({"type": "http.response.start", "status": 203, "headers": []})
        await send({"type": "http.response.body", "body": said, "more_body": True})
        await send({"type": "http.response.body", "body": b"!"})

    app = App()
    app.mount("/other", mounted)
    answer = await get(app, "/other/a/b")
    assert (answer.status_code, answer.text) == (203, "/other /other/a/b!")

    @app.middleware("http")
    async def mark(request: Request, call_next: Any) -> Response:
        response: Response = await call_next(request)
        response.headers["x-mark"] = "1"
        return response

    answer = await get(app, "/other/a/b")
    assert (answer.status_code, answer.text, answer.headers["x-mark"]) == (
        203,
        "/other /other/a/b!",
        "1",
    )


async def test_a_mounted_application_that_fails_before_its_answer_is_a_500() -> None:
    async def mounted(scope: Any, receive: Any, send: Any) -> None:
        raise ValueError("broken")

    app = App()

    @app.middleware("http")
    async def through(request: Request, call_next: Any) -> Response:
        response: Response = await call_next(request)
        return response

    app.mount("/x", mounted)
    assert (await get(app, "/x/")).status_code == 500


async def test_the_middleware_declared_last_is_the_outermost() -> None:
    app, seen = App(), []

    def declare(name: str) -> None:
        @app.middleware("http")
        async def around(request: Request, call_next: Any) -> Response:
            seen.append(f"{name} in")
            response: Response = await call_next(request)
            seen.append(f"{name} out")
            return response

    declare("one")
    declare("two")

    @app.get("/")
    async def handler() -> None:
        raise HTTPException(402)

    assert (await get(app, "/")).json() == {"detail": "Payment Required"}
    assert seen == ["two in", "one in", "one out", "two out"]


async def test_asgi_middleware_is_around_all() -> None:
    class Shout:
        def __init__(self, app: Any, mark: bytes) -> None:
            self.app, self.mark = app, mark

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            async def louder(message: Any) -> None:
                if message["type"] == "http.response.body":
                    message = {**message, "body": message["body"] + self.mark}
                elif message["type"] == "http.response.start":
                    headers = [each for each in message["headers"] if each[0] != b"content-length"]
                    message = {**message, "headers": headers}
                await send(message)

            await self.app(scope, receive, louder)

    app = App()

    @app.get("/", response_class=HTMLResponse)
    async def handler() -> str:
        return "hi"

    app.add_middleware(Shout, mark=b"!")
    answer = await get(app, "/")
    assert (answer.text, answer.headers["content-type"]) == ("hi!", "text/html; charset=utf-8")


async def test_exception_handlers_by_class_and_by_status() -> None:
    app = App()

    class Sold(LookupError): ...

    @app.exception_handler(LookupError)
    async def gone(request: Request, error: LookupError) -> Response:
        return JSONResponse({"gone": str(error)}, 410)

    @app.exception_handler(404)
    def missing(request: Request, error: HTTPException) -> Response:
        return JSONResponse({"no": request.url}, 404)

    @app.exception_handler(RequestValidationError)
    async def wrong(request: Request, error: RequestValidationError) -> Response:
        return JSONResponse([each["loc"] for each in error.errors()], 400)

    @app.get("/sold/{n}")
    async def sold(n: int) -> None:
        raise Sold(n)

    assert (await get(app, "/sold/3")).json() == {"gone": "3"}
    assert (await get(app, "/sold/x")).json() == [["path", "n"]]
    assert (await get(app, "/none?a=b")).json() == {"no": "http://here/none?a=b"}


async def test_what_nobody_handles_is_a_500_and_reaches_the_server() -> None:
    app = App()

    @app.get("/")
    async def handler() -> None:
        raise ValueError("secret")

    answer = await get(app, "/")
    assert (answer.status_code, answer.text) == (500, "Internal Server Error")


async def test_responses_are_taken_as_they_are() -> None:
    app = App()

    @app.get("/to")
    async def to() -> Response:
        return RedirectResponse("/über?a=b c", 303)

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        async def pieces() -> AsyncIterator[str]:
            yield "ä"
            yield "b"

        return StreamingResponse(pieces(), media_type="text/plain")

    @app.get("/threads")
    def threads() -> StreamingResponse:
        return StreamingResponse((str(number) for number in range(3)), 201)

    @app.get("/cookie")
    async def cookie(response: Response) -> dict[str, int]:
        response.status_code = 202
        response.set_cookie("a", "b c", max_age=5, secure=True)
        response.headers["x-one"] = "1"
        return {"n": 1}

    answer = await get(app, "/to")
    assert (answer.status_code, answer.headers["location"]) == (303, "/%C3%BCber?a=b%20c")
    assert (await get(app, "/stream")).text == "äb"
    answer = await get(app, "/threads")
    assert (answer.status_code, answer.text) == (201, "012")
    answer = await get(app, "/cookie")
    assert (answer.status_code, answer.json(), answer.headers["x-one"]) == (202, {"n": 1}, "1")
    assert answer.headers["set-cookie"] == 'a="b c"; Max-Age=5; Path=/; SameSite=lax; Secure'


async def test_background_work_follows_the_response() -> None:
    app, seen = App(), []

    @app.post("/")
    async def handler(tasks: BackgroundTasks) -> str:
        async def later(word: str) -> None:
            seen.append(word)

        tasks.add_task(later, "one")
        tasks.add_task(seen.append, "two")
        seen.append("handler")
        return "ok"

    assert (await request(app, "POST", "/")).json() == "ok"
    assert seen == ["handler", "one", "two"]


async def test_the_lifespan_is_around_all_and_gives_every_request_its_state() -> None:
    seen: list[str] = []

    @asynccontextmanager
    async def lifespan(app: App) -> AsyncIterator[dict[str, Any]]:
        seen.append("up")
        yield {"greeting": "hi"}
        seen.append("down")

    app = App(lifespan=lifespan)
    state: dict[str, Any] = {}
    living = Conversation(app, {"type": "lifespan", "state": state})
    living.tell("lifespan.startup")
    assert (await living.hear())["type"] == "lifespan.startup.complete"
    assert (seen, state) == (["up"], {"greeting": "hi"})
    living.tell("lifespan.shutdown")
    assert (await living.hear())["type"] == "lifespan.shutdown.complete"
    assert seen == ["up", "down"]


async def test_a_route_that_cannot_work_fails_the_startup() -> None:
    app = App()

    @app.get("/{a}{b}")
    async def handler(a: str, b: str) -> None: ...

    living = Conversation(app, {"type": "lifespan", "state": {}})
    living.tell("lifespan.startup")
    message = await living.hear()
    assert message["type"] == "lifespan.startup.failed"
    assert "two parameters with nothing between them" in message["message"]
    with pytest.raises(WebError):
        await living.task


@pytest.mark.parametrize("status", [0, 100, 103, 199, 1000])
def test_a_route_has_a_status_that_ends_a_request(status: int) -> None:
    app = App()
    with pytest.raises(WebError, match=f"/hints: .* from 200 to 999, not {status}"):
        app.get("/hints", status_code=status)(lambda: None)


@pytest.mark.parametrize(
    ("path", "root"), [("/apiary", "/api"), ("/api/apiary", "/api"), ("/%C3%BC/apiary", "/ü")]
)
async def test_a_root_path_is_whole_segments(path: str, root: str) -> None:
    app = App()

    @app.get("/apiary")
    async def apiary() -> str:
        return "bees"

    scope = {**scope_of("GET", path), "root_path": root}
    assert (await ask(app, scope)).body == b'"bees"'


async def test_an_application_beneath_a_name_that_is_encoded() -> None:
    app, inner = App(), App()

    @inner.get("/x")
    async def handler() -> str:
        return "inner"

    app.mount("/my files", inner)
    assert (await ask(app, scope_of("GET", "/my%20files/x"))).body == b'"inner"'


def test_overrides_are_replaced_as_a_whole() -> None:
    app = App()
    overrides = app.dependency_overrides
    overrides[len] = id
    app.dependency_overrides = {}
    assert app.dependency_overrides is overrides
    assert not overrides


async def test_json_that_is_nested_too_deeply_is_none() -> None:
    app = App()

    @app.post("/")
    async def handler(request: Request) -> str:
        try:
            await request.json()
        except ValueError as error:
            return str(error)
        return "read"

    answer = await ask(app, scope_of("POST", "/"), [b"[" * 200_000])
    assert answer.body == b'"the body is JSON that is nested too deeply"'


def test_a_query_of_many_names_is_looked_at_once() -> None:
    query = "&".join(f"k{number}=1" for number in range(20_000))
    params = Request({"query_string": query.encode(), "headers": []}, None).query_params  # type: ignore[arg-type]
    assert len(dict(params)) == 20_000
