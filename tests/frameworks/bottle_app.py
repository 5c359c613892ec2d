"""The contract of `test_frameworks.py` in Bottle, as WSGI."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator
from typing import Any

from bottle import Bottle, request, response

app = Bottle()
worked = threading.Event()
left_endless = threading.Event()


@app.hook("before_request")
def answer_with_text() -> None:
    response.content_type = "text/plain; charset=utf-8"


@app.get("/hello/<name>")
def hello(name: str) -> str:
    return f"Hello, {name}!"


@app.post("/form")
def form() -> str:
    name: str = request.forms.name
    return name


@app.post("/upload")
def upload() -> dict[str, Any]:
    file = request.files["file"]
    data = file.file.read()
    digest = hashlib.sha256(data).hexdigest()
    return {"name": file.raw_filename, "size": len(data), "sha256": digest}


@app.get("/stream/<count:int>")
def stream(count: int) -> Iterator[str]:
    for number in range(count):
        yield f"{number}\n"


@app.get("/endless")
def endless() -> Iterator[str]:
    left_endless.clear()
    try:
        while True:
            yield "tick\n"
            time.sleep(0.01)
    finally:
        left_endless.set()


@app.get("/left")
def left() -> str:
    left_endless.wait()
    return "left"


@app.post("/background")
def background() -> str:
    threading.Thread(target=worked.set).start()
    return "accepted"


@app.get("/background-done")
def background_done() -> str:
    worked.wait()
    return "done"


@app.get("/fail")
def fail() -> str:
    raise RuntimeError("a fault of the application")


@app.get("/cookies")
def cookies() -> str:
    visits = int(request.get_cookie("visits", "0")) + 1
    response.set_cookie("visits", str(visits))
    response.set_cookie("theme", "dark")
    return str(visits)
