"""The contract of `test_frameworks.py` in Nexios."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator
from typing import Any

from nexios import NexiosApp
from nexios.http import Request, Response
from nexios.websockets import WebSocket

_events: dict[str, asyncio.Event] = {}


@contextlib.asynccontextmanager
async def lifespan(app: NexiosApp) -> AsyncIterator[dict[str, Any]]:
    _events.update(started=asyncio.Event(), worked=asyncio.Event(), left=asyncio.Event())
    _events["started"].set()
    yield {}
    print("The application has stopped", flush=True)


app = NexiosApp(lifespan=lifespan)


@app.route("/hello/{name}", methods=["GET", "HEAD"])
async def hello(request: Request, response: Response, name: str) -> Any:
    return response.text(f"Hello, {name}!")


@app.post("/form")
async def form(request: Request, response: Response) -> Any:
    return response.text((await request.form)["name"])


@app.post("/upload")
async def upload(request: Request, response: Response) -> Any:
    file = (await request.files)["file"]
    data = await file.read()
    digest = hashlib.sha256(data).hexdigest()
    return response.json({"name": file.filename, "size": len(data), "sha256": digest})


@app.get("/stream/{count:int}")
async def stream(request: Request, response: Response, count: int) -> Any:
    async def lines() -> AsyncIterator[str]:
        for number in range(count):
            yield f"{number}\n"
            await asyncio.sleep(0)

    return response.stream(lines(), content_type="text/plain")


@app.get("/endless")
async def endless(request: Request, response: Response) -> Any:
    async def ticks() -> AsyncIterator[str]:
        _events["left"].clear()
        try:
            while True:
                yield "tick\n"
                await asyncio.sleep(0.01)
        finally:
            _events["left"].set()

    return response.stream(ticks(), content_type="text/plain")


@app.get("/left")
async def left(request: Request, response: Response) -> Any:
    await _events["left"].wait()
    return response.text("left")


@app.ws_route("/echo")
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


@app.get("/started")
async def started(request: Request, response: Response) -> Any:
    return response.text("started" if _events["started"].is_set() else "not started")


@app.post("/background")
async def background(request: Request, response: Response) -> Any:
    async def work() -> None:
        await asyncio.sleep(0)
        _events["worked"].set()

    # Nexios has no background tasks of its own: a task of the loop is its way.
    _running.add(task := asyncio.create_task(work()))
    task.add_done_callback(_running.discard)
    return response.text("accepted")


_running: set[asyncio.Task[None]] = set()


@app.get("/background-done")
async def background_done(request: Request, response: Response) -> Any:
    await _events["worked"].wait()
    return response.text("done")


@app.get("/fail")
async def fail(request: Request, response: Response) -> Any:
    raise RuntimeError("a fault of the application")


@app.get("/cookies")
async def cookies(request: Request, response: Response) -> Any:
    visits = int(request.cookies.get("visits", "0")) + 1
    response.text(str(visits))
    response.set_cookie("visits", str(visits), secure=False)
    return response.set_cookie("theme", "dark", secure=False)


@app.get("/loop")
async def loop(request: Request, response: Response) -> Any:
    return response.text(type(asyncio.get_running_loop()).__module__)
