"""Our own server calls handlers without ASGI between: what that must not change."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import pytest
from asgi_client import get, listening, request

import hoopsnake
from hoopsnake.web import (
    App,
    BackgroundTasks,
    Body,
    Depends,
    HTTPException,
    JSONResponse,
    Request,
    Response,
    StreamingResponse,
)


class Unreached(App):
    """Refuses what comes by ASGI, but for its lifespan."""

    async def _answer_http(self, *_: Any) -> None:
        raise AssertionError("this came by ASGI")


# Each of these says by itself how it asks.
way = None


@asynccontextmanager
async def connected(
    app: Any, **settings: Any
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    with listening() as (path, descriptor):
        config = hoopsnake.ServerConfig(bind=[f"fd:{descriptor}"], log_level="critical", **settings)
        serving = asyncio.create_task(hoopsnake.serve(app, config))
        reader, writer = await asyncio.open_unix_connection(path)
        try:
            yield reader, writer
        finally:
            writer.close()
            serving.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await serving


async def ask(app: Any, method: str, path: str, **options: Any) -> Any:
    return await request(app, method, path, served=True, **options)


async def test_handlers_are_called_without_asgi() -> None:
    app = Unreached()

    @app.get("/{number}")
    async def handler(number: int, twice: bool = False) -> int:
        return number * 2 if twice else number

    assert (await ask(app, "GET", "/4?twice=1")).json() == 8
    assert (await ask(app, "HEAD", "/4")).headers["content-length"] == "1"
    assert (await ask(app, "GET", "/x")).status_code == 422
    assert (await ask(app, "GET", "/x/y")).json() == {"detail": "Not Found"}
    refused = await ask(app, "PUT", "/4")
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")


async def test_what_is_put_around_the_routes_later_counts() -> None:
    app = App()

    @app.get("/")
    async def handler(request: Request) -> str:
        @app.middleware("http")
        async def mark(request: Request, call_next: Any) -> Response:
            response: Response = await call_next(request)
            response.headers["x-mark"] = "1"
            return response

        return "unmarked"

    @app.get("/second")
    async def second() -> str:
        return "marked"

    async with connected(app) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        assert b"x-mark" not in await reader.readuntil(b'"unmarked"')
        writer.write(b"GET /second HTTP/1.1\r\nhost: x\r\n\r\n")
        assert b"x-mark: 1" in await reader.readuntil(b'"marked"')


async def test_overrides_and_new_routes_count_at_once() -> None:
    app = App()

    async def dependency() -> str:
        return "real"

    @app.get("/")
    async def handler(value: Annotated[str, Depends(dependency)]) -> str:
        return value

    @app.get("/override")
    async def override() -> None:
        app.dependency_overrides[dependency] = lambda: "other"
        app.add_route("/new", dependency, methods=["GET"])

    async with connected(app) as (reader, writer):
        for path, expected in (
            ("/", b'"real"'),
            ("/override", b"null"),
            ("/", b'"other"'),
            ("/new", b'"real"'),
        ):
            writer.write(b"GET %b HTTP/1.1\r\nhost: x\r\n\r\n" % path.encode())
            await reader.readuntil(expected)


async def test_a_handlers_own_responses() -> None:
    app, order = Unreached(), list[str]()

    async def pieces() -> AsyncIterator[bytes]:
        yield b"a"
        await asyncio.sleep(0)
        yield b"b"

    @app.get("/streamed")
    async def streamed() -> Response:
        return StreamingResponse(pieces(), media_type="text/plain")

    @app.get("/followed")
    async def followed() -> Response:
        async def after() -> None:
            order.append("after")

        return JSONResponse({"a": 1}, 201, {"x-own": "1"}, background=after)

    @app.get("/background")
    async def background(tasks: BackgroundTasks, response: Response) -> int:
        tasks.add_task(order.append, "task")
        response.headers["x-given"] = "1"
        response.status_code = 202
        return 1

    assert (await ask(app, "GET", "/streamed")).text == "ab"
    answer = await ask(app, "GET", "/followed")
    assert (answer.status_code, answer.json(), answer.headers["x-own"]) == (201, {"a": 1}, "1")
    answer = await ask(app, "GET", "/background")
    assert (answer.status_code, answer.headers["x-given"]) == (202, "1")
    assert order == ["after", "task"]


async def test_what_follows_a_yield_comes_after_the_response() -> None:
    app, order = Unreached(), list[str]()

    async def resource() -> AsyncIterator[str]:
        try:
            yield "open"
        except ValueError:
            order.append("raised")
            raise
        finally:
            order.append("closed")

    @app.get("/")
    async def handler(value: Annotated[str, Depends(resource)], fail: bool = False) -> str:
        if fail:
            raise ValueError(value)
        return value

    assert (await ask(app, "GET", "/")).json() == "open"
    assert order == ["closed"]
    assert (await ask(app, "GET", "/?fail=1")).status_code == 500
    assert order == ["closed", "raised", "closed"]


async def test_exceptions_reach_their_handlers_with_the_request() -> None:
    app = Unreached()

    @app.exception_handler(LookupError)
    async def answer(request: Request, error: LookupError) -> Response:
        body = (await request.body()).decode()
        return JSONResponse([request.path_params, str(error), body], 418)

    @app.exception_handler(ZeroDivisionError)
    async def worse(request: Request, error: ZeroDivisionError) -> Response:
        raise OSError("worse")

    @app.post("/{name}")
    async def handler(name: str, item: Annotated[dict[str, int], Body()]) -> int:
        if name == "refused":
            raise HTTPException(403, {"why": name}, {"x-why": "1"})
        if name == "zero":
            return 1 // 0
        raise KeyError(name)

    answered = await ask(app, "POST", "/tea", json={"a": 1})
    assert (answered.status_code, answered.json()) == (418, [{"name": "tea"}, "'tea'", '{"a":1}'])
    refused = await ask(app, "POST", "/refused", json={})
    assert (refused.status_code, refused.json()) == (403, {"detail": {"why": "refused"}})
    assert refused.headers["x-why"] == "1"
    assert (await ask(app, "POST", "/zero", json={})).status_code == 500


async def test_what_cannot_be_written_is_a_500_and_told_to_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = Unreached()

    @app.get("/")
    async def handler() -> Any:
        return object()

    assert (await ask(app, "GET", "/", log_level="error")).status_code == 500
    assert "cannot be written as JSON" in caplog.text


async def test_a_body_in_pieces_is_waited_for() -> None:
    app = Unreached()

    @app.post("/")
    async def handler(item: Annotated[dict[str, int], Body()]) -> int:
        return sum(item.values())

    async with connected(app) as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 16\r\n\r\n")
        for piece in (b'{"a":', b"1,", b'"b": 41', b" }"):
            await asyncio.sleep(0)
            writer.write(piece)
            await writer.drain()
        await reader.readuntil(b"42")


async def test_a_client_that_leaves_in_its_body_calls_nobody() -> None:
    app, called = Unreached(), list[str]()

    @app.post("/")
    async def handler(item: Annotated[dict[str, int], Body()]) -> None:
        called.append("handler")

    @app.get("/")
    async def other() -> int:
        return 1

    async with connected(app) as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 16\r\n\r\n{")
        writer.write_eof()
        assert b" 200 " not in await reader.read()
    assert called == []


async def test_a_handler_is_cancelled_when_its_client_leaves() -> None:
    app = Unreached()
    entered, cancelled = asyncio.Event(), asyncio.Event()

    @app.get("/")
    async def handler() -> None:
        entered.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    async with connected(app) as (_, writer):
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        await entered.wait()
        writer.transport.abort()
        await cancelled.wait()


@pytest.mark.parametrize("cancels", [True, False])
async def test_a_client_that_ends_its_side_is_one_that_leaves(cancels: bool) -> None:
    app = Unreached()
    entered, may_answer, ended = asyncio.Event(), asyncio.Event(), list[str]()

    @app.get("/", cancel_on_disconnect=cancels)
    async def handler() -> str:
        entered.set()
        try:
            await may_answer.wait()
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise
        return "answered"

    async with connected(app) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        await entered.wait()
        writer.write_eof()
        if cancels:
            assert b" 200 " not in await reader.read()
            assert ended == ["cancelled"]
        else:
            may_answer.set()
            assert b'"answered"' in await reader.read()
            assert ended == []


async def test_the_task_is_a_handlers_own() -> None:
    app = Unreached()

    @app.get("/")
    async def handler() -> str:
        async with asyncio.timeout(5), asyncio.TaskGroup() as group:
            first = group.create_task(asyncio.sleep(0, "a"))
        return first.result()

    assert (await ask(app, "GET", "/")).json() == "a"


async def test_an_application_of_ones_own_class_is_called_by_asgi() -> None:
    class Marked(App):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http":
                scope["path"] = scope["raw_path"] = "/elsewhere"
                scope["raw_path"] = b"/elsewhere"
            await super().__call__(scope, receive, send)

    app = Marked()

    @app.get("/elsewhere")
    async def handler() -> str:
        return "there"

    assert (await ask(app, "GET", "/")).json() == "there"
    assert (await get(app, "/")).json() == "there"


@pytest.mark.parametrize("served", [True, False])
async def test_background_tasks_come_after_what_follows_a_yield(served: bool) -> None:
    app, order = App(), list[str]()

    async def resource() -> AsyncIterator[None]:
        yield
        order.append("closed")

    @app.get("/", dependencies=[Depends(resource)])
    async def handler(tasks: BackgroundTasks) -> None:
        tasks.add_task(order.append, "background")

    assert (await request(app, "GET", "/", served=served)).status_code == 200
    assert order == ["closed", "background"]


async def test_dependencies_see_that_the_client_has_left() -> None:
    app, entered, left = Unreached(), asyncio.Event(), asyncio.Event()

    async def resource() -> AsyncIterator[None]:
        try:
            yield
        except hoopsnake.ClientDisconnected:
            left.set()
            raise

    @app.get("/", dependencies=[Depends(resource)])
    async def handler() -> None:
        entered.set()
        await asyncio.Event().wait()

    async with connected(app) as (_, writer):
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        await entered.wait()
        writer.transport.abort()
        await asyncio.wait_for(left.wait(), 5)


@pytest.mark.parametrize("by_asgi", [True, False])
@pytest.mark.parametrize("with_request", [True, False])
async def test_a_stream_that_waits_ends_when_its_client_leaves(
    by_asgi: bool, with_request: bool
) -> None:
    app, ended = App(), asyncio.Event()

    async def pieces() -> AsyncIterator[bytes]:
        try:
            yield b"first"
            await asyncio.Event().wait()
        finally:
            ended.set()

    @app.get("/")
    async def handler() -> Response:
        return StreamingResponse(pieces())

    @app.get("/request")
    async def asking(request: Request) -> Response:
        return StreamingResponse(pieces())

    if by_asgi:

        @app.middleware("http")
        async def around(request: Request, following: Any) -> Response:
            return await following(request)

    async with connected(app) as (reader, writer):
        path = b"/request" if with_request else b"/"
        writer.write(b"GET " + path + b" HTTP/1.1\r\nhost: x\r\n\r\n")
        await reader.readuntil(b"first")
        assert not ended.is_set()
        writer.transport.abort()
        await asyncio.wait_for(ended.wait(), 5)
