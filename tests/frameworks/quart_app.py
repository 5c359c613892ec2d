"""The contract of `test_frameworks.py` in Quart."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from typing import Any

from quart import Quart, Response, request, websocket

app = Quart(__name__)
TEXT = {"Content-Type": "text/plain; charset=utf-8"}


@app.before_serving
async def start() -> None:
    app.worked = asyncio.Event()
    app.left = asyncio.Event()
    app.started = True


@app.after_serving
async def stop() -> None:
    print("The application has stopped", flush=True)


@app.get("/hello/<name>")
async def hello(name: str) -> Any:
    return f"Hello, {name}!", TEXT


@app.post("/form")
async def form() -> Any:
    return (await request.form)["name"], TEXT


@app.post("/upload")
async def upload() -> Any:
    file = (await request.files)["file"]
    data = file.read()
    return {
        "name": file.filename,
        "size": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
    }


@app.get("/stream/<int:count>")
async def stream(count: int) -> Any:
    async def lines() -> AsyncIterator[str]:
        for number in range(count):
            yield f"{number}\n"
            await asyncio.sleep(0)

    return lines(), TEXT


@app.get("/endless")
async def endless() -> Any:
    async def ticks() -> AsyncIterator[str]:
        app.left.clear()
        try:
            while True:
                yield "tick\n"
                await asyncio.sleep(0.01)
        finally:
            app.left.set()

    return ticks(), TEXT


@app.get("/left")
async def left() -> Any:
    await app.left.wait()
    return "left", TEXT


@app.websocket("/echo")
async def echo() -> None:
    while True:
        message = await websocket.receive()
        if message == "leave":
            await websocket.close(4001, "as you wish")
            return
        await websocket.send(message)


@app.get("/started")
async def started() -> Any:
    return "started" if app.started else "not started", TEXT


@app.post("/background")
async def background() -> Any:
    async def work() -> None:
        await asyncio.sleep(0)
        app.worked.set()

    app.add_background_task(work)
    return "accepted", TEXT


@app.get("/background-done")
async def background_done() -> Any:
    await app.worked.wait()
    return "done", TEXT


@app.get("/fail")
async def fail() -> Any:
    raise RuntimeError("a fault of the application")


@app.get("/cookies")
async def cookies() -> Any:
    visits = int(request.cookies.get("visits", "0")) + 1
    response = Response(str(visits), headers=TEXT)
    response.set_cookie("visits", str(visits))
    response.set_cookie("theme", "dark")
    return response


@app.get("/loop")
async def loop() -> Any:
    return type(asyncio.get_running_loop()).__module__, TEXT
