"""The contract of `test_frameworks.py` in Falcon, as ASGI."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from typing import Any

import falcon
import falcon.asgi
import falcon.media


class Marks:
    """What has happened so far; Falcon calls it at start and end."""

    def __init__(self) -> None:
        self.started = False
        self.worked = asyncio.Event()
        self.left = asyncio.Event()

    async def process_startup(self, scope: dict[str, Any], event: dict[str, Any]) -> None:
        self.started = True

    async def process_shutdown(self, scope: dict[str, Any], event: dict[str, Any]) -> None:
        print("The application has stopped", flush=True)


marks = Marks()


class Hello:
    async def on_get(self, request: Any, response: Any, name: str) -> None:
        response.text = f"Hello, {name}!"

    on_head = on_get


class Form:
    async def on_post(self, request: Any, response: Any) -> None:
        response.text = (await request.get_media())["name"]


class Upload:
    async def on_post(self, request: Any, response: Any) -> None:
        async for part in await request.get_media():
            digest, size = hashlib.sha256(), 0
            async for piece in part.stream:
                digest.update(piece)
                size += len(piece)
            response.content_type = falcon.MEDIA_JSON
            response.media = {"name": part.filename, "size": size, "sha256": digest.hexdigest()}


class Stream:
    async def on_get(self, request: Any, response: Any, count: int) -> None:
        async def lines() -> AsyncIterator[bytes]:
            for number in range(count):
                yield f"{number}\n".encode()
                await asyncio.sleep(0)

        response.content_type = "text/plain"
        response.stream = lines()


class Endless:
    async def on_get(self, request: Any, response: Any) -> None:
        async def ticks() -> AsyncIterator[bytes]:
            marks.left.clear()
            try:
                while True:
                    yield b"tick\n"
                    await asyncio.sleep(0.01)
            finally:
                marks.left.set()

        response.content_type = "text/plain"
        response.stream = ticks()


class Left:
    async def on_get(self, request: Any, response: Any) -> None:
        await marks.left.wait()
        response.text = "left"


class Echo:
    async def on_websocket(self, request: Any, socket: Any) -> None:
        await socket.accept()
        try:
            while (message := await socket.receive_media()) != "leave":
                if isinstance(message, str):
                    await socket.send_text(message)
                else:
                    await socket.send_data(message)
            await socket.close(4001, "as you wish")
        except falcon.WebSocketDisconnected:
            pass


class Unchanged(falcon.media.TextBaseHandlerWS, falcon.media.BinaryBaseHandlerWS):
    """Lets `receive_media` return a message as it is, of either kind."""

    def serialize(self, media: Any) -> Any:
        return media

    def deserialize(self, payload: Any) -> Any:
        return payload


class Started:
    async def on_get(self, request: Any, response: Any) -> None:
        response.text = "started" if marks.started else "not started"


class Background:
    async def on_post(self, request: Any, response: Any) -> None:
        async def work() -> None:
            await asyncio.sleep(0)
            marks.worked.set()

        response.schedule(work)
        response.text = "accepted"


class BackgroundDone:
    async def on_get(self, request: Any, response: Any) -> None:
        await marks.worked.wait()
        response.text = "done"


class Fail:
    async def on_get(self, request: Any, response: Any) -> None:
        raise RuntimeError("a fault of the application")


class Cookies:
    async def on_get(self, request: Any, response: Any) -> None:
        visits = int(request.cookies.get("visits", "0")) + 1
        response.set_cookie("visits", str(visits), secure=False)
        response.set_cookie("theme", "dark", secure=False)
        response.text = str(visits)


class Loop:
    async def on_get(self, request: Any, response: Any) -> None:
        response.text = type(asyncio.get_running_loop()).__module__


app: Any = falcon.asgi.App(media_type=falcon.MEDIA_TEXT, middleware=[marks])
app.ws_options.media_handlers[falcon.WebSocketPayloadType.TEXT] = Unchanged()
app.ws_options.media_handlers[falcon.WebSocketPayloadType.BINARY] = Unchanged()
app.add_route("/hello/{name}", Hello())
app.add_route("/form", Form())
app.add_route("/upload", Upload())
app.add_route("/stream/{count:int}", Stream())
app.add_route("/endless", Endless())
app.add_route("/left", Left())
app.add_route("/echo", Echo())
app.add_route("/started", Started())
app.add_route("/background", Background())
app.add_route("/background-done", BackgroundDone())
app.add_route("/fail", Fail())
app.add_route("/cookies", Cookies())
app.add_route("/loop", Loop())
