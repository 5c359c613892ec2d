"""The contract of `test_frameworks.py` in Flask, as WSGI."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator
from typing import Any

from flask import Flask, Response, request

app = Flask(__name__)
worked = threading.Event()
left_endless = threading.Event()


def text(content: Any) -> Response:
    return Response(content, mimetype="text/plain")


@app.get("/hello/<name>")
def hello(name: str) -> Response:
    return text(f"Hello, {name}!")


@app.post("/form")
def form() -> Response:
    return text(request.form["name"])


@app.post("/upload")
def upload() -> dict[str, Any]:
    file = request.files["file"]
    data = file.read()
    digest = hashlib.sha256(data).hexdigest()
    return {"name": file.filename, "size": len(data), "sha256": digest}


@app.get("/stream/<int:count>")
def stream(count: int) -> Response:
    return text(f"{number}\n" for number in range(count))


@app.get("/endless")
def endless() -> Response:
    def ticks() -> Iterator[str]:
        left_endless.clear()
        try:
            while True:
                yield "tick\n"
                time.sleep(0.01)
        finally:
            left_endless.set()

    return text(ticks())


@app.get("/left")
def left() -> Response:
    left_endless.wait()
    return text("left")


@app.post("/background")
def background() -> Response:
    threading.Thread(target=worked.set).start()
    return text("accepted")


@app.get("/background-done")
def background_done() -> Response:
    worked.wait()
    return text("done")


@app.get("/fail")
def fail() -> Response:
    raise RuntimeError("a fault of the application")


@app.get("/cookies")
def cookies() -> Response:
    visits = int(request.cookies.get("visits", "0")) + 1
    response = text(str(visits))
    response.set_cookie("visits", str(visits))
    response.set_cookie("theme", "dark")
    return response
