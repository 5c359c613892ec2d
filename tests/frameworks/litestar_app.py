"""The contract of `test_frameworks.py` in Litestar."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator
from typing import Annotated, Any

from litestar import Litestar, MediaType, Request, Response, WebSocket, get, head, post, websocket
from litestar.background_tasks import BackgroundTask
from litestar.datastructures import Cookie, UploadFile
from litestar.enums import RequestEncodingType
from litestar.params import Body
from litestar.response import Stream


@contextlib.asynccontextmanager
async def lifespan(app: Litestar) -> AsyncIterator[None]:
    app.state.started = True
    app.state.worked = asyncio.Event()
    app.state.left = asyncio.Event()
    yield
    print("The application has stopped", flush=True)


@get("/hello/{name:str}", media_type=MediaType.TEXT)
async def hello(name: str) -> str:
    return f"Hello, {name}!"


@head("/hello/{name:str}")
async def hello_head(name: str) -> None:
    """Answer a HEAD, for which Litestar wants a handler of its own."""


@post("/form", media_type=MediaType.TEXT, status_code=200)
async def form(
    data: Annotated[dict[str, str], Body(media_type=RequestEncodingType.URL_ENCODED)],
) -> str:
    return data["name"]


@post("/upload", status_code=200)
async def upload(
    data: Annotated[dict[str, UploadFile], Body(media_type=RequestEncodingType.MULTI_PART)],
) -> dict[str, Any]:
    file = data["file"]
    content = await file.read()
    digest = hashlib.sha256(content).hexdigest()
    return {"name": file.filename, "size": len(content), "sha256": digest}


@get("/stream/{count:int}")
async def stream(count: int) -> Stream:
    async def lines() -> AsyncIterator[str]:
        for number in range(count):
            yield f"{number}\n"
            await asyncio.sleep(0)

    return Stream(lines(), media_type=MediaType.TEXT)


@get("/endless")
async def endless(request: Request) -> Stream:
    async def ticks() -> AsyncIterator[str]:
        request.app.state.left.clear()
        try:
            while True:
                yield "tick\n"
                await asyncio.sleep(0.01)
        finally:
            request.app.state.left.set()

    return Stream(ticks(), media_type=MediaType.TEXT)


@get("/left", media_type=MediaType.TEXT)
async def left(request: Request) -> str:
    await request.app.state.left.wait()
    return "left"


@websocket("/echo")
async def echo(socket: WebSocket) -> None:
    await socket.accept()
    while (message := await socket.receive())["type"] == "websocket.receive":
        if message.get("text") == "leave":
            await socket.close(code=4001, reason="as you wish")
            return
        if message.get("text") is not None:
            await socket.send_text(message["text"])
        else:
            await socket.send_bytes(message["bytes"])


@get("/started", media_type=MediaType.TEXT)
async def started(request: Request) -> str:
    return "started" if request.app.state.started else "not started"


@post("/background", media_type=MediaType.TEXT, status_code=200)
async def background(request: Request) -> Response[str]:
    async def work() -> None:
        await asyncio.sleep(0)
        request.app.state.worked.set()

    return Response("accepted", background=BackgroundTask(work))


@get("/background-done", media_type=MediaType.TEXT)
async def background_done(request: Request) -> str:
    await request.app.state.worked.wait()
    return "done"


@get("/fail")
async def fail() -> None:
    raise RuntimeError("a fault of the application")


@get("/cookies", media_type=MediaType.TEXT)
async def cookies(request: Request) -> Response[str]:
    visits = int(request.cookies.get("visits", "0")) + 1
    chosen = [Cookie(key="visits", value=str(visits)), Cookie(key="theme", value="dark")]
    return Response(str(visits), cookies=chosen)


@get("/loop", media_type=MediaType.TEXT)
async def loop() -> str:
    return type(asyncio.get_running_loop()).__module__


app = Litestar(
    [
        hello,
        hello_head,
        form,
        upload,
        stream,
        endless,
        left,
        echo,
        started,
        background,
        background_done,
        fail,
        cookies,
        loop,
    ],
    lifespan=[lifespan],
)
