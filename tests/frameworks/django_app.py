"""The contract of `test_frameworks.py` in Django, less the WebSocket that it lacks."""

from __future__ import annotations

import asyncio
import gc
import hashlib
from collections.abc import AsyncIterator
from typing import Any

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path
from django.views.decorators.http import require_GET, require_POST, require_safe

settings.configure(
    DEBUG=False,
    SECRET_KEY="of the tests",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
    DEFAULT_CHARSET="utf-8",
)
django.setup()

TEXT = "text/plain; charset=utf-8"
worked = asyncio.Event()
left_endless = asyncio.Event()
tasks: set[asyncio.Task[None]] = set()


def text(content: str) -> HttpResponse:
    return HttpResponse(content, content_type=TEXT)


@require_safe
async def hello(request: HttpRequest, name: str) -> HttpResponse:
    return text(f"Hello, {name}!")


@require_POST
async def form(request: HttpRequest) -> HttpResponse:
    return text(request.POST["name"])


@require_POST
async def upload(request: HttpRequest) -> HttpResponse:
    file: Any = request.FILES["file"]
    digest = hashlib.sha256(b"".join(file.chunks())).hexdigest()
    return JsonResponse({"name": file.name, "size": file.size, "sha256": digest})


@require_GET
async def stream(request: HttpRequest, count: int) -> StreamingHttpResponse:
    async def lines() -> AsyncIterator[str]:
        for number in range(count):
            yield f"{number}\n"
            await asyncio.sleep(0)

    return StreamingHttpResponse(lines(), content_type=TEXT)


@require_GET
async def endless(request: HttpRequest) -> StreamingHttpResponse:
    async def ticks() -> AsyncIterator[str]:
        left_endless.clear()
        try:
            while True:
                yield "tick\n"
                await asyncio.sleep(0.01)
        finally:
            left_endless.set()

    return StreamingHttpResponse(ticks(), content_type=TEXT)


@require_GET
async def left(request: HttpRequest) -> HttpResponse:
    # ASGI has `send` raise once the client has gone. Where that comes before the news of it, Django
    # lets its generator be found by the collector, in a cycle of the exception and its frames.
    while not left_endless.is_set():
        gc.collect()
        await asyncio.sleep(0.01)
    return text("left")


@require_POST
async def background(request: HttpRequest) -> HttpResponse:
    async def work() -> None:
        await asyncio.sleep(0)
        worked.set()

    # Django leaves work after the response to asyncio's tasks, or to a queue.
    tasks.add(task := asyncio.create_task(work()))
    task.add_done_callback(tasks.discard)
    return text("accepted")


@require_GET
async def background_done(request: HttpRequest) -> HttpResponse:
    await worked.wait()
    return text("done")


@require_GET
async def fail(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("a fault of the application")


@require_GET
async def cookies(request: HttpRequest) -> HttpResponse:
    visits = int(request.COOKIES.get("visits", "0")) + 1
    response = text(str(visits))
    response.set_cookie("visits", str(visits))
    response.set_cookie("theme", "dark")
    return response


@require_GET
async def loop(request: HttpRequest) -> HttpResponse:
    return text(type(asyncio.get_running_loop()).__module__)


urlpatterns = [
    path("hello/<str:name>", hello),
    path("form", form),
    path("upload", upload),
    path("stream/<int:count>", stream),
    path("endless", endless),
    path("left", left),
    path("background", background),
    path("background-done", background_done),
    path("fail", fail),
    path("cookies", cookies),
    path("loop", loop),
]

app = get_asgi_application()
