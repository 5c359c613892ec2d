"""The contract of `test_frameworks.py` in Falcon, as WSGI."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator
from typing import Any

import falcon

worked = threading.Event()
left_endless = threading.Event()


class Hello:
    def on_get(self, request: Any, response: Any, name: str) -> None:
        response.text = f"Hello, {name}!"

    on_head = on_get


class Form:
    def on_post(self, request: Any, response: Any) -> None:
        response.text = request.get_media()["name"]


class Upload:
    def on_post(self, request: Any, response: Any) -> None:
        for part in request.get_media():
            data = part.stream.read()
            digest = hashlib.sha256(data).hexdigest()
            response.content_type = falcon.MEDIA_JSON
            response.media = {"name": part.filename, "size": len(data), "sha256": digest}


class Stream:
    def on_get(self, request: Any, response: Any, count: int) -> None:
        response.content_type = "text/plain"
        response.stream = (f"{number}\n".encode() for number in range(count))


class Endless:
    def on_get(self, request: Any, response: Any) -> None:
        def ticks() -> Iterator[bytes]:
            left_endless.clear()
            try:
                while True:
                    yield b"tick\n"
                    time.sleep(0.01)
            finally:
                left_endless.set()

        response.content_type = "text/plain"
        response.stream = ticks()


class Left:
    def on_get(self, request: Any, response: Any) -> None:
        left_endless.wait()
        response.text = "left"


class Background:
    def on_post(self, request: Any, response: Any) -> None:
        threading.Thread(target=worked.set).start()
        response.text = "accepted"


class BackgroundDone:
    def on_get(self, request: Any, response: Any) -> None:
        worked.wait()
        response.text = "done"


class Fail:
    def on_get(self, request: Any, response: Any) -> None:
        raise RuntimeError("a fault of the application")


class Cookies:
    def on_get(self, request: Any, response: Any) -> None:
        visits = int(request.cookies.get("visits", "0")) + 1
        response.set_cookie("visits", str(visits), secure=False)
        response.set_cookie("theme", "dark", secure=False)
        response.text = str(visits)


app: Any = falcon.App(media_type=falcon.MEDIA_TEXT)
app.add_route("/hello/{name}", Hello())
app.add_route("/form", Form())
app.add_route("/upload", Upload())
app.add_route("/stream/{count:int}", Stream())
app.add_route("/endless", Endless())
app.add_route("/left", Left())
app.add_route("/background", Background())
app.add_route("/background-done", BackgroundDone())
app.add_route("/fail", Fail())
app.add_route("/cookies", Cookies())
