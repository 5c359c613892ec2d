"""The contract of `test_frameworks.py` in aiohttp.web, on aiohttp's own server."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator

from aiohttp import WSMsgType, web

routes = web.RouteTableDef()


class Marks:
    """What has happened so far."""

    def __init__(self) -> None:
        self.worked = asyncio.Event()
        self.left = asyncio.Event()
        self.tasks: set[asyncio.Task[None]] = set()


MARKS = web.AppKey("marks", Marks)


async def lifespan(app: web.Application) -> AsyncIterator[None]:
    app[MARKS] = Marks()
    yield
    print("The application has stopped", flush=True)


@routes.get("/hello/{name}")
async def hello(request: web.Request) -> web.Response:
    return web.Response(text=f"Hello, {request.match_info['name']}!")


@routes.post("/form")
async def form(request: web.Request) -> web.Response:
    return web.Response(text=str((await request.post())["name"]))


@routes.post("/upload")
async def upload(request: web.Request) -> web.Response:
    file = (await request.post())["file"]
    assert isinstance(file, web.FileField)
    data = file.file.read()
    digest = hashlib.sha256(data).hexdigest()
    return web.json_response({"name": file.filename, "size": len(data), "sha256": digest})


@routes.get("/stream/{count}")
async def stream(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/plain"})
    await response.prepare(request)
    for number in range(int(request.match_info["count"])):
        await response.write(f"{number}\n".encode())
    return response


@routes.get("/endless")
async def endless(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/plain"})
    await response.prepare(request)
    request.app[MARKS].left.clear()
    try:
        while True:
            await response.write(b"tick\n")
            await asyncio.sleep(0.01)
    finally:
        request.app[MARKS].left.set()


@routes.get("/left")
async def left(request: web.Request) -> web.Response:
    await request.app[MARKS].left.wait()
    return web.Response(text="left")


@routes.get("/echo")
async def echo(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        if message.data == "leave":
            await socket.close(code=4001, message=b"as you wish")
        elif message.type is WSMsgType.TEXT:
            await socket.send_str(message.data)
        else:
            await socket.send_bytes(message.data)
    return socket


@routes.get("/started")
async def started(request: web.Request) -> web.Response:
    return web.Response(text="started" if MARKS in request.app else "not started")


@routes.post("/background")
async def background(request: web.Request) -> web.Response:
    marks = request.app[MARKS]

    async def work() -> None:
        await asyncio.sleep(0)
        marks.worked.set()

    marks.tasks.add(task := asyncio.create_task(work()))
    task.add_done_callback(marks.tasks.discard)
    return web.Response(text="accepted")


@routes.get("/background-done")
async def background_done(request: web.Request) -> web.Response:
    await request.app[MARKS].worked.wait()
    return web.Response(text="done")


@routes.get("/fail")
async def fail(request: web.Request) -> web.Response:
    raise RuntimeError("a fault of the application")


@routes.get("/cookies")
async def cookies(request: web.Request) -> web.Response:
    visits = int(request.cookies.get("visits", "0")) + 1
    response = web.Response(text=str(visits))
    response.set_cookie("visits", str(visits))
    response.set_cookie("theme", "dark")
    return response


@routes.get("/loop")
async def loop(request: web.Request) -> web.Response:
    return web.Response(text=type(asyncio.get_running_loop()).__module__)


def application() -> web.Application:
    made = web.Application(client_max_size=4 * 2**20)
    made.cleanup_ctx.append(lifespan)
    made.add_routes(routes)
    return made


if __name__ == "__main__":
    from own_server import listening_socket

    web.run_app(application(), sock=listening_socket(), access_log=None, handler_cancellation=True)
