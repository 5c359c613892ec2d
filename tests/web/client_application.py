"""What the clients for tests ask: an application that tells what it was sent, and may fail."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from hoopsnake.web import (
    App,
    BackgroundTasks,
    RedirectResponse,
    Request,
    Response,
    StreamingResponse,
    WebSocket,
    WebSocketDisconnect,
)

events: list[str] = []
"""What has happened in the application."""


@asynccontextmanager
async def _lifespan(app: App) -> AsyncIterator[dict[str, Any]]:
    events.append("startup")
    yield {"made": "made at startup", "go_on": asyncio.Event(), "ended": asyncio.Event()}
    events.append("shutdown")


def make_application() -> App:
    """Make it."""
    app = App(lifespan=_lifespan)
    for add in (_add_echo, _add_leading, _add_failing, _add_streams, _add_websockets):
        add(app)
    return app


def _add_echo(app: App) -> None:
    methods = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

    @app.route("/echo", methods=methods)
    async def echo(request: Request) -> dict[str, Any]:
        return {
            "method": request.method,
            "path": request.scope["path"],
            "query": request.scope["query_string"].decode(),
            "headers": dict(request.headers),
            "body": (await request.body()).decode(),
        }

    @app.get("/empty", status_code=204)
    async def empty() -> None:
        return

    @app.get("/state")
    async def state(request: Request) -> str:
        return str(request.state.made)

    @app.get("/cookie")
    async def cookie(name: str, value: str, response: Response) -> None:
        response.set_cookie(name, value)

    @app.get("/zipped")
    async def zipped() -> Response:
        return Response(gzip.compress(b"tea " * 1000), headers={"content-encoding": "gzip"})


def _add_leading(app: App) -> None:
    @app.route("/leads", methods=("GET", "POST"))
    async def leads(status: int) -> Response:
        return RedirectResponse("/echo", status)

    @app.get("/circle")
    async def circle() -> Response:
        return RedirectResponse("/circle")


def _add_failing(app: App) -> None:
    @app.get("/fails")
    async def fails() -> None:
        raise ZeroDivisionError("/fails")

    @app.get("/fails-late")
    async def fails_late() -> None:
        await asyncio.sleep(0.01)
        raise ZeroDivisionError("/fails-late")

    @app.get("/fails-in-the-background")
    async def fails_in_the_background(tasks: BackgroundTasks) -> None:
        async def fail() -> None:
            raise ZeroDivisionError("/fails-in-the-background")

        tasks.add_task(fail)

    @app.get("/works-on")
    async def works_on(tasks: BackgroundTasks) -> None:
        async def work() -> None:
            await asyncio.sleep(0.05)
            events.append("worked on")

        tasks.add_task(work)


def _add_streams(app: App) -> None:
    @app.get("/lines")
    async def lines(request: Request) -> StreamingResponse:
        async def pieces() -> AsyncIterator[str]:
            yield "first\n"
            await request.state.go_on.wait()
            yield "second ü"

        return StreamingResponse(pieces(), media_type="text/plain")

    @app.get("/go-on")
    async def go_on(request: Request) -> None:
        request.state.go_on.set()

    @app.get("/endless")
    async def endless(request: Request) -> StreamingResponse:
        async def pieces() -> AsyncIterator[bytes]:
            try:
                while True:
                    yield b"x" * 1000
                    await asyncio.sleep(0.001)
            finally:
                request.state.ended.set()

        return StreamingResponse(pieces())

    @app.get("/ended")
    async def ended(request: Request) -> Response:
        await request.state.ended.wait()
        return Response("yes")


def _add_websockets(app: App) -> None:
    @app.websocket("/mirror")
    async def mirror(websocket: WebSocket) -> None:
        offered = websocket.scope["subprotocols"]
        await websocket.accept(offered[-1] if offered else None)
        try:
            while (message := await websocket.receive()) != "close":
                if isinstance(message, str):
                    await websocket.send_text(message)
                else:
                    await websocket.send_bytes(message)
            await websocket.close(4000, "as you like")
        except WebSocketDisconnect as left:
            events.append(f"left {left.code} {left.reason}".rstrip())

    @app.websocket("/refused")
    async def refused(websocket: WebSocket) -> None:
        await websocket.close()

    @app.websocket("/fails")
    async def fails(websocket: WebSocket) -> None:
        await websocket.accept()
        raise KeyError("in a websocket")
