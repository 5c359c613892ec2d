"""The contract of `test_frameworks.py` in FastAPI."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import BackgroundTasks, Cookie, FastAPI, Form, Request, Response, UploadFile, WebSocket
from fastapi.responses import JSONResponse, PlainTextResponse, StreamingResponse


@contextlib.asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
    app.state.left = asyncio.Event()
    yield {"started": True, "worked": asyncio.Event()}
    print("The application has stopped", flush=True)


app = FastAPI(lifespan=lifespan, default_response_class=PlainTextResponse)


@app.api_route("/hello/{name}", methods=["GET", "HEAD"])
async def hello(name: str) -> str:
    return f"Hello, {name}!"


@app.post("/form")
async def form(name: Annotated[str, Form()]) -> str:
    return name


@app.post("/upload", response_class=JSONResponse)
async def upload(file: UploadFile) -> dict[str, Any]:
    data = await file.read()
    return {
        "name": file.filename,
        "size": file.size,
        "sha256": hashlib.sha256(data).hexdigest(),
    }


@app.get("/stream/{count}")
async def stream(count: int) -> StreamingResponse:
    async def lines() -> AsyncIterator[str]:
        for number in range(count):
            yield f"{number}\n"
            await asyncio.sleep(0)

    return StreamingResponse(lines(), media_type="text/plain")


@app.get("/endless")
async def endless() -> StreamingResponse:
    async def ticks() -> AsyncIterator[str]:
        app.state.left.clear()
        try:
            while True:
                yield "tick\n"
                await asyncio.sleep(0.01)
        finally:
            app.state.left.set()

    return StreamingResponse(ticks(), media_type="text/plain")


@app.get("/left")
async def left() -> str:
    await app.state.left.wait()
    return "left"


@app.websocket("/echo")
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
async def started(request: Request) -> str:
    return "started" if request.state.started else "not started"


@app.post("/background")
async def background(request: Request, tasks: BackgroundTasks) -> str:
    # A plain function, which Starlette runs in a thread; the event is the loop's.
    running = asyncio.get_running_loop()
    tasks.add_task(running.call_soon_threadsafe, request.state.worked.set)
    return "accepted"


@app.get("/background-done")
async def background_done(request: Request) -> str:
    await request.state.worked.wait()
    return "done"


@app.get("/fail")
async def fail() -> None:
    raise RuntimeError("a fault of the application")


@app.get("/cookies")
async def cookies(response: Response, visits: Annotated[int, Cookie()] = 0) -> str:
    response.set_cookie("visits", str(visits + 1))
    response.set_cookie("theme", "dark")
    return str(visits + 1)


@app.get("/loop")
async def loop() -> str:
    return type(asyncio.get_running_loop()).__module__
