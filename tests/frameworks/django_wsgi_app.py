"""The contract of `test_frameworks.py` in Django, as WSGI."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator
from typing import Any

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path
from django.views.decorators.http import require_GET, require_POST, require_safe

settings.configure(
    SECRET_KEY="of the tests",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
)
django.setup()

TEXT = "text/plain; charset=utf-8"
worked = threading.Event()
left_endless = threading.Event()


def text(content: str) -> HttpResponse:
    return HttpResponse(content, content_type=TEXT)


@require_safe
def hello(request: HttpRequest, name: str) -> HttpResponse:
    return text(f"Hello, {name}!")


@require_POST
def form(request: HttpRequest) -> HttpResponse:
    return text(request.POST["name"])


@require_POST
def upload(request: HttpRequest) -> HttpResponse:
    file: Any = request.FILES["file"]
    digest = hashlib.sha256(b"".join(file.chunks())).hexdigest()
    return JsonResponse({"name": file.name, "size": file.size, "sha256": digest})


@require_GET
def stream(request: HttpRequest, count: int) -> StreamingHttpResponse:
    lines = (f"{number}\n" for number in range(count))
    return StreamingHttpResponse(lines, content_type=TEXT)


@require_GET
def endless(request: HttpRequest) -> StreamingHttpResponse:
    def ticks() -> Iterator[str]:
        left_endless.clear()
        try:
            while True:
                yield "tick\n"
                time.sleep(0.01)
        finally:
            left_endless.set()

    return StreamingHttpResponse(ticks(), content_type=TEXT)


@require_GET
def left(request: HttpRequest) -> HttpResponse:
    left_endless.wait()
    return text("left")


@require_POST
def background(request: HttpRequest) -> HttpResponse:
    threading.Thread(target=worked.set).start()
    return text("accepted")


@require_GET
def background_done(request: HttpRequest) -> HttpResponse:
    worked.wait()
    return text("done")


@require_GET
def fail(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("a fault of the application")


@require_GET
def cookies(request: HttpRequest) -> HttpResponse:
    visits = int(request.COOKIES.get("visits", "0")) + 1
    response = text(str(visits))
    response.set_cookie("visits", str(visits))
    response.set_cookie("theme", "dark")
    return response


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
]

app = get_wsgi_application()
