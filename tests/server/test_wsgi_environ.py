"""The environ that a WSGI application gets (PEP 3333, "environ Variables")."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from certificate_authority import Authority
from http2 import Client
from wire import Wire, request
from wsgi_applications import TEXT, Environ, StartResponse, served_in_threads

import hoopsnake


class Recorder:
    """Keeps the environ of each request."""

    def __init__(self) -> None:
        self.environs: list[Environ] = []

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        self.environs.append(environ)
        start_response("200 OK", TEXT)
        return [b""]

    @property
    def last(self) -> Environ:
        return self.environs[-1]


async def test_a_plain_request_has_all_that_the_specification_wants() -> None:
    app = Recorder()
    async with served_in_threads(app, wsgi_threads=3) as server:
        async with await server.connect() as wire:
            await wire.get("/a/b?c=d&e")
            await wire.answer()
            port = wire.sock.getsockname()[1]
    environ = app.last
    assert {key: environ[key] for key in environ if key not in ("wsgi.input", "wsgi.errors")} == {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/a/b",
        "QUERY_STRING": "c=d&e",
        "REQUEST_URI": "/a/b?c=d&e",
        "REMOTE_ADDR": "127.0.0.1",
        "REMOTE_PORT": str(port),
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": str(server.port),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_SOFTWARE": f"hoopsnake/{hoopsnake.__version__}",
        "GATEWAY_INTERFACE": "CGI/1.1",
        "HTTP_HOST": "test",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "wsgi.file_wrapper": environ["wsgi.file_wrapper"],
        "wsgi.input_terminated": True,
    }
    assert environ["wsgi.errors"] is sys.stderr
    assert type(environ) is dict


async def test_one_thread_is_no_multithreading() -> None:
    app = Recorder()
    async with served_in_threads(app, wsgi_threads=1) as server:
        await server.get()
    assert app.last["wsgi.multithread"] is False


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/", "/"),
        ("/a%20b", "/a b"),
        ("/Zo%C3%AB", "/ZoÃ«"),
        ("/%ff%fe", "/ÿþ"),
        ("/a%2Fb", "/a/b"),
        ("/%E2%82%AC?x=%E2", "/â\x82¬"),
    ],
)
async def test_the_path_is_unescaped_to_bytes_that_pass_for_text(target: str, path: str) -> None:
    app = Recorder()
    async with served_in_threads(app) as server:
        await server.get(target)
    assert app.last["PATH_INFO"] == path
    assert app.last["REQUEST_URI"] == target


@pytest.mark.parametrize(("root", "script"), [("/shop", "/shop"), ("/Zoë", "/ZoÃ«")])
async def test_the_mount_is_the_name_of_the_script(root: str, script: str) -> None:
    app = Recorder()
    async with served_in_threads(app, root_path=root) as server:
        await server.get("/tea/green")
        assert (app.last["SCRIPT_NAME"], app.last["PATH_INFO"]) == (script, "/tea/green")
        await server.get("/caf%C3%A9")
        assert (app.last["SCRIPT_NAME"], app.last["PATH_INFO"]) == (script, "/cafÃ©")


async def test_a_prefix_that_a_proxy_adds_is_part_of_the_mount() -> None:
    app = Recorder()
    trust: dict[str, Any] = {
        "forwarded_allow_ips": ("127.0.0.1",),
        "forwarded_parts": ("for", "prefix"),
    }
    headers = ("X-Forwarded-For: 1.2.3.4", "X-Forwarded-Prefix: /shop")
    async with served_in_threads(app, root_path="/api", **trust) as server:
        for more, script in ((headers, "/shop/api"), ((), "/api")):
            async with await server.connect() as wire:
                await wire.send(request("GET /tea HTTP/1.1", *more))
                await wire.answer()
            assert (app.last["SCRIPT_NAME"], app.last["PATH_INFO"]) == (script, "/tea")


async def asked(app: Any, *headers: str, line: str = "GET / HTTP/1.1") -> None:
    async with served_in_threads(app) as server, await server.connect() as wire:
        await wire.send(request(line, *headers))
        await wire.answer()


async def test_headers_that_come_twice_become_one_variable() -> None:
    app = Recorder()
    await asked(app, "X-Tea: green", "x-tea: black", "Cookie: a=1", "Cookie: b=2")
    assert app.last["HTTP_X_TEA"] == "green,black"
    assert app.last["HTTP_COOKIE"] == "a=1; b=2"


async def test_values_are_bytes_that_pass_for_text() -> None:
    app = Recorder()
    await asked(app, "X-Name: Zo\xc3\xab")
    assert app.last["HTTP_X_NAME"] == "ZoÃ«"


async def test_a_header_cannot_pass_for_another_by_its_underscore() -> None:
    app = Recorder()
    await asked(app, "X_Real_IP: 1.2.3.4", "Content_Length: 5", "X-Real-IP: 5.6.7.8")
    assert app.last["HTTP_X_REAL_IP"] == "5.6.7.8"
    assert not any("1.2.3.4" in str(value) for value in app.last.values())
    assert "CONTENT_LENGTH" not in app.last
    assert "HTTP_CONTENT_LENGTH" not in app.last


async def test_the_type_and_length_of_the_body_have_names_of_their_own() -> None:
    app = Recorder()
    await asked(app, "Content-Type: text/x", "Content-Length: 0", line="POST / HTTP/1.1")
    assert (app.last["CONTENT_TYPE"], app.last["CONTENT_LENGTH"]) == ("text/x", "0")
    assert not {"HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH"} & set(app.last)


async def test_the_protocol_is_that_of_the_request() -> None:
    app = Recorder()
    await asked(app, line="GET / HTTP/1.0")
    assert app.last["SERVER_PROTOCOL"] == "HTTP/1.0"


async def test_a_request_over_http2_is_like_any_other() -> None:
    app = Recorder()
    async with served_in_threads(app) as server, await server.connect() as wire:
        client = await Client.begin(wire)
        await client.get("/a?b", ("cookie", "a=1"), ("cookie", "b=2"))
    assert app.last["SERVER_PROTOCOL"] == "HTTP/2"
    assert app.last["HTTP_COOKIE"] == "a=1; b=2"
    assert app.last["HTTP_HOST"] == "test"


async def test_over_tls_the_scheme_is_https(tmp_path: Path) -> None:
    app, authority = Recorder(), Authority()
    certificate = authority.write(tmp_path)
    async with served_in_threads(app, ssl_certfile=certificate) as server:
        async with await server.connect(tls=authority.client()) as wire:
            await wire.get()
            await wire.answer()
    assert (app.last["wsgi.url_scheme"], app.last["HTTPS"]) == ("https", "on")


async def test_over_a_unix_socket_nobody_has_an_address(tmp_path: Path) -> None:
    app = Recorder()
    path = str(tmp_path / "socket")
    async with served_in_threads(app, uds=path), await Wire.open(path) as wire:
        await wire.get()
        await wire.answer()
    assert (app.last["REMOTE_ADDR"], app.last["SERVER_NAME"]) == ("", "localhost")
    assert app.last["SERVER_PORT"] == "80"


async def test_what_an_application_puts_in_is_not_there_for_the_next() -> None:
    app = Recorder()
    async with served_in_threads(app) as server:
        await server.get()
        app.last["added"] = 1
        await server.get()
    assert "added" not in app.last
