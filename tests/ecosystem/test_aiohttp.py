"""aiohttp: its server and its client, over TCP, TLS and Unix sockets."""

from __future__ import annotations

import asyncio
import hashlib
import os
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from listening import refused

pytest.importorskip("aiohttp")
import aiohttp
from aiohttp import web

LARGE = 3_000_000
PIECE = 65_536


@asynccontextmanager
async def serving(
    application: web.Application, tls: ssl.SSLContext | None = None, **options: Any
) -> AsyncIterator[str]:
    """Serve on a free port; the URL."""
    runner = web.AppRunner(application, access_log=None, **options)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
        await site.start()
        scheme = "http" if tls is None else "https"
        yield f"{scheme}://localhost:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def application(*routes: web.AbstractRouteDef) -> web.Application:
    made = web.Application(client_max_size=2 * LARGE)
    made.add_routes(routes)
    return made


async def digest_of_body(request: web.Request) -> web.Response:
    digest = hashlib.sha256()
    async for piece in request.content.iter_chunked(PIECE):
        digest.update(piece)
    return web.Response(text=digest.hexdigest())


async def pieces_of(payload: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(payload), PIECE):
        yield payload[start : start + PIECE]


async def test_routes_parameters_json_and_errors() -> None:
    async def double(request: web.Request) -> web.Response:
        asked = await request.json()
        number = int(request.match_info["number"])
        return web.json_response({"doubled": 2 * number, "query": request.query["q"], **asked})

    async def teapot(request: web.Request) -> web.Response:
        raise web.HTTPConflict(text="already boiling")

    routes = application(web.post("/double/{number}", double), web.get("/pot", teapot))
    async with serving(routes) as url, aiohttp.ClientSession(url) as session:
        async with session.post("/double/21?q=ä%20b", json={"sent": [1, None]}) as answer:
            assert await answer.json() == {"doubled": 42, "query": "ä b", "sent": [1, None]}
        async with session.get("/pot") as answer:
            assert (answer.status, await answer.text()) == (409, "already boiling")
        async with session.get("/nowhere") as answer:
            assert answer.status == 404


async def test_an_exception_of_a_handler_is_a_500_and_the_next_request_is_served(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def fail(request: web.Request) -> web.Response:
        raise ZeroDivisionError("a fault of the handler")

    async def fine(request: web.Request) -> web.Response:
        return web.Response(text="fine")

    routes = application(web.get("/fail", fail), web.get("/fine", fine))
    async with serving(routes) as url, aiohttp.ClientSession(url) as session:
        async with session.get("/fail") as answer:
            assert answer.status == 500
        async with session.get("/fine") as answer:
            assert await answer.text() == "fine"
    assert "a fault of the handler" in caplog.text


async def test_hundreds_of_requests_share_a_few_connections() -> None:
    clients = set()

    async def echo(request: web.Request) -> web.Response:
        assert request.transport is not None
        clients.add(request.transport.get_extra_info("peername"))
        await asyncio.sleep(0)
        return web.Response(text=request.match_info["number"])

    async def ask(session: aiohttp.ClientSession, number: int) -> None:
        async with session.get(f"/{number}") as answer:
            assert await answer.text() == str(number)

    routes = application(web.get("/{number}", echo))
    connector = aiohttp.TCPConnector(limit=8)
    async with serving(routes) as url, aiohttp.ClientSession(url, connector=connector) as session:
        await asyncio.gather(*(ask(session, number) for number in range(400)))
    assert 1 <= len(clients) <= 8


async def test_bodies_are_streamed_both_ways() -> None:
    payload = os.urandom(LARGE)

    async def download(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        async for piece in pieces_of(payload):
            await answer.write(piece)
        await answer.write_eof()
        return answer

    routes = application(web.get("/", download), web.put("/", digest_of_body))
    async with serving(routes) as url, aiohttp.ClientSession(url) as session:
        async with session.get("/") as answer:
            assert b"".join([piece async for piece in answer.content.iter_any()]) == payload
        async with session.put("/", data=pieces_of(payload)) as answer:
            assert await answer.text() == hashlib.sha256(payload).hexdigest()


async def test_a_response_that_breaks_off_is_an_error_of_the_client() -> None:
    async def break_off(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Length": "1000"})
        await answer.prepare(request)
        await answer.write(b"some of it")
        assert request.transport is not None
        request.transport.abort()
        return answer

    routes = application(web.get("/", break_off))
    async with serving(routes) as url, aiohttp.ClientSession(url) as session:
        with pytest.raises(aiohttp.ClientError):
            async with session.get("/") as answer:
                await answer.read()


async def test_files_are_sent_whole_and_in_part(tmp_path: Path) -> None:
    """A FileResponse is `loop.sendfile`."""
    payload = os.urandom(LARGE)
    file = tmp_path / "file"
    file.write_bytes(payload)

    async def send(request: web.Request) -> web.FileResponse:
        return web.FileResponse(file)

    async with (
        serving(application(web.get("/", send))) as url,
        aiohttp.ClientSession(url) as session,
    ):
        async with session.get("/") as answer:
            assert await answer.read() == payload
        async with session.get("/", headers={"Range": "bytes=1000000-1999999"}) as answer:
            assert (answer.status, await answer.read()) == (206, payload[1_000_000:2_000_000])


async def test_a_request_that_takes_too_long_is_cancelled_on_both_sides() -> None:
    cancelled = asyncio.Event()

    async def wait(request: web.Request) -> web.Response:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        raise AssertionError("nobody sets that event")

    async def fine(request: web.Request) -> web.Response:
        return web.Response(text="fine")

    routes = application(web.get("/wait", wait), web.get("/fine", fine))
    async with (
        serving(routes, handler_cancellation=True) as url,
        aiohttp.ClientSession(url) as session,
    ):
        with pytest.raises(asyncio.TimeoutError):
            async with session.get("/wait", timeout=aiohttp.ClientTimeout(total=1)):
                pass
        await cancelled.wait()
        async with session.get("/fine") as answer:
            assert await answer.text() == "fine"


async def test_a_request_under_way_is_finished_when_the_server_stops() -> None:
    entered, may_answer = asyncio.Event(), asyncio.Event()

    async def slow(request: web.Request) -> web.Response:
        entered.set()
        await may_answer.wait()
        return web.Response(text="finished")

    async def ask(session: aiohttp.ClientSession, url: str) -> str:
        async with session.get(url) as answer:
            return await answer.text()

    runner = web.AppRunner(application(web.get("/", slow)), access_log=None, shutdown_timeout=10)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0]
    async with aiohttp.ClientSession() as session:
        under_way = asyncio.create_task(ask(session, f"http://{host}:{port}"))
        await entered.wait()
        stopping = asyncio.create_task(runner.cleanup())
        await refused(host, port)
        assert not under_way.done()
        may_answer.set()
        assert await under_way == "finished"
        await stopping


async def test_tls_with_a_certificate_that_is_checked(
    server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    payload = os.urandom(LARGE)
    routes = application(web.put("/", digest_of_body))
    async with serving(routes, server_tls) as url, aiohttp.ClientSession(url) as session:
        async with session.put("/", data=pieces_of(payload), ssl=client_tls) as answer:
            assert await answer.text() == hashlib.sha256(payload).hexdigest()
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await session.get("/")


async def test_a_unix_socket(socket_path: str) -> None:
    async def host(request: web.Request) -> web.Response:
        return web.Response(text=request.host)

    runner = web.AppRunner(application(web.get("/", host)), access_log=None)
    await runner.setup()
    await web.UnixSite(runner, socket_path).start()
    try:
        connector = aiohttp.UnixConnector(socket_path)
        async with aiohttp.ClientSession(connector=connector) as session:
            async with session.get("http://by-name/") as answer:
                assert await answer.text() == "by-name"
    finally:
        await runner.cleanup()


async def echo_messages(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        if message.data == "leave":
            await socket.close(code=4001, message=b"as you wish")
        elif message.type is aiohttp.WSMsgType.TEXT:
            await socket.send_str(message.data.upper())
        else:
            await socket.send_bytes(message.data)
    return socket


async def test_websocket_messages_pings_and_close_codes() -> None:
    payload = os.urandom(LARGE)
    routes = application(web.get("/", echo_messages))
    async with serving(routes) as url, aiohttp.ClientSession(url) as session:
        async with session.ws_connect("/", max_msg_size=0, autoping=False) as socket:
            await socket.send_str("hello")
            assert await socket.receive_str() == "HELLO"
            await socket.send_bytes(payload)
            assert await socket.receive_bytes() == payload
            await socket.ping(b"are you there")
            answer = await socket.receive()
            assert (answer.type, answer.data) == (aiohttp.WSMsgType.PONG, b"are you there")
            await socket.send_str("leave")
            last = await socket.receive()
            assert (last.type, last.data, last.extra) == (
                aiohttp.WSMsgType.CLOSE,
                4001,
                "as you wish",
            )


async def test_a_receive_that_is_cancelled_leaves_the_websocket_usable() -> None:
    routes = application(web.get("/", echo_messages))
    async with serving(routes) as url, aiohttp.ClientSession(url) as session:
        async with session.ws_connect("/") as socket:
            for number in range(20):
                with pytest.raises(asyncio.TimeoutError):
                    async with asyncio.timeout(0.001):
                        await socket.receive()
                await socket.send_str(f"message {number}")
                assert await socket.receive_str() == f"MESSAGE {number}"


async def test_two_hundred_websockets_at_once_hear_one_another() -> None:
    members: set[web.WebSocketResponse] = set()

    async def room(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        members.add(socket)
        async for message in socket:
            await asyncio.gather(*(member.send_str(message.data) for member in members))
        members.discard(socket)
        return socket

    connector = aiohttp.TCPConnector(limit=0)
    async with (
        serving(application(web.get("/", room))) as url,
        aiohttp.ClientSession(url, connector=connector) as session,
    ):
        sockets = await asyncio.gather(*(session.ws_connect("/") for _ in range(200)))
        await sockets[0].send_str("to all")
        heard = await asyncio.gather(*(socket.receive_str() for socket in sockets))
        assert heard == ["to all"] * 200
        await asyncio.gather(*(socket.close() for socket in sockets))
