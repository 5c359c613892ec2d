"""The contract of `test_frameworks.py` in Starlette."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket


@contextlib.asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    app.state.started = True
    app.state.worked = asyncio.Event()
    app.state.left = asyncio.Event()
    yield
    print("The application has stopped", flush=True)


async def hello(request: Request) -> Response:
    return PlainTextResponse(f"Hello, {request.path_params['name']}!")


async def form(request: Request) -> Response:
    async with request.form() as fields:
        return PlainTextResponse(str(fields["name"]))


async def upload(request: Request) -> Response:
    async with request.form() as fields:
        file = fields["file"]
        assert not isinstance(file, str)
        data = await file.read()
        digest = hashlib.sha256(data).hexdigest()
        return JSONResponse({"name": file.filename, "size": len(data), "sha256": digest})


async def stream(request: Request) -> Response:
    async def lines() -> AsyncIterator[str]:
        for number in range(request.path_params["count"]):
            yield f"{number}\n"
            await asyncio.sleep(0)

    return StreamingResponse(lines(), media_type="text/plain")


async def endless(request: Request) -> Response:
    async def ticks() -> AsyncIterator[str]:
        request.app.state.left.clear()
        try:
            while True:
                yield "tick\n"
                await asyncio.sleep(0.01)
        finally:
            request.app.state.left.set()

    return StreamingResponse(ticks(), media_type="text/plain")


async def left(request: Request) -> Response:
    await request.app.state.left.wait()
    return PlainTextResponse("left")


async def echo(socket: WebSocket) -> None:
    await socket.accept()
    while (message := await socket.receive())["type"] == "websocket.receive":
        if message.get("text") == "leave":
            await socket.close(4001, "as you wish")
            return
        if message.get("text") is not None:
            await socket.send_text(message["text"])
        else:
            await socket.send_bytes(message["bytes"])


async def started(request: Request) -> Response:
    return PlainTextResponse("started" if request.app.state.started else "not started")


async def background(request: Request) -> Response:
    async def work() -> None:
        await asyncio.sleep(0)
        request.app.state.worked.set()

    return PlainTextResponse("accepted", background=BackgroundTask(work))


async def background_done(request: Request) -> Response:
    await request.app.state.worked.wait()
    return PlainTextResponse("done")


async def fail(request: Request) -> Response:
    raise RuntimeError("a fault of the application")


async def cookies(request: Request) -> Response:
    visits = int(request.cookies.get("visits", "0")) + 1
    response = PlainTextResponse(str(visits))
    response.set_cookie("visits", str(visits))
    response.set_cookie("theme", "dark")
    return response


async def loop(request: Request) -> Response:
    return PlainTextResponse(type(asyncio.get_running_loop()).__module__)


app = Starlette(
    routes=[
        Route("/hello/{name}", hello),
        Route("/form", form, methods=["POST"]),
        Route("/upload", upload, methods=["POST"]),
        Route("/stream/{count:int}", stream),
        Route("/endless", endless),
        Route("/left", left),
        WebSocketRoute("/echo", echo),
        Route("/started", started),
        Route("/background", background, methods=["POST"]),
        Route("/background-done", background_done),
        Route("/fail", fail),
        Route("/cookies", cookies),
        Route("/loop", loop),
    ],
    lifespan=lifespan,
)
