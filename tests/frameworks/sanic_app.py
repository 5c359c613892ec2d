"""The contract of `test_frameworks.py` in Sanic, which brings its own server too."""

from __future__ import annotations

import asyncio
import hashlib

from sanic import HTTPResponse, Request, Sanic, Websocket, json, text

app = Sanic("contract")
# Sanic installs uvloop where it finds it, unless it is told not to.
app.config.USE_UVLOOP = False
app.config.MOTD = False


@app.before_server_start
async def start(app: Sanic) -> None:
    app.ctx.started = True
    app.ctx.worked = asyncio.Event()
    app.ctx.left = asyncio.Event()


@app.after_server_stop
async def stop(app: Sanic) -> None:
    print("The application has stopped", flush=True)


@app.route("/hello/<name>", methods=["GET", "HEAD"], unquote=True)
async def hello(request: Request, name: str) -> HTTPResponse:
    return text(f"Hello, {name}!")


@app.post("/form")
async def form(request: Request) -> HTTPResponse:
    return text(request.form.get("name"))


@app.post("/upload")
async def upload(request: Request) -> HTTPResponse:
    file = request.files.get("file")
    digest = hashlib.sha256(file.body).hexdigest()
    return json({"name": file.name, "size": len(file.body), "sha256": digest})


@app.get("/stream/<count:int>")
async def stream(request: Request, count: int) -> None:
    response = await request.respond(content_type="text/plain")
    for number in range(count):
        await response.send(f"{number}\n")
    await response.eof()


@app.get("/endless")
async def endless(request: Request) -> None:
    response = await request.respond(content_type="text/plain")
    app.ctx.left.clear()
    try:
        while True:
            await response.send("tick\n")
            await asyncio.sleep(0.01)
    finally:
        app.ctx.left.set()


@app.get("/left")
async def left(request: Request) -> HTTPResponse:
    await app.ctx.left.wait()
    return text("left")


@app.websocket("/echo")
async def echo(request: Request, socket: Websocket) -> None:
    while (message := await socket.recv()) is not None:
        if message == "leave":
            await socket.close(4001, "as you wish")
            return
        await socket.send(message)


@app.get("/started")
async def started(request: Request) -> HTTPResponse:
    return text("started" if app.ctx.started else "not started")


@app.post("/background")
async def background(request: Request) -> HTTPResponse:
    async def work() -> None:
        await asyncio.sleep(0)
        app.ctx.worked.set()

    app.add_task(work())
    return text("accepted")


@app.get("/background-done")
async def background_done(request: Request) -> HTTPResponse:
    await app.ctx.worked.wait()
    return text("done")


@app.get("/fail")
async def fail(request: Request) -> HTTPResponse:
    raise RuntimeError("a fault of the application")


@app.get("/cookies")
async def cookies(request: Request) -> HTTPResponse:
    visits = int(request.cookies.get("visits") or "0") + 1
    response = text(str(visits))
    response.add_cookie("visits", str(visits), secure=False)
    response.add_cookie("theme", "dark", secure=False)
    return response


@app.get("/loop")
async def loop(request: Request) -> HTTPResponse:
    return text(type(asyncio.get_running_loop()).__module__)


if __name__ == "__main__":
    from own_server import listening_socket

    app.run(sock=listening_socket(), single_process=True, access_log=False)
