"""The contract of `test_frameworks.py` in BlackSheep."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from typing import Any

from blacksheep import (
    Application,
    Cookie,
    Request,
    Response,
    StreamedContent,
    WebSocket,
    WebSocketDisconnectError,
    json,
    text,
)

app = Application()


class Marks:
    """What has happened so far."""

    def __init__(self) -> None:
        self.started = False
        self.worked = asyncio.Event()
        self.left = asyncio.Event()
        self.tasks: set[asyncio.Task[None]] = set()


marks = Marks()


@app.on_start
async def start(app: Application) -> None:
    marks.started = True


@app.on_stop
async def stop(app: Application) -> None:
    print("The application has stopped", flush=True)


@app.router.route("/hello/{name}", methods=["GET", "HEAD"])
async def hello(name: str) -> Response:
    return text(f"Hello, {name}!")


@app.router.post("/form")
async def form(request: Request) -> Response:
    fields: Any = await request.form()
    return text(fields["name"])


@app.router.post("/upload")
async def upload(request: Request) -> Response:
    (part,) = await request.files("file")
    digest = hashlib.sha256(part.data).hexdigest()
    assert part.file_name is not None
    return json({"name": part.file_name.decode(), "size": len(part.data), "sha256": digest})


@app.router.get("/stream/{count}")
async def stream(count: int) -> Response:
    async def lines() -> AsyncIterator[bytes]:
        for number in range(count):
            yield f"{number}\n".encode()
            await asyncio.sleep(0)

    return Response(200, content=StreamedContent(b"text/plain", lines))


@app.router.get("/endless")
async def endless() -> Response:
    async def ticks() -> AsyncIterator[bytes]:
        marks.left.clear()
        try:
            while True:
                yield b"tick\n"
                await asyncio.sleep(0.01)
        finally:
            marks.left.set()

    return Response(200, content=StreamedContent(b"text/plain", ticks))


@app.router.get("/left")
async def left() -> Response:
    await marks.left.wait()
    return text("left")


@app.router.ws("/echo")
async def echo(socket: WebSocket) -> None:
    await socket.accept()
    try:
        while True:
            message = await socket.receive()
            if message.get("text") == "leave":
                return await socket.close(4001, "as you wish")
            if message.get("text") is not None:
                await socket.send_text(message["text"])
            else:
                await socket.send_bytes(message["bytes"])
    except WebSocketDisconnectError:
        return None


@app.router.get("/started")
async def started() -> Response:
    return text("started" if marks.started else "not started")


@app.router.post("/background")
async def background() -> Response:
    async def work() -> None:
        await asyncio.sleep(0)
        marks.worked.set()

    # BlackSheep leaves background work to asyncio's tasks.
    marks.tasks.add(task := asyncio.create_task(work()))
    task.add_done_callback(marks.tasks.discard)
    return text("accepted")


@app.router.get("/background-done")
async def background_done() -> Response:
    await marks.worked.wait()
    return text("done")


@app.router.get("/fail")
async def fail() -> Response:
    raise RuntimeError("a fault of the application")


@app.router.get("/cookies")
async def cookies(request: Request) -> Response:
    visits = int(request.get_cookie("visits") or "0") + 1
    response = text(str(visits))
    response.set_cookies([Cookie("visits", str(visits)), Cookie("theme", "dark")])
    return response


@app.router.get("/loop")
async def loop() -> Response:
    return text(type(asyncio.get_running_loop()).__module__)
