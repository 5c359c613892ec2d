"""How an application is told to be WSGI or ASGI, and what is said where that fails."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import pytest
from program import serving, starting
from served import served
from wsgi_applications import hello

import hoopsnake
from hoopsnake._wsgi.interface import is_wsgi


async def asgi(scope: Any, receive: Any, send: Any) -> None: ...


def asgi_plain(scope: Any, receive: Any, send: Any) -> Any: ...


def wsgi(environ: Any, start_response: Any) -> Any: ...


def wsgi_with_a_default(environ: Any, start_response: Any, /, debug: bool = False) -> Any: ...


def takes_anything(*arguments: Any) -> Any: ...


class Asgi:
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None: ...

    async def method(self, scope: Any, receive: Any, send: Any) -> None: ...


class AsgiWithAnything:
    async def __call__(self, *arguments: Any) -> None: ...


class Wsgi:
    def __call__(self, environ: Any, start_response: Any) -> Any: ...

    def method(self, environ: Any, start_response: Any) -> Any: ...


class WsgiThatIsIterated:
    """PEP 3333 has such a class as an example: its instances are the bodies."""

    def __init__(self, environ: Any, start_response: Any) -> None: ...


@pytest.mark.parametrize(
    ("application", "expected"),
    [
        (asgi, False),
        (asgi_plain, False),
        (Asgi(), False),
        (Asgi().method, False),
        (AsgiWithAnything(), False),
        (functools.partial(asgi), False),
        (functools.partial(functools.partial(AsgiWithAnything()), None), False),
        ("not callable", False),
        (wsgi, True),
        (Wsgi(), True),
        (Wsgi().method, True),
        (WsgiThatIsIterated, True),
        (functools.partial(wsgi), True),
        (functools.partial(asgi_plain, None), True),
    ],
)
def test_an_application_shows_what_it_is(application: Any, expected: bool) -> None:
    assert is_wsgi(application, "auto") is expected


@pytest.mark.parametrize("application", [takes_anything, wsgi_with_a_default, print])
def test_where_it_does_not_it_has_to_be_said(application: Any) -> None:
    with pytest.raises(hoopsnake.ServerError, match=r"with two .* and with three.*--interface"):
        is_wsgi(application, "auto")
    assert is_wsgi(application, "wsgi")
    assert not is_wsgi(application, "asgi")


async def test_the_server_finds_out_by_itself() -> None:
    async with served(hello) as server:  # type: ignore[arg-type]
        assert (await server.get("/found")).body == b"/found"


async def test_a_server_does_not_start_with_what_it_cannot_tell() -> None:
    with pytest.raises(hoopsnake.ServerError, match="say so with --interface"):
        await hoopsnake.serve(takes_anything, hoopsnake.ServerConfig(port=0))


async def test_wsgi_has_no_lifespan_to_be_asked_for() -> None:
    with pytest.raises(hoopsnake.ServerError, match="a WSGI application has no lifespan"):
        await hoopsnake.serve(wsgi, hoopsnake.ServerConfig(port=0, lifespan="on"))


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [({"interface": "rsgi"}, "interface 'rsgi'"), ({"wsgi_threads": 0}, "wsgi_threads 0")],
)
def test_settings_that_cannot_be_meant_are_refused(
    settings: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(hoopsnake.ServerError, match=complaint):
        hoopsnake.ServerConfig(**settings)


SOURCE = """
import threading

def app(environ, start_response, *more):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [threading.current_thread().name.encode()]
"""


async def test_the_command_serves_wsgi(tmp_path: Path) -> None:
    options = ("--interface", "wsgi", "--wsgi-threads", "2")
    async with serving(tmp_path, SOURCE, *options) as server, await server.connect() as wire:
        await wire.get()
        assert (await wire.answer()).body == b"wsgi-1"


async def test_the_command_says_what_it_cannot_tell(tmp_path: Path) -> None:
    async with starting(tmp_path, SOURCE) as server:
        await server.wait_for("say so with --interface")
        assert await server.ended() == 1
