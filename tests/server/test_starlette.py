"""Starlette, unmodified: files, mounts, middleware, server-sent events and disconnects."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import websockets
from served import served
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket
from wire import request


def get(server: Any, path: str, **options: Any) -> Any:
    return httpx.AsyncClient(base_url=server.address, trust_env=False).get(path, **options)


async def test_files_ranges_and_heads(tmp_path: Path) -> None:
    data = bytes(range(256)) * 4096
    (tmp_path / "file.bin").write_bytes(data)

    async def file(_: Request) -> Response:
        return FileResponse(tmp_path / "file.bin")

    routes = [Mount("/static", StaticFiles(directory=tmp_path)), Route("/file", file)]
    async with served(Starlette(routes=routes)) as server:
        async with httpx.AsyncClient(base_url=server.address, trust_env=False) as client:
            for path in ("/static/file.bin", "/file"):
                answer = await client.get(path)
                assert answer.content == data
                assert answer.headers["content-length"] == str(len(data))
                head = await client.head(path)
                assert (head.content, head.headers["etag"]) == (b"", answer.headers["etag"])
                assert head.headers["content-length"] == str(len(data))
            answer = await client.get("/file", headers={"Range": "bytes=100-199"})
            assert (answer.status_code, answer.content) == (206, data[100:200])
            unchanged = {"If-None-Match": answer.headers["etag"]}
            answer = await client.get("/static/file.bin", headers=unchanged)
            assert (answer.status_code, answer.content) == (304, b"")
            assert (await client.get("/static/../secret")).status_code == 404


async def test_a_mounted_application_sees_its_root_path() -> None:
    async def where(request: Request) -> Response:
        return PlainTextResponse(f"{request.scope['root_path']} {request.url.path}")

    inner = Starlette(routes=[Route("/where", where)])
    async with served(Starlette(routes=[Mount("/inner", inner)]), root_path="/outer") as server:
        async with httpx.AsyncClient(base_url=server.address, trust_env=False) as client:
            assert (await client.get("/inner/where")).text == "/outer/inner /outer/inner/where"


async def test_server_sent_events_end_when_the_client_leaves() -> None:
    ended = asyncio.Event()

    async def events(_: Request) -> Response:
        async def forever() -> AsyncIterator[str]:
            try:
                number = 0
                while True:
                    yield f"data: {number}\n\n"
                    number += 1
                    await asyncio.sleep(0.001)
            finally:
                ended.set()

        return StreamingResponse(forever(), media_type="text/event-stream")

    async with served(Starlette(routes=[Route("/events", events)])) as server:
        async with httpx.AsyncClient(base_url=server.address, trust_env=False) as client:
            async with client.stream("GET", "/events") as answer:
                lines = answer.aiter_lines()
                seen = [line async for _, line in _first(lines, 10) if line]
        async with asyncio.timeout(5):
            await ended.wait()
    assert seen == [f"data: {number}" for number in range(5)]


async def _first(lines: AsyncIterator[str], count: int) -> AsyncIterator[tuple[int, str]]:
    number = 0
    async for line in lines:
        yield number, line
        number += 1
        if number == count:
            return


async def test_a_client_that_leaves_in_mid_upload_is_starlettes_client_disconnect() -> None:
    raised: asyncio.Queue[str] = asyncio.Queue()
    begun = asyncio.Event()

    async def upload(request: Request) -> Response:
        try:
            async for _ in request.stream():
                begun.set()
        except ClientDisconnect:
            raised.put_nowait("ClientDisconnect")
            raise
        raise AssertionError("the body was never complete")

    app = Starlette(routes=[Route("/upload", upload, methods=["POST"])])
    async with served(app, faulty=True) as server:
        async with await server.connect() as wire:
            head = request("POST /upload HTTP/1.1", "Content-Length: 100")
            await wire.send(head + b"half")
            await begun.wait()
            wire.vanish()
            assert await raised.get() == "ClientDisconnect"


async def test_is_disconnected_tells() -> None:
    told = asyncio.Event()
    begun = asyncio.Event()

    async def poll(request: Request) -> Response:
        assert not await request.is_disconnected()
        begun.set()
        while not await request.is_disconnected():
            await asyncio.sleep(0.001)
        told.set()
        return Response()

    async with served(Starlette(routes=[Route("/poll", poll)])) as server:
        async with await server.connect() as wire:
            await wire.get("/poll")
            await begun.wait()
            wire.vanish()
            await told.wait()


async def test_middleware_that_streams_through() -> None:
    class Passing(BaseHTTPMiddleware):
        async def dispatch(self, request: Request, call_next: Any) -> Response:
            response: Response = await call_next(request)
            return response

    async def large(_: Request) -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            for _ in range(100):
                yield b"x" * 10_000

        return StreamingResponse(pieces())

    async def body(request: Request) -> Response:
        return PlainTextResponse(f"{len(await request.body())}")

    app = Starlette(
        routes=[Route("/large", large), Route("/body", body, methods=["POST"])],
        middleware=[Middleware(Passing), Middleware(GZipMiddleware)],
    )
    async with served(app) as server:
        async with httpx.AsyncClient(base_url=server.address, trust_env=False) as client:
            answer = await client.get("/large")
            assert answer.headers["content-encoding"] == "gzip"
            assert answer.content == b"x" * 1_000_000
            assert (await client.post("/body", content=bytes(300_000))).text == "300000"


async def test_a_head_of_a_streamed_answer_is_no_error() -> None:
    ended: asyncio.Queue[str] = asyncio.Queue()

    async def stream(_: Request) -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            for _ in range(5):
                yield bytes(1000)
                await asyncio.sleep(0)
            ended.put_nowait("sent all")

        return StreamingResponse(pieces())

    async with served(Starlette(routes=[Route("/stream", stream)])) as server:
        async with httpx.AsyncClient(base_url=server.address, trust_env=False) as client:
            assert (await client.head("/stream")).content == b""
            async with asyncio.timeout(5):
                assert await ended.get() == "sent all"


async def test_websockets_speak_json_and_choose_a_subprotocol() -> None:
    async def talk(socket: WebSocket) -> None:
        await socket.accept(subprotocol=socket.scope["subprotocols"][0])
        async for message in socket.iter_json():
            await socket.send_json({"got": message})

    async def refuse(socket: WebSocket) -> None:
        await socket.close(4403)

    routes = [WebSocketRoute("/talk", talk), WebSocketRoute("/refuse", refuse)]
    async with served(Starlette(routes=routes)) as server:
        url = f"{server.websocket_url}/talk"
        async with websockets.connect(url, subprotocols=["json", "xml"]) as client:
            assert client.subprotocol == "json"
            await client.send('{"a": [1, null]}')
            assert await client.recv() == '{"got":{"a":[1,null]}}'
        for path in ("refuse", "nowhere"):
            with pytest.raises(websockets.InvalidStatus) as refused:
                await websockets.connect(f"{server.websocket_url}/{path}")
            assert refused.value.response.status_code == 403
